import { type FormEvent, type ReactNode, useEffect, useId, useState } from 'react'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
import { useTranslation } from '../i18n/index.ts'
import { Button } from './Button.tsx'
import { ErrorState } from './ErrorState.tsx'
import { Segmented } from './Segmented.tsx'

interface OptionalNumberProps {
  label: string
  hint: ReactNode
  /** What the setting says without a number, and with one. */
  none: string
  some: string
  unit: string
  min: number
  max: number
  step: number | 'any'
  /** Proposed when a number is chosen and there is none. */
  proposal: number
  value: number | null
  busy: boolean
  disabled: boolean
  error: PublicErrorData | null
  onSave: (value: number | null) => void
}

/** A setting that is a number in a range, or not set. Saved on request only. */
export function OptionalNumber(props: OptionalNumberProps) {
  const { label, hint, none, some, unit, min, max, step, proposal, value, busy, disabled, error } = props
  const { t } = useTranslation()
  const [mode, setMode] = useState<'none' | 'some'>(value === null ? 'none' : 'some')
  const [text, setText] = useState(String(value ?? proposal))
  const hintId = useId()

  // What the host says goes before what was left in the form.
  useEffect(() => {
    setMode(value === null ? 'none' : 'some')
    if (value !== null) setText(String(value))
  }, [value])

  const typed = mode === 'none' ? null : Number(text)
  const valid = typed === null || (text.trim() !== '' && typed >= min && typed <= max)
  const changed = typed !== value

  function save(event: FormEvent) {
    event.preventDefault()
    if (valid && changed && !busy && !disabled) props.onSave(typed)
  }

  return (
    <form className="setting" onSubmit={save} noValidate>
      <p className="setting__label">{label}</p>
      <div className="setting__fields">
        <Segmented
          label={label}
          options={[
            { value: 'none', content: none },
            { value: 'some', content: some },
          ]}
          value={mode}
          onChange={setMode}
        />
        {mode === 'none' ? null : (
          <label className="setting__number">
            <span className="visually-hidden">
              {label}, {unit}
            </span>
            <input
              type="number"
              className="field"
              inputMode="decimal"
              {...{ min, max, step }}
              value={text}
              aria-invalid={!valid}
              aria-describedby={hintId}
              onChange={(event) => setText(event.target.value)}
            />
            <span aria-hidden="true">{unit}</span>
          </label>
        )}
        <Button
          type="submit"
          look={changed && valid ? 'accent' : 'quiet'}
          busy={busy}
          disabled={disabled || busy || !changed || !valid}
        >
          {t('save')}
        </Button>
      </div>
      {valid ? null : (
        <p className="setting__invalid" role="alert">
          {t('numberInRange', { min, max })}
        </p>
      )}
      <p className="setting__hint" id={hintId}>
        {hint}
      </p>
      {error === null ? null : <ErrorState error={error} />}
    </form>
  )
}
