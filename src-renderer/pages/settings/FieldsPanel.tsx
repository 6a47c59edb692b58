import type { OwnerField, OwnerFileProblem, ThermostatView } from '../../../src-preload/contract/index.ts'
import { hostWords, i18n, useTranslation } from '../../i18n/index.ts'
import { useConnection, useOwner } from '../../stores/context.tsx'
import { Card, ErrorState, Notice } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { FieldRow } from './FieldRow.tsx'
import { fieldsOf, type GroupName } from './fields.ts'

/** Values of the owner's file that belong together, each with its own control. */
export function FieldsPanel({ id }: { id: GroupName }) {
  const { t } = useTranslation('settings')
  const view = useOwner((state) => state.view)
  const fields = view === null ? [] : fieldsOf(id, view.fields)
  if (view !== null && fields.length === 0) return null
  return (
    <Card id={`settings-${id}`} title={t(`groups.${id}.title`)}>
      <p className="muted hint">{t(`groups.${id}.text`)}</p>
      <OwnerPending>
        {id === 'depth' && view !== null ? <DepthNow thermostat={view.thermostat} /> : null}
        <Fields fields={fields} />
      </OwnerPending>
    </Card>
  )
}

/** How deep the host thinks now, and why. */
function DepthNow({ thermostat }: { thermostat: ThermostatView }) {
  const { t } = useTranslation('settings')
  const { innerCycles, outerSteps, haltThreshold, concurrency } = thermostat
  return (
    <p className="hint">
      <strong>{t('depthNow', { innerCycles, outerSteps, haltThreshold, concurrency })}</strong>{' '}
      {thermostatWords(thermostat)}
    </p>
  )
}

/** “Inner cycles 5 → 6: over 20 jobs …” */
function thermostatWords({ code, params, changes, sentence }: ThermostatView): string {
  if (code === null) return sentence
  const moves = changes.map(({ knob, from, to }) =>
    i18n.t('settings:knobChange', { knob: i18n.t(`settings:knobs.${knob}`), from, to }),
  )
  const why = hostWords(`thermostat.${code}`, '', params)
  return why === '' ? sentence : [...moves, why].join(i18n.t('settings:knobBetween'))
}

function faultWords({ code, params, reason }: OwnerFileProblem): string {
  // What the parser says of the text itself is not translated.
  return hostWords(`ownerFile.${code}`, reason, params)
}

export function Fields({ fields }: { fields: readonly OwnerField[] }) {
  const currency = useOwner((state) => state.view?.values.prices.currency ?? '')
  return (
    <div className="fields">
      {fields.map((field) => (
        <FieldRow key={field.key} field={field} currency={currency} />
      ))}
    </div>
  )
}

/** Nothing can be changed while the file has a fault, and nothing is shown before it was read. */
export function OwnerPending({ children }: { children: React.ReactNode }) {
  const { t } = useTranslation('settings')
  const view = useOwner((state) => state.view)
  const loadError = useOwner((state) => state.loadError)
  const load = useOwner((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')
  if (view === null) return <Pending what={t('what')} error={loadError} onRetry={() => void load()} />
  return (
    <>
      {loadError === null || offline ? null : <ErrorState error={loadError} onRetry={() => void load()} />}
      {view.problem === null ? null : (
        <Notice title={t('file.problem')}>
          {view.problem.line === null ? '' : `${t('file.line', { line: view.problem.line })} `}
          {faultWords(view.problem)} {t('file.lastGood')}
        </Notice>
      )}
      {children}
    </>
  )
}
