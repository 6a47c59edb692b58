import type {
  EarningDecision,
  EngineStatus,
  HostReasonCode,
  HostStatus,
  ReasonParams,
  SentinelView,
} from '../../src-preload/contract/index.ts'

export interface StateFacts {
  earning: Pick<EarningDecision, 'action' | 'code' | 'params' | 'sentence'>
  /** The host is shutting down. */
  stopping: boolean
  safeMode?: boolean
  runningJobs: number
  ledgerWritable: boolean
  /** Why everything was stopped; null while the kill switch is off. */
  killSwitch: string | null
  engine: EngineStatus
  sentinel: Pick<SentinelView, 'level' | 'reason' | 'nextStep'>
}

type HostState = Pick<HostStatus, 'state' | 'reason' | 'reasonCode' | 'reasonParams'>

function told(
  state: HostStatus['state'],
  reasonCode: HostReasonCode,
  reason: string,
  reasonParams: ReasonParams = {},
): HostState {
  return { state, reason, reasonCode, reasonParams }
}

/** The state that the owner sees, with one sentence why the host is, or is not, earning. */
export function hostState(facts: StateFacts): HostState {
  const { earning, killSwitch, sentinel } = facts
  if (facts.stopping)
    return told('draining', 'stopping', 'Shutting down: running answers are being finished.')
  if (facts.safeMode) {
    return told('paused', 'safe-mode', 'Safe mode: no model is loaded and nothing is served.')
  }
  if (killSwitch !== null) {
    const reason = `Not earning: the kill switch is on (${killSwitch}).`
    return told('engine-down', 'kill-switch', reason, { why: killSwitch })
  }
  if (!facts.ledgerWritable) {
    const reason = 'Not earning: the ledger could not be written. Check the disk, then restart the host.'
    return told('engine-down', 'ledger-unwritable', reason)
  }
  if (sentinel.level === 'red' && earning.code !== 'paused') {
    const reason = `Not earning: the sentinel is red. ${sentinel.reason} ${sentinel.nextStep ?? ''}`.trim()
    return told('engine-down', 'sentinel-red', reason, {
      why: sentinel.reason,
      nextStep: sentinel.nextStep ?? '',
    })
  }
  return earning.action === 'serve' ? engineState(facts) : resting(facts)
}

function resting({ earning: { action, code, params, sentence }, runningJobs }: StateFacts): HostState {
  if (code === 'finishing') return told('draining', code, sentence, params)
  if (code !== 'paused') return told(action === 'drain' ? 'draining' : 'resting', code, sentence, params)
  return runningJobs > 0
    ? told(
        'draining',
        'pausing',
        'Pausing: running answers are being finished, new ones are refused.',
        params,
      )
    : told('paused', code, 'Paused by you. The model’s memory is free; press Resume to earn again.', params)
}

function engineState({ engine, runningJobs }: StateFacts): HostState {
  switch (engine.state) {
    case 'ready':
      return runningJobs > 0
        ? told('serving', 'earning', 'Earning: answering requests now.', { jobs: runningJobs })
        : told('serving', 'ready', 'Ready to earn: waiting for requests.')
    case 'unloaded':
      return told('serving', 'ready-unloaded', 'Ready to earn: the model is loaded with the next request.')
    case 'starting':
      return told('starting', 'engine-starting', 'Loading the model; earning starts when it is ready.')
    case 'restarting':
      return told('engine-down', 'engine-restarting', whyRestarting(engine), errorParams(engine))
    default:
      return told(
        'engine-down',
        'engine-failed',
        engine.error
          ? `Not earning: ${engine.error.message} ${engine.error.nextStep}`
          : 'Not earning: the engine is not running.',
        errorParams(engine),
      )
  }
}

const errorParams = ({ error }: EngineStatus): ReasonParams =>
  error ? { error: error.code, why: error.message, nextStep: error.nextStep } : {}

/** Another server may be away without anything here having stopped. */
function whyRestarting({ error }: EngineStatus): string {
  if (error?.code.startsWith('UPSTREAM_')) return `Not earning: ${error.message} ${error.nextStep}`
  return 'The engine stopped unexpectedly and is being restarted.'
}
