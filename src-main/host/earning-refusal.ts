import type { EarningDecision, ReasonParams } from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'

/** Work is refused because of the owner's word or rules. */
export class NotEarningError extends TiramiError {
  /** For `Retry-After`; null where nobody can know. */
  readonly retryAfterSeconds: number | null

  constructor(
    code: string,
    message: string,
    nextStep: string,
    retryAfterSeconds: number | null,
    params: ReasonParams = {},
  ) {
    super(code, message, { nextStep, params, httpStatus: 503 })
    this.retryAfterSeconds = retryAfterSeconds
  }
}

const RETRY_AFTER_SECONDS_MAX = 7 * 86_400

/**
 * What a caller is told. A guest learns when to come back, and nothing of what the owner is doing: that he plays, is
 * away or runs on battery is nobody's business. The owner's own keys get the whole sentence.
 */
export function notEarning(decision: EarningDecision, ownKey: boolean, nowMs: number): NotEarningError {
  const { code, params, sentence, nextChangeAtMs } = decision
  const seconds = nextChangeAtMs === null ? null : Math.ceil((nextChangeAtMs - nowMs) / 1000)
  const retry = seconds === null ? null : Math.min(Math.max(seconds, 1), RETRY_AFTER_SECONDS_MAX)
  const again = retry === null ? 'Ask again later.' : `Ask again in ${retry} s.`
  if (code === 'paused') {
    return new NotEarningError(
      'HOST_PAUSED',
      'The owner has paused this host.',
      'Resume it in the window, or ask again later.',
      null,
    )
  }
  if (ownKey) {
    const name = `EARNING_${code.toUpperCase().replaceAll('-', '_')}`
    const nextStep = 'Change the rule in the window, or ask again later.'
    return new NotEarningError(name, sentence, nextStep, retry, params)
  }
  if (code === 'schedule-closed' || code === 'schedule-empty')
    return new NotEarningError('HOST_OUT_OF_HOURS', 'This host is outside its hours.', again, retry)
  if (code === 'snoozed' || code === 'finishing')
    return new NotEarningError('HOST_PAUSED', 'The owner has paused this host for a while.', again, retry)
  return new NotEarningError('HOST_NOT_EARNING', 'This host takes no work now.', again, null)
}
