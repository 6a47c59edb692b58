import { X } from 'lucide-react'
import { type ReactNode, useEffect } from 'react'
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from 'react-aria-components'
import { useTranslation } from '../i18n/index.ts'
import { Button } from './Button.tsx'

interface DialogProps {
  title: string
  open: boolean
  onClose: () => void
  /** `alert` for a question that must be answered: a click beside it does not close it. */
  kind?: 'plain' | 'alert'
  wide?: boolean
  /** Buttons at the foot. */
  actions?: ReactNode
  children: ReactNode
}

/** Keeps the keyboard inside while it is open, and gives it back to what opened it. Escape closes it. */
export function Dialog({
  title,
  open,
  onClose,
  kind = 'plain',
  wide = false,
  actions,
  children,
}: DialogProps) {
  const { t } = useTranslation()
  useEscapeFromNowhere(open, onClose)
  return (
    <ModalOverlay
      className="dialog__veil"
      isOpen={open}
      onOpenChange={(next) => {
        if (!next) onClose()
      }}
      isDismissable={kind === 'plain'}
    >
      <Modal className={wide ? 'dialog dialog--wide' : 'dialog'}>
        <AriaDialog className="dialog__box" role={kind === 'alert' ? 'alertdialog' : 'dialog'}>
          <header className="dialog__head">
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            <Button icon look="bare" aria-label={t('close')} onClick={onClose}>
              <X size={16} aria-hidden="true" />
            </Button>
          </header>
          <div className="dialog__body">{children}</div>
          {actions === undefined ? null : <footer className="dialog__foot">{actions}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  )
}

/** A button that is disabled while it has the focus drops it, and React Aria hears Escape only from inside the dialog. */
function useEscapeFromNowhere(open: boolean, onClose: () => void): void {
  useEffect(() => {
    if (!open) return
    const listen = ({ key }: KeyboardEvent) => {
      if (key === 'Escape' && document.activeElement === document.body) onClose()
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  }, [open, onClose])
}
