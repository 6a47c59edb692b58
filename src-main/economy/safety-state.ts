import { z } from 'zod'
import { Operator, Purpose, SafetyId, TripCause } from './safety-events.ts'
import { DEFAULT_SPEND_POLICY, type SpendPolicy, SpendPolicyCodec } from './safety-policy.ts'
import { Count, Hex32, Millis, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableGet } from './table.ts'

export interface KillSwitch {
  active: boolean
  /** Null while the switch is off. */
  reason: string | null
  activatedAtMs: number | null
  operator: string | null
}

/** Everything spent within one minute, so that an hour is at most 62 entries however many requests it had. */
export interface MinuteSpend {
  /** Whole minutes since the Unix epoch. */
  minute: number
  amountTrm: bigint
}

export interface Trip {
  cause: TripCause
  atMs: number
}

/** What one caller (API key or node) has done so far. */
export interface CallerSpend {
  /** Ever, settled. */
  lifetimeTrm: bigint
  /** Sum of the caller's open holds: already counted against every budget. */
  heldTrm: bigint
  /** Settled within about the last hour, oldest first. */
  minutes: readonly MinuteSpend[]
  /** Attempts within the velocity window, oldest first. */
  attemptsMs: readonly number[]
  consecutiveErrors: number
  /** Stays here after its time is over until the next granted spend clears it. */
  trip: Trip | null
}

/** Budget set aside for one job that is under way. */
export interface Hold {
  caller: string
  amountTrm: bigint
  atMs: number
}

/** One question to the owner. A spent approval is no longer here. */
export interface Approval {
  caller: string
  amountTrm: bigint
  purpose: string
  status: 'pending' | 'approved' | 'denied'
  requestedAtMs: number
  /** After this it can neither be answered nor spent. */
  expiresAtMs: number
}

/** Follows from the events alone. */
export interface SafetyState {
  /** The latest time of any event. A clock that goes back is not believed: time stands still until it has passed. */
  atMs: number
  killSwitch: KillSwitch
  defaultPolicy: SpendPolicy
  policies: Table<SpendPolicy>
  callers: Table<CallerSpend>
  holds: Table<Hold>
  approvals: Table<Approval>
}

const KILL_SWITCH_OFF: KillSwitch = { active: false, reason: null, activatedAtMs: null, operator: null }

export const NO_SPEND: CallerSpend = {
  lifetimeTrm: 0n,
  heldTrm: 0n,
  minutes: [],
  attemptsMs: [],
  consecutiveErrors: 0,
  trip: null,
}

export function initialSafetyState(): SafetyState {
  return {
    atMs: 0,
    killSwitch: KILL_SWITCH_OFF,
    defaultPolicy: DEFAULT_SPEND_POLICY,
    policies: emptyTable(),
    callers: emptyTable(),
    holds: emptyTable(),
    approvals: emptyTable(),
  }
}

export function policyOf(state: SafetyState, caller: string): SpendPolicy {
  return tableGet(state.policies, caller) ?? state.defaultPolicy
}

export function spendOf(state: SafetyState, caller: string): CallerSpend {
  return tableGet(state.callers, caller) ?? NO_SPEND
}

export function tableSize(table: Table<unknown>): number {
  let size = 0
  for (const shard of table.values()) size += shard.size
  return size
}

const CallerSpendCodec = z.strictObject({
  lifetimeTrm: Whole,
  heldTrm: Whole,
  minutes: z.array(z.strictObject({ minute: Count, amountTrm: Whole })).readonly(),
  attemptsMs: z.array(Millis).readonly(),
  consecutiveErrors: Count,
  trip: z.strictObject({ cause: TripCause, atMs: Millis }).nullable(),
})

const ApprovalCodec = z.strictObject({
  caller: Hex32,
  amountTrm: Whole,
  purpose: Purpose,
  status: z.enum(['pending', 'approved', 'denied']),
  requestedAtMs: Millis,
  expiresAtMs: Millis,
})

/** Plain JSON ⇄ `SafetyState`: `z.encode` and `z.decode` (throws on anything else than an encoded state). */
export const SafetyStateCodec = z.strictObject({
  atMs: Millis,
  killSwitch: z.strictObject({
    active: z.boolean(),
    reason: z.string().nullable(),
    activatedAtMs: Millis.nullable(),
    operator: Operator.nullable(),
  }),
  defaultPolicy: SpendPolicyCodec,
  policies: tableCodec(Hex32, SpendPolicyCodec),
  callers: tableCodec(Hex32, CallerSpendCodec),
  holds: tableCodec(SafetyId, z.strictObject({ caller: Hex32, amountTrm: Whole, atMs: Millis })),
  approvals: tableCodec(SafetyId, ApprovalCodec),
})
