import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { Menu as AriaMenu, Button, MenuItem, MenuTrigger, Popover, Text } from 'react-aria-components'

export interface MenuEntry<T extends string> {
  id: T
  name: string
  /** What it does, where the name alone could surprise. */
  hint?: string
  icon?: LucideIcon
  disabled?: boolean
}

interface MenuProps<T extends string> {
  label: string
  className?: string
  entries: readonly MenuEntry<T>[]
  disabled?: boolean
  onChoose: (id: T) => void
  /** What the button shows. */
  children: ReactNode
}

/** A button that opens a list of commands. */
export function Menu<T extends string>(props: MenuProps<T>) {
  const { label, className, entries, disabled = false, onChoose, children } = props
  return (
    <MenuTrigger>
      <Button
        className={className ?? 'button button--quiet button--icon'}
        aria-label={label}
        isDisabled={disabled}
      >
        {children}
      </Button>
      <Popover className="popover" placement="bottom end">
        <AriaMenu className="menu" aria-label={label} onAction={(key) => onChoose(key as T)}>
          {entries.map(({ id, name, hint, icon: Icon, disabled: blocked = false }) => (
            <MenuItem key={id} id={id} textValue={name} isDisabled={blocked} className="menu__item">
              {Icon === undefined ? null : <Icon size={15} aria-hidden="true" />}
              <span className="menu__words">
                <Text slot="label">{name}</Text>
                {hint === undefined ? null : (
                  <Text slot="description" className="menu__hint">
                    {hint}
                  </Text>
                )}
              </span>
            </MenuItem>
          ))}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  )
}
