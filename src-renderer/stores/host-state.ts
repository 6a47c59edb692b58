import type { HostStatus } from '../../src-preload/contract/index.ts'
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
      label: 'Offline',
      tone: 'bad',
      reason: 'This window cannot reach the host, so nobody can say here whether it earns.',
    }
  }
  if (status === null && loadError !== null) {
    return { label: 'Unknown', tone: 'warn', reason: 'The host could not say how it is doing.' }
  }
  if (status === null)
    return { label: 'Connecting', tone: 'warn', reason: 'Asking the host how it is doing.' }
  const { label, tone } = stateOf(status.state, status.jobs.running > 0)
  return { label, tone, reason: withoutPrefix(status.reason, label) }
}

function stateOf(state: HostStatus['state'], working: boolean): Omit<HostDescription, 'reason'> {
  switch (state) {
    case 'serving':
      return working ? { label: 'Earning', tone: 'earning' } : { label: 'Ready to earn', tone: 'ready' }
    case 'paused':
      return { label: 'Paused', tone: 'rest' }
    case 'draining':
      return { label: 'Pausing', tone: 'warn' }
    case 'starting':
      return { label: 'Starting', tone: 'warn' }
    case 'engine-down':
      return { label: 'Engine down', tone: 'bad' }
  }
}

/** The reason stands right under the label, so `Earning: answering requests.` need not say it again. */
function withoutPrefix(reason: string, label: string): string {
  const rest = reason.startsWith(`${label}: `) ? reason.slice(label.length + 2) : reason
  return rest.charAt(0).toUpperCase() + rest.slice(1)
}
