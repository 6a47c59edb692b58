import type { ApiKey } from '../../../src-preload/contract/index.ts'
import { groupDigits, parseTypedAmount } from '../../format/index.ts'
import { i18n } from '../../i18n/index.ts'

export type Limits = ApiKey['limits']

/** The limits as they stand in the form. */
export interface TypedLimits {
  request: string
  hour: string
  lifetime: string
  asks: boolean
  threshold: string
  counts: boolean
  attempts: string
}

export type LimitField = 'request' | 'hour' | 'lifetime' | 'threshold' | 'attempts'

const ATTEMPTS_MAX = 6_000
const PROPOSED_ATTEMPTS = '30'

export function typedLimits(limits: Limits): TypedLimits {
  const { requestLimitTrm, approvalThresholdTrm, attemptsPerMinute } = limits
  return {
    request: groupDigits(requestLimitTrm),
    hour: groupDigits(limits.hourLimitTrm),
    lifetime: groupDigits(limits.lifetimeLimitTrm),
    asks: approvalThresholdTrm !== null,
    threshold: groupDigits(approvalThresholdTrm ?? (BigInt(requestLimitTrm) / 2n).toString()),
    counts: attemptsPerMinute !== null,
    attempts: attemptsPerMinute === null ? PROPOSED_ATTEMPTS : groupDigits(attemptsPerMinute),
  }
}

export type CheckedLimits =
  | { limits: Limits; problems: Partial<Record<LimitField, string>> }
  | { limits: null; problems: Partial<Record<LimitField, string>> }

/** Limits that the host takes, or what is wrong by field. */
export function checkLimits(typed: TypedLimits): CheckedLimits {
  const request = parseTypedAmount(typed.request, 0n)
  const hour = parseTypedAmount(typed.hour, 0n)
  const lifetime = parseTypedAmount(typed.lifetime, 0n)
  const threshold = typed.asks ? askingThreshold(typed.threshold, request.amountTrm) : nothingTyped
  const attempts = typed.counts ? attemptsOf(typed.attempts) : { value: null, problem: null }
  const problems = present({
    request: request.problem,
    hour: hour.problem,
    lifetime: lifetime.problem,
    threshold: threshold.problem,
    attempts: attempts.problem,
  })
  if (
    request.amountTrm === null ||
    hour.amountTrm === null ||
    lifetime.amountTrm === null ||
    Object.keys(problems).length > 0
  ) {
    return { limits: null, problems }
  }
  return {
    limits: {
      requestLimitTrm: request.amountTrm,
      hourLimitTrm: hour.amountTrm,
      lifetimeLimitTrm: lifetime.amountTrm,
      approvalThresholdTrm: threshold.value,
      attemptsPerMinute: attempts.value,
    },
    problems,
  }
}

const nothingTyped = { value: null, problem: null }

function askingThreshold(text: string, requestLimitTrm: string | null) {
  const { amountTrm, problem } = parseTypedAmount(text, 0n)
  if (amountTrm === null) return { value: null, problem }
  if (requestLimitTrm !== null && BigInt(amountTrm) >= BigInt(requestLimitTrm)) {
    return { value: null, problem: i18n.t('keys:form.thresholdProblem') }
  }
  return { value: amountTrm, problem: null }
}

function attemptsOf(text: string) {
  const { amountTrm } = parseTypedAmount(text, 0n)
  if (amountTrm === null || BigInt(amountTrm) > BigInt(ATTEMPTS_MAX)) {
    return { value: null, problem: i18n.t('keys:form.attemptsProblem', { most: groupDigits(ATTEMPTS_MAX) }) }
  }
  return { value: Number(amountTrm), problem: null }
}

function present(problems: Record<LimitField, string | null>): Partial<Record<LimitField, string>> {
  return Object.fromEntries(Object.entries(problems).filter(([, problem]) => problem !== null))
}
