import type { HostStatus } from '../../src-preload/contract/index.ts'
import { hostWords, i18n } from '../i18n/index.ts'
import type { ConnectionState } from './connection.ts'
import type { StatusState } from './status.ts'

export interface HostDescription {
  label: string
  tone: 'earning' | 'ready' | 'rest' | 'warn' | 'bad'
  /** One sentence: why the host is in this state. */
  reason: string
}

/** The host's state in the owner's words. A state that is not known to be true now is not shown as if it were. */
export function describeHost(
  phase: ConnectionState['phase'],
  { status, loadError }: Pick<StatusState, 'status' | 'loadError'>,
): HostDescription {
  if (phase === 'offline') {
    return {
      label: i18n.t('shell:state.offline.label'),
      tone: 'bad',
      reason: i18n.t('shell:state.offline.reason'),
    }
  }
  if (status === null && loadError !== null) {
    return {
      label: i18n.t('shell:state.unknown.label'),
      tone: 'warn',
      reason: i18n.t('shell:state.unknown.reason'),
    }
  }
  if (status === null) {
    return {
      label: i18n.t('shell:state.connecting.label'),
      tone: 'warn',
      reason: i18n.t('shell:state.connecting.reason'),
    }
  }
  const { label, tone } = stateOf(status.state, status.jobs.running > 0)
  const reason = hostWords(`earning.${status.reasonCode}`, status.reason, status.reasonParams)
  return { label, tone, reason: withoutPrefix(reason, label) }
}

const tones = {
  earning: 'earning',
  ready: 'ready',
  resting: 'rest',
  paused: 'rest',
  draining: 'warn',
  starting: 'warn',
  'engine-down': 'bad',
} as const

function stateOf(state: HostStatus['state'], working: boolean): Omit<HostDescription, 'reason'> {
  const shown = state === 'serving' ? (working ? 'earning' : 'ready') : state
  return { label: i18n.t(`shell:state.${shown}.label`), tone: tones[shown] }
}

/** The reason stands right under the label, so `Earning: answering requests.` need not say it again. */
function withoutPrefix(reason: string, label: string): string {
  const rest = reason.replace(new RegExp(`^${label}(?:: |：)`), '')
  return rest.charAt(0).toUpperCase() + rest.slice(1)
}
