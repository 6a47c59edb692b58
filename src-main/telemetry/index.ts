export { createDepthIndex } from './depth-index.ts'
export type { TelemetryPayload } from './events.ts'
export { openTelemetry, type TelemetryLog, type TelemetryStatus } from './log.ts'
export {
  queryTelemetry,
  readTelemetry,
  type TelemetryFilter,
  telemetryCsv,
  telemetryCsvPart,
} from './query.ts'
export { verifyTelemetry } from './verify.ts'
