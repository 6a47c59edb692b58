import { TiramiError } from '../../kernel/index.ts'

/** The connection broke, stalled or was turned away for now; another attempt may succeed. */
export class Interrupted extends Error {
  readonly reason: TiramiError
  /** What the server asked for with Retry-After. */
  readonly retryAfterMs: number | null

  constructor(reason: TiramiError, retryAfterMs: number | null = null) {
    super(reason.message)
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** The file behind the address is no longer the one that was begun; what is on disk is of no use. */
export class RemoteChanged extends Error {}

/** The server answered a request for a range with the whole file. */
export class RangeIgnored extends Error {}

/** The volume has no room left. Nothing that is on it is lost. */
export class DiskFull extends Error {}

const RETRY = 'Check the connection, then resume the download; what is here is kept.'

export function interrupted(cause?: unknown): Interrupted {
  return new Interrupted(
    new TiramiError('DOWNLOAD_INTERRUPTED', 'The connection broke again and again.', {
      nextStep: RETRY,
      httpStatus: 502,
      cause,
    }),
  )
}

export function stalled(): Interrupted {
  return new Interrupted(
    new TiramiError('DOWNLOAD_STALLED', 'The server stopped sending.', {
      nextStep: RETRY,
      httpStatus: 504,
    }),
  )
}

export function busy(status: number, retryAfterMs: number | null): Interrupted {
  return new Interrupted(
    new TiramiError('DOWNLOAD_SERVER_BUSY', `The server is busy or failing (status ${status}).`, {
      nextStep: 'Resume the download later; what is here is kept.',
      httpStatus: 503,
    }),
    retryAfterMs,
  )
}

export function confused(what: string): Interrupted {
  return new Interrupted(
    new TiramiError('DOWNLOAD_PROTOCOL', `The server's answer cannot be used: ${what}.`, {
      nextStep: 'Try again later, or choose another source for this model.',
      httpStatus: 502,
    }),
  )
}

export function notFound(status: number): TiramiError {
  return new TiramiError('DOWNLOAD_NOT_FOUND', `The server does not have this file (status ${status}).`, {
    nextStep: 'Check the name, or choose another model.',
    httpStatus: 404,
  })
}

export function forbidden(status: number): TiramiError {
  return new TiramiError(
    'DOWNLOAD_FORBIDDEN',
    `The server does not give this file to everybody (${status}).`,
    {
      nextStep: 'Choose a model that needs no sign-in, or download it in a browser and add the file.',
      httpStatus: 403,
    },
  )
}

export function refused(status: number): TiramiError {
  return new TiramiError('DOWNLOAD_REFUSED', `The server refused the request (status ${status}).`, {
    nextStep: 'Choose another source for this model.',
    httpStatus: 502,
  })
}

export function addressRefused(what: string, cause?: unknown): TiramiError {
  return new TiramiError('DOWNLOAD_ADDRESS_REFUSED', `The download leads ${what}, which is not allowed.`, {
    nextStep: 'Use an https address of a public server that you trust.',
    httpStatus: 400,
    cause,
  })
}

export function hashUnknown(): TiramiError {
  return new TiramiError('DOWNLOAD_HASH_UNKNOWN', 'Nobody says which SHA-256 this file must have.', {
    nextStep: 'Add #sha256=… with the 64 digits that the publisher names, or choose a catalogue model.',
    httpStatus: 400,
  })
}

export function hashChanged(): TiramiError {
  return new TiramiError(
    'DOWNLOAD_HASH_CHANGED',
    'The server now offers another file than the one whose SHA-256 is known.',
    {
      nextStep: 'Choose another model, or another source for this one.',
      httpStatus: 409,
    },
  )
}

export function sizeUnknown(): TiramiError {
  return new TiramiError('DOWNLOAD_SIZE_UNKNOWN', 'The server does not say how large the file is.', {
    nextStep: 'Choose another source for this model.',
    httpStatus: 502,
  })
}

export function sizeWrong(expectedBytes: number, offeredBytes: number): TiramiError {
  return new TiramiError(
    'DOWNLOAD_SIZE_WRONG',
    `The server offers ${offeredBytes} bytes; this file has ${expectedBytes}.`,
    { nextStep: 'Choose another source for this model.', httpStatus: 409 },
  )
}

export function tooLarge(limitBytes: number): TiramiError {
  return new TiramiError('DOWNLOAD_TOO_LARGE', `The file is larger than ${limitBytes} bytes.`, {
    nextStep: 'Choose a smaller model or quantisation.',
    httpStatus: 413,
  })
}

export function keepsChanging(): TiramiError {
  return new TiramiError(
    'DOWNLOAD_KEEPS_CHANGING',
    'The file on the server changes while it is downloaded.',
    {
      nextStep: 'Try again later.',
      httpStatus: 409,
    },
  )
}

export function hashMismatch(): TiramiError {
  return new TiramiError(
    'DOWNLOAD_HASH_MISMATCH',
    'The downloaded file is not the one that was announced: its SHA-256 differs.',
    {
      nextStep: 'It is kept aside and will not be loaded. Delete it, or resume to download it again.',
      httpStatus: 409,
    },
  )
}

export function diskFull(neededBytes: number): TiramiError {
  return new TiramiError(
    'DISK_FULL',
    `The disk has too little room: this download needs ${neededBytes} more bytes.`,
    { nextStep: 'Free some space; the download goes on by itself and loses nothing.', httpStatus: 507 },
  )
}

export function diskFault(cause: unknown): TiramiError {
  return new TiramiError('DOWNLOAD_DISK_ERROR', 'The disk cannot be written.', {
    nextStep: 'Check that the models folder exists, is writable and its drive is connected; then resume.',
    httpStatus: 500,
    cause,
  })
}

export function unknownDownload(): TiramiError {
  return new TiramiError('DOWNLOAD_UNKNOWN', 'There is no such download.', {
    nextStep: 'Look at the list of downloads.',
    httpStatus: 404,
  })
}

export function alreadyInstalled(id: string): TiramiError {
  return new TiramiError('MODEL_ALREADY_INSTALLED', `The model ${id} is already here.`, {
    nextStep: 'Load it, or delete it first.',
    httpStatus: 409,
  })
}
