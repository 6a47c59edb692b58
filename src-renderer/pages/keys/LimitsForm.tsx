import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useKeys } from '../../stores/context.tsx'
import { AmountField, Button, ErrorState } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'
import { checkLimits, type TypedLimits, typedLimits } from './limits.ts'

export function LimitsForm({ apiKey, name }: { apiKey: ApiKey; name: string }) {
  const { t } = useTranslation('keys')
  const { tokenHash, limits } = apiKey
  const [typed, setTyped] = useState(() => typedLimits(limits))
  const [saved, setSaved] = useState(false)
  const { blocked, running, error, run, forgive } = useSubject(useKeys, `limits ${tokenHash}`)
  const checked = checkLimits(typed)
  const changed = JSON.stringify(checked.limits) !== JSON.stringify(inOrder(limits))
  const ready = checked.limits !== null && changed && !blocked

  // What the host says goes before what was left in the form; a view that says the same changes nothing.
  const said = JSON.stringify(inOrder(limits))
  useEffect(() => setTyped(typedLimits(JSON.parse(said) as ApiKey['limits'])), [said])

  function type(change: Partial<TypedLimits>) {
    setTyped((before) => ({ ...before, ...change }))
    setSaved(false)
    forgive()
  }

  async function save(event: FormEvent) {
    event.preventDefault()
    if (!ready || checked.limits === null) return
    setSaved((await run('keys.limit', { tokenHash, limits: checked.limits })) !== null)
  }

  const { problems } = checked
  return (
    <form
      className="limits"
      aria-label={t('limitsOf', { name })}
      onSubmit={(event) => void save(event)}
      noValidate
    >
      <AmountField
        label={t('form.request')}
        hint={t('form.requestHint')}
        value={typed.request}
        problem={problems.request ?? null}
        onChange={(request) => type({ request })}
      />
      <AmountField
        label={t('hour')}
        value={typed.hour}
        problem={problems.hour ?? null}
        onChange={(hour) => type({ hour })}
      />
      <AmountField
        label={t('ever')}
        value={typed.lifetime}
        problem={problems.lifetime ?? null}
        onChange={(lifetime) => type({ lifetime })}
      />
      <Optional on={typed.asks} label={t('form.ask')} onChange={(asks) => type({ asks })}>
        <AmountField
          label={t('form.askAbove')}
          hint={t('form.askHint')}
          value={typed.threshold}
          problem={problems.threshold ?? null}
          onChange={(threshold) => type({ threshold })}
        />
      </Optional>
      <Optional on={typed.counts} label={t('form.often')} onChange={(counts) => type({ counts })}>
        <AmountField
          label={t('form.perMinute')}
          unit={t('form.atMost')}
          value={typed.attempts}
          problem={problems.attempts ?? null}
          onChange={(attempts) => type({ attempts })}
        />
      </Optional>
      <div className="limits__save">
        <Button type="submit" look={ready ? 'accent' : 'quiet'} busy={running !== null} disabled={!ready}>
          {t('form.save')}
        </Button>
        <p role="status" className="limits__saved">
          {saved && !changed ? t('form.saved') : null}
        </p>
      </div>
      {error === null ? null : <ErrorState error={error} />}
    </form>
  )
}

/** The order of the form, so that two can be compared. */
const inOrder = (limits: ApiKey['limits']): ApiKey['limits'] => ({
  requestLimitTrm: limits.requestLimitTrm,
  hourLimitTrm: limits.hourLimitTrm,
  lifetimeLimitTrm: limits.lifetimeLimitTrm,
  approvalThresholdTrm: limits.approvalThresholdTrm,
  attemptsPerMinute: limits.attemptsPerMinute,
})

interface OptionalProps {
  on: boolean
  label: string
  onChange: (on: boolean) => void
  children: ReactNode
}

function Optional({ on, label, onChange, children }: OptionalProps) {
  return (
    <div className="limits__optional">
      <label className="limits__check">
        <input type="checkbox" checked={on} onChange={(event) => onChange(event.target.checked)} />
        {label}
      </label>
      {on ? children : null}
    </div>
  )
}
