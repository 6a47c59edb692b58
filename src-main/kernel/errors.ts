import type { SentenceParams } from './sentence.ts'

/** What a caller outside the process may see of an error. Never carries prompts, keys or paths of other users. */
export interface PublicError {
  /** Stable, machine-readable, SCREAMING_SNAKE_CASE. */
  code: string
  /** One sentence for a person. */
  message: string
  /** What the person can do next. */
  nextStep: string
  /** What the sentences mention; absent where nothing has to be said beside the code. */
  params?: SentenceParams
}

/** An expected failure. Anything else that is thrown is a defect and is reported as INTERNAL. */
export class TiramiError extends Error {
  readonly code: string
  readonly nextStep: string
  readonly params: SentenceParams | undefined
  /** HTTP status that the edges answer with. */
  readonly httpStatus: number

  constructor(
    code: string,
    message: string,
    options: { nextStep: string; params?: SentenceParams; httpStatus?: number; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TiramiError'
    this.code = code
    this.nextStep = options.nextStep
    this.params = options.params
    this.httpStatus = options.httpStatus ?? 500
  }
}

/** Maps anything thrown to what may be shown. Unknown errors keep their text out of the answer. */
export function toPublicError(error: unknown): PublicError {
  if (error instanceof TiramiError) {
    const { code, message, nextStep, params } = error
    return { code, message, nextStep, ...(params ? { params } : {}) }
  }
  return {
    code: 'INTERNAL',
    message: 'Something went wrong inside the host.',
    nextStep: 'Try again; if it happens again, report it with the time it happened.',
  }
}
