import { type PublicError, TiramiError } from '../kernel/index.ts'

const RETRY = 'Try again in a moment.'

export function engineNotReady(): TiramiError {
  return new TiramiError('ENGINE_NOT_READY', 'The model is not loaded.', { nextStep: RETRY, httpStatus: 503 })
}

/** ENGINE_BUSY (429): the queue, or the tenant's part of it, is full. */
export class EngineBusyError extends TiramiError {
  /** When a place is likely to be free, from the throughput of the last jobs; for `Retry-After`. */
  readonly retryAfterSeconds: number

  constructor(message: string, retryAfterSeconds: number) {
    super('ENGINE_BUSY', message, {
      nextStep: `Try again in ${retryAfterSeconds} s.`,
      httpStatus: 429,
    })
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export function engineDraining(): TiramiError {
  return new TiramiError('ENGINE_DRAINING', 'The engine finishes its work and takes no new requests.', {
    nextStep: 'Ask again when it is back.',
    httpStatus: 503,
  })
}

export function engineStopped(): TiramiError {
  return new TiramiError('ENGINE_STOPPED', 'The model was unloaded before the answer was finished.', {
    nextStep: 'Start serving again, then repeat the request.',
    httpStatus: 503,
  })
}

/** @param detail what the process last wrote; for the log (`cause`), not for the caller. */
export function engineCrashed(what: string, detail: string): TiramiError {
  return new TiramiError('ENGINE_CRASHED', `The engine process ${what}.`, {
    nextStep: 'It restarts by itself: try again in a moment. If it keeps failing, choose a smaller model.',
    httpStatus: 502,
    ...(detail === '' ? {} : { cause: new Error(detail) }),
  })
}

const HTTP_STATUS: Readonly<Record<string, number>> = {
  PROMPT_TOO_LONG: 400,
  PROMPT_REJECTED: 400,
  UNSUPPORTED_SCHEMA: 400,
  EMBEDDINGS_UNSUPPORTED: 400,
  INVALID_TOKENS: 400,
  MODEL_FILE_INVALID: 400,
  MODEL_FILE_MISSING: 404,
  ENGINE_BUSY: 429,
  ENGINE_NOT_READY: 503,
}

/** An error that the engine process reported. Its HTTP status is not on the wire: the code decides it. */
export function reportedError(error: PublicError): TiramiError {
  return new TiramiError(error.code, error.message, {
    nextStep: error.nextStep,
    httpStatus: HTTP_STATUS[error.code] ?? 500,
  })
}
