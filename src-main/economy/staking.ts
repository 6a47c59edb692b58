import { z } from 'zod'
import { type EconomyEvent, type EventOf, type StakeDays, StakeDaysSchema } from './events.ts'
import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'
import { Hex32, Millis, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableDelete, tableGet, tableSet } from './table.ts'
import {
  availableAccount,
  DAY_MS,
  type Decision,
  type EconomyContext,
  movement,
  requireAmount,
  requireAvailable,
  stakedAccount,
} from './types.ts'

/** The terms of a stake. The amount is the balance of `staked:<node>` and is kept nowhere else. */
export interface Stake {
  days: StakeDays
  /** Promised when the stake was made; a later vote does not change it. */
  multiplier: number
  /** Below this (after a slash) the multiplier is lost. */
  minimumTrm: bigint
  unlocksAtMs: number
}

export interface StakingState {
  stakes: Table<Stake>
  /** Latest time in the journal, so that a clock set back cannot shorten a lock. */
  latestMs: number
}

export const StakingStateCodec = z.strictObject({
  stakes: tableCodec(
    Hex32,
    z.strictObject({
      days: StakeDaysSchema,
      multiplier: z.number().min(1),
      minimumTrm: Whole,
      unlocksAtMs: Millis,
    }),
  ),
  latestMs: Millis,
})

export const INITIAL_STAKING: StakingState = { stakes: emptyTable(), latestMs: 0 }

/** Minimum and multiplier of a duration (spec section 3.2). */
export function stakeOffer(days: StakeDays, p: Parameters): { minimumTrm: bigint; multiplier: number } {
  switch (days) {
    case 7:
      return { minimumTrm: p.STAKE_7D_MIN_TRM, multiplier: p.STAKE_DURATION_7D_MULTIPLIER }
    case 30:
      return { minimumTrm: p.STAKE_30D_MIN_TRM, multiplier: p.STAKE_DURATION_30D_MULTIPLIER }
    case 90:
      return { minimumTrm: p.STAKE_90D_MIN_TRM, multiplier: p.STAKE_DURATION_90D_MULTIPLIER }
    case 365:
      return { minimumTrm: p.STAKE_365D_MIN_TRM, multiplier: p.STAKE_DURATION_365D_MULTIPLIER }
  }
}

export function stakeOf(state: StakingState, node: string): Stake | null {
  return tableGet(state.stakes, node) ?? null
}

const isLocked = (stake: Stake, nowMs: number): boolean => nowMs < stake.unlocksAtMs

/** TRM that are staked and still locked: what the stake gate and governance count. */
export function lockedStakeTrm(state: StakingState, node: string, context: EconomyContext): bigint {
  const stake = tableGet(state.stakes, node)
  return stake && isLocked(stake, context.nowMs) ? context.balanceTrm(stakedAccount(node)) : 0n
}

/** Factor on yield: 1 when there is no stake, when it has expired, or when slashing left less than its minimum. */
export function stakeMultiplier(state: StakingState, node: string, context: EconomyContext): number {
  const stake = tableGet(state.stakes, node)
  if (!stake) return 1
  return lockedStakeTrm(state, node, context) >= stake.minimumTrm ? stake.multiplier : 1
}

/**
 * A lock or a loan that starts in the past would end early once the clock is right again.
 * @throws TiramiError CLOCK_BEHIND (409)
 */
export function requireClock(state: StakingState, { nowMs, parameters: p }: EconomyContext): void {
  if (nowMs >= state.latestMs - p.CLOCK_TOLERANCE_MS) return
  throw refusal(
    'CLOCK_BEHIND',
    'The clock is behind the last entry of the ledger.',
    'Correct the clock, then try again.',
  )
}

function requireMinimum(totalTrm: bigint, days: StakeDays, p: Parameters): void {
  const { minimumTrm } = stakeOffer(days, p)
  if (totalTrm >= minimumTrm) return
  throw refusal(
    'STAKE_BELOW_MINIMUM',
    `A stake for ${days} days needs at least ${minimumTrm} TRM.`,
    'Stake more, or choose a shorter duration.',
    400,
  )
}

function stakeTerms(
  state: StakingState,
  node: string,
  amountTrm: bigint,
  days: StakeDays,
  context: EconomyContext,
) {
  const { minimumTrm, multiplier } = stakeOffer(days, context.parameters)
  const startMs = Math.max(context.nowMs, state.latestMs)
  return {
    node,
    amountTrm: amountTrm.toString(),
    days,
    multiplier,
    minimumTrm: minimumTrm.toString(),
    unlocksAtMs: startMs + days * DAY_MS,
    atMs: context.nowMs,
  }
}

