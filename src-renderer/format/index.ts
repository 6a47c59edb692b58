export {
  formatBytes,
  formatCompact,
  formatFlop,
  formatMemory,
  formatMoney,
  formatNumber,
  formatPercent,
  formatTrm,
  groupDigits,
  withSiPrefix,
} from './amounts.ts'
export { shortHex } from './hex.ts'
export { formatLicense } from './license.ts'
export {
  formatBucket,
  formatClock,
  formatDate,
  formatDateTime,
  formatDuration,
  formatMoment,
  formatRelative,
  withReadableTimes,
} from './time.ts'
export { parseTypedAmount } from './typed-amount.ts'
