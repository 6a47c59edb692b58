import { policyOf } from '../../src-main/earning/index.ts'
import {
  type EarningPolicyChange,
  type EarningView,
  OwnerValues,
  type ProcedureInput,
  type ProcedureName,
  type ProcedureOutput,
} from '../../src-preload/contract/index.ts'

type Handlers<P extends ProcedureName> = { [N in P]: (input: ProcedureInput<N>) => ProcedureOutput<N> }

const HOUR_MS = 3_600_000

export function sampleEarningView(change: Partial<EarningView> = {}): EarningView {
  return {
    mode: 'schedule',
    modeWhenResumed: 'schedule',
    decision: {
      action: 'stop',
      unloadModel: true,
      code: 'schedule-closed',
      params: {},
      sentence: 'Not earning: it is outside your hours.',
      nextChangeAtMs: Date.now() + 3 * HOUR_MS,
      sinceMs: Date.now() - 9 * HOUR_MS,
    },
    ownUseNow: true,
    keepAwakeNow: false,
    keepAwakeProblem: null,
    snooze: null,
    finishing: false,
    schedule: { timeZone: 'Europe/Berlin', openNow: false, nextChangeAtMs: Date.now() + 3 * HOUR_MS },
    rules: [],
    sensors: [],
    policy: {
      ...policyOf(OwnerValues.parse({})),
      mode: 'schedule',
      schedule: {
        ...policyOf(OwnerValues.parse({})).schedule,
        wednesday: [
          { from: '00:00', to: '06:30' },
          { from: '12:00', to: '13:00' },
          { from: '20:00', to: '24:00' },
        ],
        saturday: [{ from: '00:00', to: '24:00' }],
        sunday: [],
      },
    },
    currency: 'EUR',
    ...change,
  }
}

type Earning = Extract<ProcedureName, `earning.${string}`>

export function fakeEarning(first: EarningView): Handlers<Earning> {
  let view = first
  const put = (change: Partial<EarningView>) => {
    view = { ...view, ...change }
    return view
  }
  const setPolicy = ({ schedule, ...values }: EarningPolicyChange) => {
    const policy = { ...view.policy, ...values, schedule: { ...view.policy.schedule, ...schedule } }
    return put({ policy: policy as EarningView['policy'] })
  }
  return {
    'earning.get': () => view,
    'earning.setMode': ({ mode }) => put({ mode }),
    'earning.pause': () => put({ mode: 'paused' }),
    'earning.resume': () => put({ mode: view.modeWhenResumed, snooze: null, finishing: false }),
    'earning.snooze': () => put({ snooze: { untilMs: Date.now() + HOUR_MS } }),
    'earning.wake': () => put({ snooze: null }),
    'earning.finish': () => put({ finishing: true }),
    'earning.setPolicy': setPolicy,
  }
}
