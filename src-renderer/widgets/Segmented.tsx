import { type ReactNode, useId } from 'react'

interface SegmentedProps<T extends string> {
  label: string
  options: readonly { value: T; content: ReactNode }[]
  value: T
  onChange: (value: T) => void
}

/** Radio buttons underneath: the arrow keys come with them. */
export function Segmented<T extends string>({ label, options, value, onChange }: SegmentedProps<T>) {
  const name = useId()
  return (
    <fieldset className="segmented">
      <legend className="visually-hidden">{label}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input
            className="visually-hidden"
            type="radio"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          {option.content}
        </label>
      ))}
    </fieldset>
  )
}