/**
 * Moves TRM from available to staked and locks it.
 * @throws TiramiError AMOUNT_INVALID, STAKE_BELOW_MINIMUM (400), STAKE_EXISTS, CLOCK_BEHIND (409), INSUFFICIENT_BALANCE (402)
 */
export function decideStake(
  state: StakingState,
  command: { node: string; amountTrm: bigint; days: StakeDays },
  context: EconomyContext,
): Decision<EventOf<'stake.opened'>> {
  const { node, amountTrm, days } = command
  requireAmount(amountTrm)
  if (tableGet(state.stakes, node)) {
    throw refusal(
      'STAKE_EXISTS',
      'This node has a stake already.',
      'Extend it, or unstake it when it has expired.',
    )
  }
  requireClock(state, context)
  requireMinimum(amountTrm, days, context.parameters)
  requireAvailable(context, node, amountTrm)
  return {
    event: { kind: 'stake.opened', ...stakeTerms(state, node, amountTrm, days, context) },
    movements: movement(availableAccount(node), stakedAccount(node), amountTrm, 'stake'),
  }
}

/**
 * Adds TRM (or none) to a locked stake and locks the whole for at least its duration again, counted from now: never
 * shorter than before.
 * @throws TiramiError STAKE_MISSING (404), STAKE_EXPIRED, CLOCK_BEHIND (409), STAKE_SHORTENED, STAKE_BELOW_MINIMUM,
 *   AMOUNT_INVALID (400), INSUFFICIENT_BALANCE (402)
 */
export function decideExtendStake(
  state: StakingState,
  command: { node: string; addTrm: bigint; days: StakeDays },
  context: EconomyContext,
): Decision<EventOf<'stake.extended'>> {
  const { node, addTrm, days } = command
  const stake = requireStake(state, node)
  if (!isLocked(stake, context.nowMs)) {
    throw refusal('STAKE_EXPIRED', 'The stake has expired.', 'Unstake it, then stake again.')
  }
  if (days < stake.days) {
    throw refusal(
      'STAKE_SHORTENED',
      'A stake cannot be made shorter.',
      `Choose ${stake.days} days or more.`,
      400,
    )
  }
  requireClock(state, context)
  if (addTrm !== 0n) requireAmount(addTrm)
  requireMinimum(context.balanceTrm(stakedAccount(node)) + addTrm, days, context.parameters)
  if (addTrm > 0n) requireAvailable(context, node, addTrm)
  return {
    event: { kind: 'stake.extended', ...stakeTerms(state, node, addTrm, days, context) },
    movements: movement(availableAccount(node), stakedAccount(node), addTrm, 'stake'),
  }
}

function requireStake(state: StakingState, node: string): Stake {
  const stake = tableGet(state.stakes, node)
  if (stake) return stake
  throw refusal('STAKE_MISSING', 'This node has no stake.', 'Stake TRM first.', 404)
}

/** Returns what is left of an expired stake. @throws TiramiError STAKE_MISSING (404), STAKE_LOCKED (409) */
export function decideUnstake(
  state: StakingState,
  command: { node: string },
  context: EconomyContext,
): Decision<EventOf<'stake.closed'>> {
  const { node } = command
  const stake = requireStake(state, node)
  if (isLocked(stake, context.nowMs)) {
    const until = new Date(stake.unlocksAtMs).toISOString()
    throw refusal('STAKE_LOCKED', `The stake is locked until ${until}.`, 'Unstake it after that time.')
  }
  const amountTrm = context.balanceTrm(stakedAccount(node))
  return {
    event: { kind: 'stake.closed', node, amountTrm: amountTrm.toString(), atMs: context.nowMs },
    movements: movement(stakedAccount(node), availableAccount(node), amountTrm, 'unstake'),
  }
}

export function applyStaking(state: StakingState, event: EconomyEvent): StakingState {
  const latestMs = Math.max(state.latestMs, event.atMs)
  switch (event.kind) {
    case 'stake.opened':
    case 'stake.extended': {
      const { node, days, multiplier, unlocksAtMs } = event
      const stake: Stake = { days, multiplier, minimumTrm: BigInt(event.minimumTrm), unlocksAtMs }
      return { stakes: tableSet(state.stakes, node, stake), latestMs }
    }
    case 'stake.closed':
      return { stakes: tableDelete(state.stakes, event.node), latestMs }
    default:
      return latestMs === state.latestMs ? state : { ...state, latestMs }
  }
}
