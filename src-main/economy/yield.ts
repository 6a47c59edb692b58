import { z } from 'zod'
import type { EconomyEvent, EventOf } from './events.ts'
import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'
import { Count, Hex32, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableGet, tableSet } from './table.ts'
import { halvingEpoch, mintedTrm, mintTo } from './tokenomics.ts'
import { clamp, type Decision, type EconomyContext, HOUR_MS, MICRO, micro, smaller } from './types.ts'

interface YieldAccount {
  /** Everything up to and including this period is settled. */
  period: number
  /** What the node had contributed then: the base of the next yield. */
  contributedTrm: bigint
}

export interface YieldState {
  accounts: Table<YieldAccount>
}

export const YieldStateCodec = z.strictObject({
  accounts: tableCodec(Hex32, z.strictObject({ period: Count, contributedTrm: Whole })),
})

export const INITIAL_YIELD: YieldState = { accounts: emptyTable() }

export interface YieldCommand {
  node: string
  /** Lifetime total from trades. */
  contributedTrm: bigint
  /** Effective reputation, 0 to 1. */
  reputation: number
  /** From `stakeMultiplier`, 1 or more. */
  stakeMultiplier: number
  /** Hours since the last settlement in which the node could serve. */
  hoursServed: number
}

/** floor(contributed × rate(epoch) × reputation × hours × stake multiplier), in whole numbers (spec sections 2.8, 3.2). */
export function yieldTrm(
  basis: {
    contributedTrm: bigint
    reputation: number
    stakeMultiplier: number
    hours: number
    epoch: number
  },
  p: Parameters,
): bigint {
  const halvings = BigInt(Math.min(basis.epoch, p.YIELD_HALVINGS_MAX))
  const product =
    basis.contributedTrm *
    micro(p.INITIAL_YIELD_RATE) *
    micro(clamp(basis.reputation, 0, 1)) *
    micro(clamp(basis.stakeMultiplier, 1, p.STAKE_DURATION_365D_MULTIPLIER)) *
    BigInt(basis.hours)
  return product / ((MICRO * MICRO * MICRO) << halvings)
}

/**
 * Settles the yield of the whole periods since the last settlement. The first call only starts the account. The base
 * is what had been contributed when the last settlement was made, so that a burst of trades earns nothing backwards.
 * @throws TiramiError YIELD_NOT_DUE (409): this period is settled, or the clock was set back
 */
export function decideYield(
  state: YieldState,
  command: YieldCommand,
  context: EconomyContext,
): Decision<EventOf<'yield.settled'>> {
  const { nowMs, parameters: p } = context
  const { node, contributedTrm } = command
  const period = Math.floor(nowMs / (p.YIELD_PERIOD_HOURS * HOUR_MS))
  const account = tableGet(state.accounts, node)
  if (account && account.period >= period) {
    throw refusal('YIELD_NOT_DUE', 'This period is settled.', 'Wait for the next period.')
  }
  const elapsedHours = account ? (period - account.period) * p.YIELD_PERIOD_HOURS : 0
  const hours = clamp(Math.floor(command.hoursServed) || 0, 0, elapsedHours)
  const epoch = halvingEpoch(mintedTrm(context), p)
  const { reputation, stakeMultiplier } = command
  const base = account ? smaller(account.contributedTrm, contributedTrm) : 0n
  const wanted = yieldTrm({ contributedTrm: base, reputation, stakeMultiplier, hours, epoch }, p)
  const { amountTrm, movements } = mintTo(context, node, wanted, 'yield')
  return {
    event: {
      kind: 'yield.settled',
      node,
      period,
      contributedTrm: contributedTrm.toString(),
      hours,
      epoch,
      amountTrm: amountTrm.toString(),
      atMs: nowMs,
    },
    movements,
  }
}

export function applyYield(state: YieldState, event: EconomyEvent): YieldState {
  if (event.kind !== 'yield.settled') return state
  const account = { period: event.period, contributedTrm: BigInt(event.contributedTrm) }
  return { accounts: tableSet(state.accounts, event.node, account) }
}
