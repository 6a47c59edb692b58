export {
  type CostEvent,
  type DepthSettings,
  EarningEvent,
  type JobEvent,
  type UnpaidEvent,
} from './events.ts'
export { bookEnergy, bookTrade, type MoneyBook, type MoneyTrade, moneyView } from './money.ts'
export {
  editOwnerFile,
  newOwnerFile,
  OWNER_FILE_BYTES_MAX,
  type OwnerDifference,
  ownerDifferences,
  ownerFields,
  readOwnerFile,
} from './owner-config.ts'
export { energyCost, trmValue } from './roi.ts'
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
