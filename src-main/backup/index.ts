export {
  type BackupSummary,
  cancelRestore,
  createBackup,
  finishPendingRestore,
  pendingRestore,
  restoreBackup,
  stageRestore,
  verifyBackup,
} from './backup.ts'
export { BACKUP_BYTES_MAX } from './content.ts'
export { PASSWORD_LENGTH_MIN } from './envelope.ts'
