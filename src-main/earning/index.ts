export {
  type CostEvent,
  type DepthSettings,
  EarningEvent,
  type JobEvent,
  type UnpaidEvent,
} from './events.ts'
export { bookEnergy, bookTrade, type MoneyBook, type MoneyTrade, moneyView } from './money.ts'
export {
  aboutField,
  editOwnerFile,
  newOwnerFile,
  OWNER_FILE_BYTES_MAX,
  type OwnerDifference,
  ownerDifferences,
  ownerFields,
  readOwnerFile,
} from './owner-config.ts'
export { ownerFault } from './owner-faults.ts'
export {
  decideEarning,
  INITIAL_POLICY_STATE,
  type PolicyResult,
  type PolicyState,
} from './policy.ts'
export { type EarningSnapshot, limitsGpuTemperature, type Reading } from './policy-rules.ts'
export { ownerChanges, policyOf } from './policy-values.ts'
export { energyCost, trmValue } from './roi.ts'
export { isOpen, nextFlipMs, nextWallTimeMs, systemTimeZone, weekSpans } from './schedule.ts'
export {
  applyToSentinel,
  assertNotRed,
  decideJob,
  decideResume,
  decideReview,
  INITIAL_SENTINEL,
  type SentinelState,
  sentinelView,
} from './sentinel.ts'
export {
  applyToThermostat,
  decideBounds,
  decideDepth,
  fullDepth,
  INITIAL_THERMOSTAT,
  settingsOf,
  type ThermostatBounds,
  type ThermostatState,
  thermostatView,
} from './thermostat.ts'
