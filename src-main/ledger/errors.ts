import { TiramiError } from '../kernel/index.ts'

const RESTORE_BACKUP =
  'Stop the host and restore the ledger directory (all journal files together) from a backup.'

export function insufficientBalance(needTrm: bigint, haveTrm: bigint): TiramiError {
  return new TiramiError(
    'INSUFFICIENT_BALANCE',
    `The job needs ${needTrm} TRM and the consumer can spend ${haveTrm} TRM.`,
    { nextStep: 'Ask for a shorter answer, or earn TRM first.', httpStatus: 402 },
  )
}

export function reservationUnknown(): TiramiError {
  return new TiramiError('RESERVATION_UNKNOWN', 'The reservation was used, voided or has expired.', {
    nextStep: 'Start the job again; nothing was charged.',
    httpStatus: 409,
  })
}

/** @param problem a clause without a final stop, such as `the nonce was used before` */
export function tradeInvalid(problem: string): TiramiError {
  return new TiramiError('TRADE_INVALID', `The trade was refused: ${problem}.`, {
    nextStep: 'Sign a new trade with correct terms and a fresh nonce.',
    httpStatus: 400,
  })
}

/** @param problem what the journal's schema says */
export function eventInvalid(problem: string): TiramiError {
  return new TiramiError('EVENT_INVALID', `The ledger cannot keep this: ${problem}.`, {
    nextStep: 'Report this with the time it happened.',
    httpStatus: 400,
  })
}

export function tradeNotFound(): TiramiError {
  return new TiramiError('TRADE_NOT_FOUND', 'The ledger holds no trade with this id.', {
    nextStep: 'Take the id from the list of trades.',
    httpStatus: 404,
  })
}

/** @param problem a clause without a final stop */
export function proofRangeInvalid(problem: string): TiramiError {
  return new TiramiError('PROOF_RANGE_INVALID', `There is no such proof: ${problem}.`, {
    nextStep: 'Ask for the current size of the tree and stay within it.',
    httpStatus: 400,
  })
}

/** @param problem a clause without a final stop */
export function statementInvalid(problem: string): TiramiError {
  return new TiramiError('STATEMENT_INVALID', `There is no such statement: ${problem}.`, {
    nextStep: 'Give dates such as 2026-11-01 or 2026-11-01T08:00:00Z and a price such as 0.25.',
    httpStatus: 400,
  })
}

/** @param problem a clause without a final stop */
export function importInvalid(problem: string): TiramiError {
  return new TiramiError('IMPORT_INVALID', `The file is not a Tirami ledger: ${problem}.`, {
    nextStep: 'Give the ledger.json of a Tirami node, as it wrote it.',
    httpStatus: 400,
  })
}

export function importTampered(): TiramiError {
  return new TiramiError('IMPORT_INTEGRITY_FAILED', 'The file was changed: its integrity check failed.', {
    nextStep: 'Copy ledger.json from the Tirami node again.',
    httpStatus: 400,
  })
}

export function importUnsigned(): TiramiError {
  return new TiramiError('IMPORT_UNSIGNED', 'The file carries no HMAC, so nothing shows that it is whole.', {
    nextStep: 'If you trust where it comes from, repeat with --allow-unsigned.',
    httpStatus: 400,
  })
}

export function ledgerMissing(directory: string): TiramiError {
  return new TiramiError('LEDGER_NOT_FOUND', `There is no ledger in ${directory}.`, {
    nextStep: 'Give the host’s data directory with --data-dir.',
    httpStatus: 404,
  })
}

export function journalWriteFailed(cause: unknown): TiramiError {
  return new TiramiError(
    'JOURNAL_WRITE_FAILED',
    'The disk refused a ledger write, so the ledger accepts nothing more until the host is restarted.',
    {
      nextStep: 'Check free space and the health of the disk, then restart the host.',
      httpStatus: 503,
      cause,
    },
  )
}

/** @param offset bytes from the start of `path` */
export function journalDamaged(path: string, offset: number, why: string, cause?: unknown): TiramiError {
  return new TiramiError('JOURNAL_DAMAGED', `${path} is damaged at byte ${offset}: ${why}.`, {
    nextStep: RESTORE_BACKUP,
    httpStatus: 503,
    cause,
  })
}

export function journalUnsupported(path: string, version: number): TiramiError {
  return new TiramiError('JOURNAL_UNSUPPORTED', `${path} has format version ${version}.`, {
    nextStep: 'Update the host to the version that wrote the ledger.',
    httpStatus: 503,
  })
}

export function journalUnavailable(path: string, cause: unknown): TiramiError {
  return new TiramiError('JOURNAL_UNAVAILABLE', `${path} cannot be read and written.`, {
    nextStep: 'Check the permissions of the file, free space and the health of the disk, then start again.',
    httpStatus: 503,
    cause,
  })
}

export function ledgerLocked(pid: number, lockPath: string): TiramiError {
  return new TiramiError('LEDGER_LOCKED', `Process ${pid} already uses this ledger.`, {
    nextStep: `Close the other Tirami Host; if process ${pid} is something else, delete ${lockPath}.`,
    httpStatus: 503,
  })
}

export function ledgerClosed(): TiramiError {
  return new TiramiError('LEDGER_CLOSED', 'The ledger is closed.', {
    nextStep: 'Wait until the host has started again.',
    httpStatus: 503,
  })
}

export function projectionUnavailable(cause: unknown): TiramiError {
  return new TiramiError('PROJECTION_UNAVAILABLE', 'The list of trades cannot be read at the moment.', {
    nextStep: 'Try again: it is rebuilt from the journal. No trade is lost.',
    httpStatus: 503,
    cause,
  })
}
