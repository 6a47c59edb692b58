import type { z } from 'zod'
import { TiramiError } from '../kernel/index.ts'
import { BREAKER_RESET_MS } from './safety-policy.ts'

const RESET_MINUTES = BREAKER_RESET_MS / 60_000

export function killSwitchActive(reason: string): TiramiError {
  return new TiramiError('KILL_SWITCH_ACTIVE', `The kill switch is on: ${reason}. Nothing is spent.`, {
    nextStep: 'The owner turns it off under Safety.',
    httpStatus: 503,
  })
}

export function requestLimitExceeded(amountTrm: bigint, limitTrm: bigint): TiramiError {
  return new TiramiError(
    'REQUEST_LIMIT_EXCEEDED',
    `The request could cost ${amountTrm} TRM; this key may spend ${limitTrm} TRM per request.`,
    { nextStep: 'Ask for a shorter answer, or let the owner raise the limit.', httpStatus: 403 },
  )
}

export function breakerTripped(resetsInMs: number): TiramiError {
  return new TiramiError('CIRCUIT_BREAKER_TRIPPED', 'This key was stopped for its own safety.', {
    nextStep: `Try again in ${Math.ceil(resetsInMs / 1000)} seconds, or let the owner reset it.`,
    httpStatus: 429,
  })
}

export function hourLimitExceeded(usedTrm: bigint, limitTrm: bigint): TiramiError {
  return new TiramiError(
    'HOURLY_LIMIT_EXCEEDED',
    `This key has spent or reserved ${usedTrm} of the ${limitTrm} TRM that it may spend in an hour.`,
    { nextStep: 'Try again later, or let the owner raise the limit.', httpStatus: 429 },
  )
}

export function lifetimeLimitReached(usedTrm: bigint, limitTrm: bigint): TiramiError {
  return new TiramiError(
    'LIFETIME_CAP_REACHED',
    `This key has spent or reserved ${usedTrm} of the ${limitTrm} TRM that it may ever spend.`,
    { nextStep: 'Let the owner raise the limit.', httpStatus: 403 },
  )
}

export function velocityAnomaly(attemptsPerMinute: number): TiramiError {
  return new TiramiError(
    'VELOCITY_ANOMALY',
    `This key tried to spend more than ${attemptsPerMinute} times within a minute and was stopped.`,
    { nextStep: `Try again in ${RESET_MINUTES} minutes, or let the owner reset it.`, httpStatus: 429 },
  )
}

export function approvalRequired(approvalId: string, amountTrm: bigint, thresholdTrm: bigint): TiramiError {
  return new TiramiError(
    'APPROVAL_REQUIRED',
    `The request could cost ${amountTrm} TRM; above ${thresholdTrm} TRM the owner is asked first.`,
    { nextStep: `Send the same request again once the owner has approved ${approvalId}.`, httpStatus: 409 },
  )
}

export function approvalDenied(): TiramiError {
  return new TiramiError('APPROVAL_DENIED', 'The owner has refused this spend.', {
    nextStep: 'Ask for a shorter answer.',
    httpStatus: 403,
  })
}

/** One answer for unknown, used, expired and another caller's: what others were allowed is not told. */
export function approvalNotUsable(): TiramiError {
  return new TiramiError('APPROVAL_NOT_USABLE', 'This approval does not cover the request.', {
    nextStep: 'Send the request without an approval: the owner will be asked.',
    httpStatus: 403,
  })
}

export function approvalQueueFull(): TiramiError {
  return new TiramiError('APPROVAL_QUEUE_FULL', 'Too many questions already wait for the owner.', {
    nextStep: 'Wait until the owner has answered, or ask for a shorter answer.',
    httpStatus: 429,
  })
}

export function approvalNotPending(): TiramiError {
  return new TiramiError(
    'APPROVAL_NOT_PENDING',
    'This question was answered, has expired or never existed.',
    {
      nextStep: 'Reload the list of open questions.',
      httpStatus: 409,
    },
  )
}

export function holdsFull(): TiramiError {
  return new TiramiError('HOLDS_FULL', 'Too many jobs are under way.', {
    nextStep: 'Try again when some have ended.',
    httpStatus: 503,
  })
}

export function holdUnknown(): TiramiError {
  return new TiramiError('HOLD_UNKNOWN', 'The budget hold was used, released or never granted.', {
    nextStep: 'Start the job again.',
    httpStatus: 409,
  })
}

export function spendExceedsHold(actualTrm: bigint, heldTrm: bigint): TiramiError {
  return new TiramiError(
    'SPEND_EXCEEDS_HOLD',
    `The job would cost ${actualTrm} TRM, but only ${heldTrm} TRM were held for it.`,
    { nextStep: 'Charge at most what was held.', httpStatus: 409 },
  )
}

/** @param code of the room that refuses, such as `SAFETY_COMMAND_INVALID` */
export function commandInvalid(code: string, field: string, problem: string): TiramiError {
  return new TiramiError(code, `“${field}” is not valid: ${problem}.`, {
    nextStep: 'Correct it and try again.',
    httpStatus: 400,
  })
}

/** The event, if it would be readable on replay: what replay would refuse is refused now. */
export function checkedEvent<Schema extends z.ZodType>(
  schema: Schema,
  event: z.output<Schema>,
  code: string,
): z.output<Schema> {
  const result = schema.safeParse(event)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw commandInvalid(code, issue?.path.join('.') || 'command', issue?.message ?? 'wrong shape')
}

export function clockUnreadable(): TiramiError {
  return new TiramiError('CLOCK_UNREADABLE', 'The time cannot be read, so limits cannot be checked.', {
    nextStep: 'Set this computer’s clock.',
    httpStatus: 503,
  })
}
