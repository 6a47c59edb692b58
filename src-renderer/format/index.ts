export {
  formatBytes,
  formatCompact,
  formatFlop,
  formatMemory,
  formatTrm,
  groupDigits,
  plural,
  withSiPrefix,
} from './amounts.ts'
export { shortHex } from './hex.ts'
export { formatBucket, formatDateTime, formatDuration, formatRelative } from './time.ts'
export { parseTypedAmount } from './typed-amount.ts'
