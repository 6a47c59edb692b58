import type { CallerSafety, SafetyView, safetyProcedures } from '../../src-preload/contract/index.ts'
import type { SafetyGauges } from '../economy/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { Access } from './access.ts'
import type { Handlers } from './handlers.ts'
import type { HostKeys } from './keys.ts'
import type { Safety } from './safety.ts'

const OPERATOR = 'window'

/** What guards this host's callers, and how near each is to a limit, for the window. */
export function safetyHandlers(ports: {
  safety: Safety
  access: Access
  keys: Pick<HostKeys, 'windowConsumer' | 'localConsumer'>
  clock: Clock
}): Pick<Handlers, keyof typeof safetyProcedures> {
  const { safety } = ports
  return {
    'safety.get': async () => safetyView(ports),
    'safety.reset': async ({ nodeId }) => {
      await safety.resetBreaker(nodeId, OPERATOR)
      return safetyView(ports)
    },
    'safety.acceptClock': async () => {
      await safety.acceptClock(OPERATOR)
      return safetyView(ports)
    },
  }
}

function safetyView({ safety, access, keys, clock }: Parameters<typeof safetyHandlers>[0]): SafetyView {
  const nowMs = Math.max(0, Math.floor(clock.nowMs()))
  const guests = access.list().map(([tokenHash, record]) => {
    const { publicKeyHex } = access.consumerOf(tokenHash, record)
    return { nodeId: publicKeyHex, label: record.label, kind: 'guest' as const }
  })
  const own = [
    { nodeId: keys.localConsumer.publicKeyHex, label: '', kind: 'local' as const },
    { nodeId: keys.windowConsumer.publicKeyHex, label: '', kind: 'window' as const },
  ]
  // A key that replaces another spends from the same account.
  const accounts = [...new Map([...own, ...guests].map((caller) => [caller.nodeId, caller])).values()]
  const { killSwitch, clockBehindMs } = safety.gauges(keys.windowConsumer.publicKeyHex)
  return {
    killSwitch,
    clockBehindMs: Math.max(0, Math.floor(clockBehindMs)),
    callers: accounts.map((caller) => ({ ...caller, ...callerView(safety.gauges(caller.nodeId), nowMs) })),
  }
}

function callerView(gauges: SafetyGauges, nowMs: number): Omit<CallerSafety, 'nodeId' | 'label' | 'kind'> {
  const { breaker, attemptsLastMinute, consecutiveErrors, approvalThresholdTrm } = gauges
  return {
    hourTrm: trmGauge(gauges.hourTrm),
    lifetimeTrm: trmGauge(gauges.lifetimeTrm),
    heldTrm: String(gauges.heldTrm),
    requestLimitTrm: String(gauges.requestLimitTrm),
    approvalThresholdTrm: approvalThresholdTrm === null ? null : String(approvalThresholdTrm),
    attempts: { used: attemptsLastMinute.used, limit: attemptsLastMinute.limit },
    errors: { used: consecutiveErrors.used, limit: consecutiveErrors.limit },
    breaker: breaker && {
      cause: breaker.cause,
      trippedAtMs: breaker.trippedAtMs,
      resetsAtMs: nowMs + Math.max(0, Math.ceil(breaker.resetsInMs)),
    },
  }
}

const trmGauge = ({ used, limit, fullness }: SafetyGauges['hourTrm']) => {
  return { used: String(used), limit: String(limit), fullness }
}
