import { z } from 'zod'
import { SpendPolicyText } from './safety-policy.ts'
import { Hex32, Millis, WholeText } from './schema.ts'

/** 16 random bytes: names a hold or an approval. */
export const SafetyId = z.string().regex(/^[0-9a-f]{32}$/)
/** Who pressed the button. */
export const Operator = z.string().min(1).max(128)
const Reason = z.string().min(1).max(256)
export const Purpose = z.string().max(200)
export const TripCause = z.enum(['velocity', 'errors'])
export type TripCause = z.infer<typeof TripCause>

const KillSwitchEvent = z.strictObject({
  kind: z.literal('safety.kill-switch'),
  atMs: Millis,
  active: z.boolean(),
  reason: Reason,
  operator: Operator,
})
export type KillSwitchEvent = z.infer<typeof KillSwitchEvent>

const PolicyEvent = z.strictObject({
  kind: z.literal('safety.policy'),
  atMs: Millis,
  /** Null sets what holds for callers without a policy of their own. */
  caller: Hex32.nullable(),
  /** Null takes the caller's own policy away. */
  policy: SpendPolicyText.nullable(),
  operator: Operator,
})

const HeldEvent = z.strictObject({
  kind: z.literal('safety.held'),
  atMs: Millis,
  holdId: SafetyId,
  caller: Hex32,
  amountTrm: WholeText,
  /** The approval that this hold used up. */
  approvalId: SafetyId.nullable(),
})

const SpentEvent = z.strictObject({
  kind: z.literal('safety.spent'),
  atMs: Millis,
  holdId: SafetyId,
  amountTrm: WholeText,
})

const ReleasedEvent = z.strictObject({
  kind: z.literal('safety.released'),
  atMs: Millis,
  holdId: SafetyId,
  reason: Reason,
})

/** An attempt that was refused only because the owner has to be asked: it counts towards the velocity. */
const AttemptedEvent = z.strictObject({ kind: z.literal('safety.attempted'), atMs: Millis, caller: Hex32 })

const ErrorEvent = z.strictObject({ kind: z.literal('safety.error'), atMs: Millis, caller: Hex32 })

const TrippedEvent = z.strictObject({
  kind: z.literal('safety.tripped'),
  atMs: Millis,
  caller: Hex32,
  cause: TripCause,
})

const BreakerResetEvent = z.strictObject({
  kind: z.literal('safety.breaker-reset'),
  atMs: Millis,
  caller: Hex32,
  operator: Operator,
})

const ApprovalRequestedEvent = z.strictObject({
  kind: z.literal('safety.approval-requested'),
  atMs: Millis,
  approvalId: SafetyId,
  caller: Hex32,
  amountTrm: WholeText,
  purpose: Purpose,
  expiresAtMs: Millis,
})

const ApprovalAnsweredEvent = z.strictObject({
  kind: z.literal('safety.approval-answered'),
  atMs: Millis,
  approvalId: SafetyId,
  approved: z.boolean(),
  operator: Operator,
  expiresAtMs: Millis,
})

/** The owner says that a clock which went back is right. The only event whose time may be earlier than the last. */
const ClockAcceptedEvent = z.strictObject({
  kind: z.literal('safety.clock-accepted'),
  atMs: Millis,
  operator: Operator,
})

/** What the host journals and folds again on start. Plain JSON; amounts are decimal strings. */
export const SafetyEvent = z.discriminatedUnion('kind', [
  KillSwitchEvent,
  PolicyEvent,
  HeldEvent,
  SpentEvent,
  ReleasedEvent,
  AttemptedEvent,
  ErrorEvent,
  TrippedEvent,
  BreakerResetEvent,
  ApprovalRequestedEvent,
  ApprovalAnsweredEvent,
  ClockAcceptedEvent,
])
export type SafetyEvent = z.infer<typeof SafetyEvent>
export type SafetyEventOf<Kind extends SafetyEvent['kind']> = Extract<SafetyEvent, { kind: Kind }>
