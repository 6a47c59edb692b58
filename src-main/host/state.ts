import type { EngineStatus, HostStatus, SentinelView } from '../../src-preload/contract/index.ts'

export interface StateFacts {
  paused: boolean
  /** The host is shutting down. */
  stopping: boolean
  runningJobs: number
  ledgerWritable: boolean
  /** Why everything was stopped; null while the kill switch is off. */
  killSwitch: string | null
  engine: EngineStatus
  sentinel: Pick<SentinelView, 'level' | 'reason' | 'nextStep'>
}

/** The state that the owner sees, with one sentence why the host is, or is not, earning. */
export function hostState(facts: StateFacts): Pick<HostStatus, 'state' | 'reason'> {
  const { engine } = facts
  if (facts.stopping)
    return { state: 'draining', reason: 'Shutting down: running answers are being finished.' }
  if (facts.killSwitch !== null) {
    return { state: 'engine-down', reason: `Not earning: the kill switch is on (${facts.killSwitch}).` }
  }
  if (!facts.ledgerWritable) {
    return {
      state: 'engine-down',
      reason: 'Not earning: the ledger could not be written. Check the disk, then restart the host.',
    }
  }
  if (facts.sentinel.level === 'red' && !facts.paused) {
    const { reason, nextStep } = facts.sentinel
    return {
      state: 'engine-down',
      reason: `Not earning: the sentinel is red. ${reason} ${nextStep ?? ''}`.trim(),
    }
  }
  if (facts.paused) {
    return facts.runningJobs > 0
      ? { state: 'draining', reason: 'Pausing: running answers are being finished, new ones are refused.' }
      : { state: 'paused', reason: 'Paused by you. The model’s memory is free; press Resume to earn again.' }
  }
  switch (engine.state) {
    case 'ready':
      return facts.runningJobs > 0
        ? { state: 'serving', reason: 'Earning: answering requests now.' }
        : { state: 'serving', reason: 'Ready to earn: waiting for requests.' }
    case 'unloaded':
      return { state: 'serving', reason: 'Ready to earn: the model is loaded with the next request.' }
    case 'starting':
      return { state: 'starting', reason: 'Loading the model; earning starts when it is ready.' }
    case 'restarting':
      return { state: 'engine-down', reason: whyRestarting(engine) }
    default:
      return {
        state: 'engine-down',
        reason: engine.error
          ? `Not earning: ${engine.error.message} ${engine.error.nextStep}`
          : 'Not earning: the engine is not running.',
      }
  }
}

/** Another server may be away without anything here having stopped. */
function whyRestarting({ error }: EngineStatus): string {
  if (error?.code.startsWith('UPSTREAM_')) return `Not earning: ${error.message} ${error.nextStep}`
  return 'The engine stopped unexpectedly and is being restarted.'
}
