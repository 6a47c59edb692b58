import { type FormEvent, type ReactNode, useEffect, useState } from 'react'
import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { useKeys } from '../../stores/context.tsx'
import { AmountField, Button, ErrorState } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'
import { checkLimits, type TypedLimits, typedLimits } from './limits.ts'

export function LimitsForm({ apiKey, name }: { apiKey: ApiKey; name: string }) {
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
      aria-label={`Limits of ${name}`}
      onSubmit={(event) => void save(event)}
      noValidate
    >
      <AmountField
        label="Per request"
        hint="A dearer one is refused"
        value={typed.request}
        problem={problems.request ?? null}
        onChange={(request) => type({ request })}
      />
      <AmountField
        label="Within an hour"
        value={typed.hour}
        problem={problems.hour ?? null}
        onChange={(hour) => type({ hour })}
      />
      <AmountField
        label="Ever"
        value={typed.lifetime}
        problem={problems.lifetime ?? null}
        onChange={(lifetime) => type({ lifetime })}
      />
      <Optional on={typed.asks} label="Ask me first" onChange={(asks) => type({ asks })}>
        <AmountField
          label="Ask me above"
          hint="Below the limit per request"
          value={typed.threshold}
          problem={problems.threshold ?? null}
          onChange={(threshold) => type({ threshold })}
        />
      </Optional>
      <Optional
        on={typed.counts}
        label="Stop it when it asks too often"
        onChange={(counts) => type({ counts })}
      >
        <AmountField
          label="Requests per minute"
          unit="at most"
          value={typed.attempts}
          problem={problems.attempts ?? null}
          onChange={(attempts) => type({ attempts })}
        />
      </Optional>
      <div className="limits__save">
        <Button type="submit" look={ready ? 'accent' : 'quiet'} busy={running !== null} disabled={!ready}>
          Save the limits
        </Button>
        <p role="status" className="limits__saved">
          {saved && !changed ? 'Saved. They hold from the next request on.' : null}
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
