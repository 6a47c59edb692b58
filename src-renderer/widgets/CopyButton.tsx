import { Check, Copy, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from '../i18n/index.ts'
import { Button } from './Button.tsx'
import { Tooltip } from './Tooltip.tsx'

const SHOWN_MS = 2_000
const icons = { ready: Copy, copied: Check, refused: X } as const

/** `what` completes “Copy …”. */
export function CopyButton({ what, text }: { what: string; text: string }) {
  const { t } = useTranslation()
  const [outcome, setOutcome] = useState<keyof typeof icons>('ready')

  useEffect(() => {
    if (outcome === 'ready') return
    const timer = setTimeout(() => setOutcome('ready'), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [outcome])

  async function copy() {
    try {
      await navigator.clipboard.writeText(text)
      setOutcome('copied')
    } catch {
      setOutcome('refused')
    }
  }

  const Icon = icons[outcome]
  const name = t('copy', { what })
  const words = { ready: null, copied: t('copied'), refused: t('copyRefused') }[outcome]
  return (
    <Tooltip text={words ?? name}>
      <Button icon aria-label={name} onClick={() => void copy()}>
        <Icon size={16} aria-hidden="true" />
      </Button>
      <span className="visually-hidden" role="status">
        {words}
      </span>
    </Tooltip>
  )
}
