import { z } from 'zod'
import type { EconomyEvent, EventOf } from './events.ts'
import { refusal } from './refusal.ts'
import { Count, Hex32, Millis, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableGet, tableSet } from './table.ts'
import { mintTo } from './tokenomics.ts'
import type { Decision, EconomyContext } from './types.ts'

export interface Referral {
  sponsor: string
  sponsoredAtMs: number
  loanRepaid: boolean
  thresholdMet: boolean
  /** What the sponsor received; null while a condition is open. */
  bonusTrm: bigint | null
}

interface Sponsor {
  count: number
  latestMs: number
}

export interface ReferralState {
  /** By referred node. */
  referrals: Table<Referral>
  sponsors: Table<Sponsor>
}

export const ReferralStateCodec = z.strictObject({
  referrals: tableCodec(
    Hex32,
    z.strictObject({
      sponsor: Hex32,
      sponsoredAtMs: Millis,
      loanRepaid: z.boolean(),
      thresholdMet: z.boolean(),
      bonusTrm: Whole.nullable(),
    }),
  ),
  sponsors: tableCodec(Hex32, z.strictObject({ count: Count, latestMs: Millis })),
})

export const INITIAL_REFERRAL: ReferralState = { referrals: emptyTable(), sponsors: emptyTable() }

/**
 * Registers a newcomer's sponsor (spec section 3.3).
 * @throws TiramiError REFERRAL_SELF (400), REFERRAL_ALREADY_SPONSORED, REFERRAL_NOT_NEW, REFERRAL_LIMIT (409),
 *   REFERRAL_COOLDOWN (429)
 */
export function decideSponsor(
  state: ReferralState,
  /** `referredContributedTrm`: lifetime total of the referred node from trades. */
  command: { sponsor: string; referred: string; referredContributedTrm: bigint },
  { nowMs, parameters: p }: EconomyContext,
): Decision<EventOf<'referral.sponsored'>> {
  const { sponsor, referred } = command
  if (sponsor === referred) {
    throw refusal('REFERRAL_SELF', 'A node cannot refer itself.', 'Refer another node.', 400)
  }
  if (tableGet(state.referrals, referred)) {
    throw refusal('REFERRAL_ALREADY_SPONSORED', 'This node has a sponsor.', 'Refer another node.')
  }
  if (command.referredContributedTrm > 0n) {
    throw refusal('REFERRAL_NOT_NEW', 'This node has earned TRM already.', 'Refer a newcomer.')
  }
  const record = tableGet(state.sponsors, sponsor)
  if (record && record.count >= p.REFERRAL_MAX_PER_SPONSOR) {
    const limit = p.REFERRAL_MAX_PER_SPONSOR
    throw refusal('REFERRAL_LIMIT', `A node may refer ${limit} nodes.`, 'Nothing more can be referred.')
  }
  if (record && nowMs - record.latestMs < p.REFERRAL_COOLDOWN_MS) {
    throw refusal('REFERRAL_COOLDOWN', 'One referral a day is allowed.', 'Try again tomorrow.', 429)
  }
  return { event: { kind: 'referral.sponsored', sponsor, referred, atMs: nowMs }, movements: [] }
}

/**
 * Reports what the referred node has reached, in any order; facts once true stay true. When both hold the sponsor is
 * paid, once, as far as the cap allows.
 * @throws TiramiError REFERRAL_UNKNOWN (404), REFERRAL_UNCHANGED (409)
 */
export function decideReferralProgress(
  state: ReferralState,
  command: { referred: string; loanRepaid: boolean; contributedTrm: bigint },
  context: EconomyContext,
): Decision<EventOf<'referral.progressed'>> {
  const { referred } = command
  const p = context.parameters
  const referral = tableGet(state.referrals, referred)
  if (!referral) throw refusal('REFERRAL_UNKNOWN', 'This node has no sponsor.', 'Refer it first.', 404)
  const loanRepaid = referral.loanRepaid || command.loanRepaid
  const thresholdMet = referral.thresholdMet || command.contributedTrm >= p.REFERRAL_EARN_THRESHOLD_TRM
  const unchanged = loanRepaid === referral.loanRepaid && thresholdMet === referral.thresholdMet
  if (unchanged || referral.bonusTrm !== null) {
    throw refusal('REFERRAL_UNCHANGED', 'Nothing new was reached.', 'Report again when it was.')
  }
  const due = loanRepaid && thresholdMet ? p.REFERRAL_BONUS_TRM : 0n
  const { amountTrm, movements } = mintTo(context, referral.sponsor, due, 'referral')
  const bonusTrm = due > 0n ? amountTrm.toString() : null
  return {
    event: { kind: 'referral.progressed', referred, loanRepaid, thresholdMet, bonusTrm, atMs: context.nowMs },
    movements,
  }
}

export function applyReferral(state: ReferralState, event: EconomyEvent): ReferralState {
  switch (event.kind) {
    case 'referral.sponsored': {
      const { sponsor, referred, atMs } = event
      const record = tableGet(state.sponsors, sponsor)
      const open = { sponsor, sponsoredAtMs: atMs, loanRepaid: false, thresholdMet: false, bonusTrm: null }
      const counted = { count: (record?.count ?? 0) + 1, latestMs: Math.max(record?.latestMs ?? 0, atMs) }
      return {
        referrals: tableSet(state.referrals, referred, open),
        sponsors: tableSet(state.sponsors, sponsor, counted),
      }
    }
    case 'referral.progressed': {
      const referral = tableGet(state.referrals, event.referred)
      if (!referral) return state
      const { loanRepaid, thresholdMet } = event
      const bonusTrm = event.bonusTrm === null ? null : BigInt(event.bonusTrm)
      const next = { ...referral, loanRepaid, thresholdMet, bonusTrm }
      return { ...state, referrals: tableSet(state.referrals, event.referred, next) }
    }
    default:
      return state
  }
}

/** For the API (spec section 1.10), sorted by referred node. */
export function referralsOf(
  state: ReferralState,
  sponsor: string,
): { referred: string; referral: Referral }[] {
  const found: { referred: string; referral: Referral }[] = []
  for (const shard of state.referrals.values()) {
    for (const [referred, referral] of shard)
      if (referral.sponsor === sponsor) found.push({ referred, referral })
  }
  return found.sort((left, right) => (left.referred < right.referred ? -1 : 1))
}
