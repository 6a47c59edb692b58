import type { Parameters } from './parameters.ts'
import { type ModelTier, tierBaseTrm } from './pricing.ts'
import {
  availableAccount,
  type EconomyContext,
  floorShare,
  type Movement,
  movement,
  SYSTEM_MINT,
  smaller,
} from './types.ts'

/**
 * New supply since the beginning: what the mint account gave out. Trade volume is not supply, and because this is
 * read from the ledger it survives a restart (spec section 3.1, section 8.2).
 */
export function mintedTrm(context: Pick<EconomyContext, 'balanceTrm'>): bigint {
  const balance = context.balanceTrm(SYSTEM_MINT)
  return balance < 0n ? -balance : 0n
}

/** What may still be minted, never below zero. */
export function mintableTrm(minted: bigint, p: Parameters): bigint {
  return minted < p.TOTAL_TRM_SUPPLY ? p.TOTAL_TRM_SUPPLY - minted : 0n
}

/** Share of the cap that is still to come, 1 to 0. */
export function supplyFactor(minted: bigint, p: Parameters): number {
  return Number(mintableTrm(minted, p)) / Number(p.TOTAL_TRM_SUPPLY)
}

/** floor(log2(cap / (cap − minted))), computed on whole numbers so that no boundary is missed (spec section 3.1). */
export function halvingEpoch(minted: bigint, p: Parameters): number {
  const left = mintableTrm(minted, p)
  if (left === 0n) return p.EPOCH_MAX
  let epoch = 0
  while (epoch < p.EPOCH_MAX && left << BigInt(epoch + 1) <= p.TOTAL_TRM_SUPPLY) epoch++
  return epoch
}

/** Per hour at reputation 1. */
export function yieldRatePerHour(epoch: number, p: Parameters): number {
  return p.INITIAL_YIELD_RATE / 2 ** Math.min(epoch, p.YIELD_HALVINGS_MAX)
}

function rarity(tier: ModelTier, p: Parameters): number {
  switch (tier) {
    case 'small':
      return p.RARITY_SMALL
    case 'medium':
      return p.RARITY_MEDIUM
    case 'large':
      return p.RARITY_LARGE
    case 'frontier':
      return p.RARITY_FRONTIER
  }
}

/** For display: nothing is minted per token. */
export function mintRatePerToken(tier: ModelTier, minted: bigint, p: Parameters): number {
  return tierBaseTrm(tier, p) * rarity(tier, p) * supplyFactor(minted, p)
}

export function feeActive(minted: bigint, p: Parameters): boolean {
  return supplyFactor(minted, p) <= p.FEE_SUPPLY_FACTOR
}

/** 1 % rounded down once nine tenths of the supply exist, else nothing (spec section 3.1). */
export function transactionFeeTrm(amountTrm: bigint, minted: bigint, p: Parameters): bigint {
  return feeActive(minted, p) ? floorShare(amountTrm, p.FEE_RATE) : 0n
}

/** Mints `wantedTrm` to the node, or as much as the cap leaves. @returns what is minted and its movement, if any */
export function mintTo(
  context: EconomyContext,
  node: string,
  wantedTrm: bigint,
  code: string,
): { amountTrm: bigint; movements: Movement[] } {
  const amountTrm = smaller(wantedTrm, mintableTrm(mintedTrm(context), context.parameters))
  return { amountTrm, movements: movement(SYSTEM_MINT, availableAccount(node), amountTrm, code) }
}
