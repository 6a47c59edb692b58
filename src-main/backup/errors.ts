import { TiramiError } from '../kernel/index.ts'

/** Not a backup, or a newer kind. */
export function notABackup(): TiramiError {
  return new TiramiError('BACKUP_NOT_ONE', 'This is not a backup of Tirami Host’s keys.', {
    nextStep: 'Choose the file that was written as the backup; its name ends with “.tirami-backup”.',
    httpStatus: 400,
  })
}

export function unsupportedVersion(): TiramiError {
  return new TiramiError('BACKUP_VERSION_UNKNOWN', 'This backup was made by a newer Tirami Host.', {
    nextStep: 'Update this app, then try again.',
    httpStatus: 400,
  })
}

export function damaged(reason: string): TiramiError {
  return new TiramiError('BACKUP_DAMAGED', `The backup is damaged: ${reason}.`, {
    nextStep: 'Take another copy of it. Nothing was changed.',
    httpStatus: 400,
  })
}

/** GCM cannot tell a wrong password from a file that was altered together with its checksum. */
export function wrongPassword(): TiramiError {
  return new TiramiError(
    'BACKUP_PASSWORD_WRONG',
    'The password does not open this backup, or somebody altered the file.',
    { nextStep: 'Type the password again. Nothing was changed.', httpStatus: 400 },
  )
}

export function passwordTooShort(least: number): TiramiError {
  return new TiramiError('BACKUP_PASSWORD_SHORT', `The password has fewer than ${least} characters.`, {
    nextStep: 'Choose a longer one: whoever has the file and the password has this node’s earnings.',
    httpStatus: 400,
  })
}

export function noKeys(): TiramiError {
  return new TiramiError('BACKUP_NOTHING_THERE', 'There are no keys in this data directory.', {
    nextStep: 'Name the data directory of a host that has been started once.',
    httpStatus: 404,
  })
}

export function badLedger(cause?: unknown): TiramiError {
  return new TiramiError('BACKUP_LEDGER_BAD', 'The ledger in this backup does not hold together.', {
    nextStep: 'Take another backup. Nothing was changed.',
    httpStatus: 400,
    cause,
  })
}

export function ledgerTooLarge(limitMib: number): TiramiError {
  return new TiramiError('BACKUP_LEDGER_LARGE', `The journal is larger than ${limitMib} MiB.`, {
    nextStep: 'Back up the keys alone, and copy the folder “ledger” while the host is stopped.',
    httpStatus: 413,
  })
}

export function restorePending(): TiramiError {
  return new TiramiError('BACKUP_RESTORE_PENDING', 'A restore is already waiting for the next start.', {
    nextStep: 'Start the host again, or take that restore back first.',
    httpStatus: 409,
  })
}
