import { useId } from 'react'

interface TimeFieldProps {
  label: string
  labelHidden?: boolean
  /** `HH:MM`, 24 hours, whatever the person's clock shows. */
  value: string
  disabled?: boolean
  onChange: (value: string) => void
}

/** A time of day, as the person's own system writes it. Nothing is reported while it is incomplete. */
export function TimeField({ label, labelHidden = false, value, disabled = false, onChange }: TimeFieldProps) {
  const id = useId()
  return (
    <div className="time-field">
      <label htmlFor={id} className={labelHidden ? 'visually-hidden' : 'time-field__label'}>
        {label}
      </label>
      <input
        id={id}
        className="field figures"
        type="time"
        required
        value={value}
        disabled={disabled}
        onChange={({ target }) => {
          if (target.value !== '') onChange(target.value)
        }}
      />
    </div>
  )
}
