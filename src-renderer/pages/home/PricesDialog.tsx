import { type FormEvent, type ReactNode, useEffect, useId, useState } from 'react'
import type { MoneyView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useMoney, useOwner } from '../../stores/context.tsx'
import { Button, Dialog, ErrorState } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

const CURRENCY = /^[A-Z]{3}$/
const SUBJECT = 'prices'

/** What the owner's prices are; they stand in `owner.yaml` and are no part of any booking. */
export function PricesDialog({ view, onClose }: { view: MoneyView; onClose: () => void }) {
  const { t } = useTranslation(['home', 'common'])
  const { running, error, blocked, run, forgive } = useSubject(useOwner, SUBJECT)
  const reload = useMoney((state) => state.load)
  const [currency, setCurrency] = useState(view.currency)
  const [perKwh, setPerKwh] = useState(textOf(view.perKwh))
  const [perTrm, setPerTrm] = useState(textOf(view.perTrm))
  const prices = { kwh: priceOf(perKwh), trm: priceOf(perTrm) }
  const valid = CURRENCY.test(currency) && prices.kwh !== 'invalid' && prices.trm !== 'invalid'

  // biome-ignore lint/correctness/useExhaustiveDependencies: only what failed before it was opened is forgiven
  useEffect(forgive, [])

  async function save(event: FormEvent) {
    event.preventDefault()
    if (!valid || blocked || prices.kwh === 'invalid' || prices.trm === 'invalid') return
    const changes = [
      { key: 'prices.currency', value: currency },
      { key: 'prices.per_kwh', value: prices.kwh },
      { key: 'prices.per_trm', value: prices.trm },
    ]
    if ((await run('console.set', { changes })) === null) return
    await reload()
    onClose()
  }

  return (
    <Dialog title={t('prices.title')} open onClose={onClose}>
      <form className="prices" onSubmit={(event) => void save(event)} noValidate>
        <p className="muted">{t('prices.about')}</p>
        <Field
          label={t('prices.currency')}
          hint={t('prices.currencyHint')}
          value={currency}
          problem={CURRENCY.test(currency) ? null : t('prices.invalidCurrency')}
          onChange={(text) => setCurrency(text.trim().toUpperCase())}
        />
        <Field
          label={t('prices.perKwh')}
          hint={t('prices.perKwhHint')}
          unit={currency}
          numeric
          value={perKwh}
          problem={prices.kwh === 'invalid' ? t('prices.invalid') : null}
          onChange={setPerKwh}
        />
        <Field
          label={t('prices.perTrm')}
          hint={t('prices.perTrmHint')}
          unit={currency}
          numeric
          value={perTrm}
          problem={prices.trm === 'invalid' ? t('prices.invalid') : null}
          onChange={setPerTrm}
        />
        {error === null ? null : <ErrorState error={error} />}
        <div className="prices__actions">
          <Button onClick={onClose}>{t('common:cancel')}</Button>
          <Button type="submit" look="accent" busy={running !== null} disabled={!valid || blocked}>
            {t('common:save')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const textOf = (price: number | null): string => (price === null ? '' : String(price))

/** Empty is no price; a comma may part the decimals. */
function priceOf(text: string): number | null | 'invalid' {
  const typed = text.trim().replace(',', '.')
  if (typed === '') return null
  return /^\d*\.?\d+(e-?\d{1,2})?$/i.test(typed) ? Number(typed) : 'invalid'
}

interface FieldProps {
  label: string
  hint: ReactNode
  unit?: string
  numeric?: boolean
  value: string
  problem: string | null
  onChange: (text: string) => void
}

function Field({ label, hint, unit, numeric = false, value, problem, onChange }: FieldProps) {
  const id = useId()
  return (
    <div className="amount">
      <label htmlFor={id}>{label}</label>
      <span className="amount__line">
        <input
          id={id}
          className="field figures"
          type="text"
          inputMode={numeric ? 'decimal' : 'text'}
          autoComplete="off"
          maxLength={24}
          value={value}
          aria-invalid={problem !== null}
          aria-describedby={`${id}-hint ${id}-problem`}
          onChange={(event) => onChange(event.target.value)}
        />
        {unit === undefined ? null : <span>{unit}</span>}
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
