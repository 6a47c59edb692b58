import { type ReactNode, useId } from 'react'

interface AmountFieldProps {
  id?: string
  label: string
  hint?: ReactNode
  value: string
  /** What is wrong with what was typed; null while nothing is, or nothing was typed. */
  problem: string | null
  unit?: string
  disabled?: boolean
  onChange: (text: string) => void
}

/** A text field and not a number field: amounts are longer than a number can hold. */
export function AmountField({
  id: givenId,
  label,
  hint,
  value,
  problem,
  unit = 'TRM',
  disabled = false,
  onChange,
}: AmountFieldProps) {
  const ownId = useId()
  const id = givenId ?? ownId
  return (
    <div className="amount">
      <label htmlFor={id}>{label}</label>
      <span className="amount__line">
        <input
          id={id}
          className="field figures"
          type="text"
          inputMode="numeric"
          autoComplete="off"
          maxLength={40}
          value={value}
          disabled={disabled}
          aria-invalid={problem !== null}
          aria-describedby={`${id}-hint ${id}-problem`}
          onChange={(event) => onChange(event.target.value)}
        />
        <span>{unit}</span>
      </span>
      <span id={`${id}-hint`} className="amount__hint">
        {hint}
      </span>
      <span id={`${id}-problem`} className="amount__problem" role="status">
        {problem}
      </span>
    </div>
  )
}
