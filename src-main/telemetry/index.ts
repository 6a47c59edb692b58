export type { TelemetryPayload } from './events.ts'
export { openTelemetry, type TelemetryLog, type TelemetryStatus } from './log.ts'
export { queryTelemetry, readTelemetry, type TelemetryFilter, telemetryCsv } from './query.ts'
export { verifyTelemetry } from './verify.ts'
