import type { PublicErrorData } from '../../src-preload/contract/index.ts'

/** A procedure that failed: what happened, and what the person can do about it. */
export class HostCallError extends Error {
  readonly code: string
  readonly nextStep: string

  constructor({ code, message, nextStep }: PublicErrorData, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HostCallError'
    this.code = code
    this.nextStep = nextStep
  }
}

export function unreachable(cause?: unknown): HostCallError {
  return new HostCallError(
    {
      code: 'HOST_UNREACHABLE',
      message: 'The host does not answer.',
      nextStep: 'This window keeps trying. If it lasts, start Tirami Host again.',
    },
    cause,
  )
}

/** What of an error the window shows. */
export function toPublicError(error: unknown): PublicErrorData {
  if (error instanceof HostCallError) {
    return { code: error.code, message: error.message, nextStep: error.nextStep }
  }
  return {
    code: 'WINDOW_DEFECT',
    message: 'Something went wrong in this window.',
    nextStep: 'Reload the window; if it happens again, report it with the time it happened.',
  }
}
