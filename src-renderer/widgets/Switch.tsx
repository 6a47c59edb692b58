import { type ReactNode, useId } from 'react'
import { Switch as AriaSwitch } from 'react-aria-components'

interface SwitchProps {
  label: string
  hint?: ReactNode
  on: boolean
  disabled?: boolean
  onChange: (on: boolean) => void
}

export function Switch({ label, hint, on, disabled = false, onChange }: SwitchProps) {
  const hintId = useId()
  return (
    <div className="switch">
      <AriaSwitch
        className="switch__label"
        isSelected={on}
        isDisabled={disabled}
        {...(hint === undefined ? {} : { 'aria-describedby': hintId })}
        onChange={onChange}
      >
        <span className="switch__track" aria-hidden="true" />
        {label}
      </AriaSwitch>
      {hint === undefined ? null : (
        <p id={hintId} className="switch__hint">
          {hint}
        </p>
      )}
    </div>
  )
}
