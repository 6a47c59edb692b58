import type { ApiKey, KeysView, keyProcedures } from '../../src-preload/contract/index.ts'
import type { SpendPolicy, TokenRecord } from '../economy/index.ts'
import { TiramiError } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { Access } from './access.ts'
import type { Handlers } from './handlers.ts'
import type { Safety } from './safety.ts'

const OPERATOR = 'window'
const DAY_SECS = 86_400

/** The keys that the owner gave to others, for the window. */
export function keyHandlers(ports: {
  access: Access
  safety: Safety
  ledger: Pick<Ledger, 'balance'>
}): Pick<Handlers, keyof typeof keyProcedures> {
  const { access, safety } = ports
  const view = (): KeysView => ({
    keys: access.list().map(([tokenHash, record]) => keyView(ports, tokenHash, record)),
  })
  const accountOf = (tokenHash: string): string => {
    const record = access.list().find(([hash]) => hash === tokenHash)?.[1]
    if (!record) throw keyUnknown()
    return access.consumerOf(tokenHash, record).publicKeyHex
  }
  return {
    'keys.list': async () => view(),
    'keys.issue': async ({ label, scope, days }) => {
      const { token } = await access.issue({ label, scope, ttlSecs: days === null ? 0 : days * DAY_SECS })
      return { ...view(), token }
    },
    'keys.revoke': async ({ tokenHash }) => {
      await access.revoke(tokenHash)
      return view()
    },
    'keys.limit': async ({ tokenHash, limits }) => {
      await safety.setPolicy(accountOf(tokenHash), policyOf(limits), OPERATOR)
      return view()
    },
    'keys.reset': async ({ tokenHash }) => {
      await safety.resetBreaker(accountOf(tokenHash), OPERATOR)
      return view()
    },
  }
}

function keyView(
  { access, safety, ledger }: Parameters<typeof keyHandlers>[0],
  tokenHash: string,
  record: TokenRecord,
): ApiKey {
  const { label, scope, createdAtMs, expiresAtMs, retiring } = record
  const nodeId = access.consumerOf(tokenHash, record).publicKeyHex
  const { contributedTrm, consumedTrm } = ledger.balance(nodeId)
  const gauges = safety.gauges(nodeId)
  const gauge = ({ used, limit, fullness }: { used: bigint; limit: bigint; fullness: number }) => {
    return { used: String(used), limit: String(limit), fullness }
  }
  return {
    tokenHash,
    ...{ label, scope, createdAtMs, expiresAtMs, retiring, nodeId },
    spentTrm: String(consumedTrm),
    balanceTrm: String(contributedTrm - consumedTrm),
    hourTrm: gauge(gauges.hourTrm),
    lifetimeTrm: gauge(gauges.lifetimeTrm),
    limits: {
      requestLimitTrm: String(gauges.requestLimitTrm),
      hourLimitTrm: String(gauges.hourTrm.limit),
      lifetimeLimitTrm: String(gauges.lifetimeTrm.limit),
      approvalThresholdTrm: gauges.approvalThresholdTrm === null ? null : String(gauges.approvalThresholdTrm),
      attemptsPerMinute: gauges.attemptsLastMinute.limit,
    },
    stopped: gauges.breaker && STOPPED[gauges.breaker.cause],
  }
}

const STOPPED = {
  errors: 'Stopped after too many failed answers in a row.',
  velocity: 'Stopped: it asked too often within a minute.',
} as const

function policyOf(limits: ApiKey['limits']): SpendPolicy {
  return {
    requestLimitTrm: BigInt(limits.requestLimitTrm),
    hourLimitTrm: BigInt(limits.hourLimitTrm),
    lifetimeLimitTrm: BigInt(limits.lifetimeLimitTrm),
    approvalThresholdTrm: limits.approvalThresholdTrm === null ? null : BigInt(limits.approvalThresholdTrm),
    attemptsPerMinute: limits.attemptsPerMinute,
  }
}

function keyUnknown(): TiramiError {
  return new TiramiError('KEY_UNKNOWN', 'There is no such key.', {
    nextStep: 'Look at the list again: it may have been revoked.',
    httpStatus: 404,
  })
}
