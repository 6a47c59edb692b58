import { type FormEvent, type ReactNode, useEffect, useId, useState } from 'react'
import type { OwnerField } from '../../../src-preload/contract/index.ts'
import { formatDuration, formatMemory, formatNumber, formatPercent } from '../../format/index.ts'
import { hostWords, useTranslation } from '../../i18n/index.ts'
import { useOwner } from '../../stores/context.tsx'
import { Button, ErrorState, OptionalNumber, Switch } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'
import { proposalOf, unitOf } from './fields.ts'
import { inputTime } from './schedule.ts'

const NUMBER_MAX = 1e12
const BOUND_WORTH_SAYING = 100_000

/** One value of `owner.yaml`: its name, what it means, and the control that fits it. */
export function FieldRow({ field, currency }: { field: OwnerField; currency: string }) {
  const { key, type, nullable, value } = field
  const { t } = useTranslation('settings')
  const { blocked, offline, running, error, run } = useSubject(useOwner, key)
  const set = (next: OwnerField['value']) => void run('console.set', { changes: [{ key, value: next }] })
  const label = t(`names.${key}` as NameKey, { defaultValue: readable(key) })
  const hint = <FieldHint field={field} currency={currency} />
  if (type === 'boolean') {
    return (
      <div className="field-row">
        <Switch label={label} hint={hint} on={value === true} disabled={blocked} onChange={set} />
        {error === null ? null : <ErrorState error={error} />}
      </div>
    )
  }
  if (type !== 'text' && nullable) {
    return (
      <OptionalNumber
        label={label}
        hint={hint}
        none={t(`unset.${key}` as UnsetKey, { defaultValue: t('field.none') })}
        some={t('field.some')}
        unit={unitOf(key, currency)}
        min={field.minimum ?? -NUMBER_MAX}
        max={field.maximum ?? NUMBER_MAX}
        step={stepOf(field)}
        proposal={proposalOf(field)}
        value={typeof value === 'number' ? value : null}
        busy={running !== null}
        disabled={offline}
        error={error}
        onSave={set}
      />
    )
  }
  return (
    <TextSetting label={label} field={field} unit={unitOf(key, currency)} hint={hint} onSave={set}>
      {error === null ? null : <ErrorState error={error} />}
    </TextSetting>
  )
}

function FieldHint({ field, currency }: { field: OwnerField; currency: string }) {
  const { t } = useTranslation('settings')
  const { key, about, minimum, maximum, fallback, type } = field
  const shown = (number: number) => figureOf(key, number, currency)
  const bounds =
    // A bound that nobody comes near says nothing.
    minimum === null || maximum === null || maximum > BOUND_WORTH_SAYING || type === 'text'
      ? ''
      : t('field.bounds', { min: shown(minimum), max: shown(maximum) })
  const usual =
    typeof fallback === 'number'
      ? t('field.usual', { value: shown(fallback) })
      : typeof fallback === 'string' && fallback !== ''
        ? t('field.usual', { value: fallback })
        : ''
  return (
    <>
      {hostWords(`fields.${key}.about`, about)} {bounds} {usual} <code className="field-key">{key}</code>
    </>
  )
}

/** A figure as people say it: 600 s are ten minutes. It stays with its unit at the end of a line. */
const figureOf = (key: string, figure: number, currency: string): string =>
  figureWords(key, figure, currency).replaceAll(' ', '\u00a0')

function figureWords(key: string, figure: number, currency: string): string {
  if (key.endsWith('_seconds') && figure > 0) return formatDuration(figure * 1_000)
  if (key.endsWith('_ms')) return formatDuration(figure)
  if (key.endsWith('_bytes')) return formatMemory(figure)
  if (key.endsWith('_percent')) return formatPercent(figure / 100)
  return `${formatNumber(figure, { maximumFractionDigits: 10 })} ${unitOf(key, currency)}`.trim()
}

interface TextSettingProps {
  label: string
  field: OwnerField
  unit: string
  hint: ReactNode
  onSave: (value: OwnerField['value']) => void
  children: ReactNode
}

/** A value that is typed, number or text; saved on request only. Nothing typed takes an optional one away. */
function TextSetting({ label, field, unit, hint, onSave, children }: TextSettingProps) {
  const { t } = useTranslation(['settings', 'common'])
  const { key, type, nullable, value, minimum, maximum } = field
  const { blocked, running, forgive } = useSubject(useOwner, key)
  const isTime = key === 'earning.morning_at'
  const said = value === null ? '' : isTime ? inputTime(String(value)) : String(value)
  const [text, setText] = useState(said)
  const id = useId()

  // What the host says goes before what was left in the form.
  useEffect(() => setText(said), [said])

  const isNumber = type !== 'text'
  const number = Number(text)
  const valid = isNumber
    ? text.trim() !== '' &&
      number >= (minimum ?? -NUMBER_MAX) &&
      number <= (maximum ?? NUMBER_MAX) &&
      (type === 'number' || Number.isInteger(number))
    : !isTime || text !== ''
  const changed = text !== said

  function save(event: FormEvent) {
    event.preventDefault()
    if (!valid || !changed || blocked) return
    if (isNumber) onSave(number)
    else onSave(nullable && text.trim() === '' ? null : text.trim())
  }

  return (
    <form className="setting" onSubmit={save} noValidate>
      <label className="setting__label" htmlFor={id}>
        {label}
      </label>
      <div className="setting__fields">
        <span className={isNumber || isTime ? 'setting__number' : 'setting__text'}>
          <input
            id={id}
            className="field"
            type={isNumber ? 'number' : isTime ? 'time' : 'text'}
            placeholder={value === null ? t(`unset.${key}` as UnsetKey, { defaultValue: '' }) : undefined}
            {...(isNumber
              ? { min: minimum ?? undefined, max: maximum ?? undefined, step: stepOf(field) }
              : {})}
            autoComplete="off"
            value={text}
            aria-invalid={!valid}
            aria-describedby={`${id}-hint`}
            onChange={({ target }) => {
              setText(target.value)
              forgive()
            }}
          />
          {unit === '' ? null : <span aria-hidden="true">{unit}</span>}
        </span>
        <Button
          type="submit"
          look={changed && valid ? 'accent' : 'quiet'}
          busy={running !== null}
          disabled={blocked || !changed || !valid}
          aria-label={t('field.saveOf', { name: label })}
        >
          {t('common:save')}
        </Button>
      </div>
      {valid ? null : (
        <p className="setting__invalid" role="alert">
          {minimum === null || maximum === null
            ? t('field.number')
            : t('common:numberInRange', { min: minimum, max: maximum })}
        </p>
      )}
      <p className="setting__hint" id={`${id}-hint`}>
        {hint}
      </p>
      {children}
    </form>
  )
}

const stepOf = ({ type, maximum }: OwnerField): number | 'any' =>
  type === 'integer' ? 1 : maximum !== null && maximum <= 1 ? 0.05 : 'any'

/** The names that this window has; a newer host may have more values. */
type NameKey = 'names.prices.currency'
type UnsetKey = 'unset.prices.per_kwh'

/** `sentinel.max_latency_ms` → `Max latency ms`. */
function readable(key: string): string {
  const name = (key.split('.')[1] ?? key).replaceAll('_', ' ')
  return name.charAt(0).toUpperCase() + name.slice(1)
}
