import { z } from 'zod'
import type { EconomyEvent, EventOf } from './events.ts'
import type { Parameters } from './parameters.ts'
import { clamp, type Decision, type EconomyContext, MICRO, micro } from './types.ts'

/** The part of the market price that is remembered (spec section 2.2). */
export interface MarketState {
  supplyFactor: number
  demandFactor: number
}

export const MarketStateCodec = z.strictObject({
  supplyFactor: z.number().positive(),
  demandFactor: z.number().positive(),
})

export const INITIAL_MARKET: MarketState = { supplyFactor: 1, demandFactor: 1 }

/** What was measured since the last update. */
export interface MarketSample {
  activeProviders: number
  pendingJobs: number
  /** Nodes with an account. */
  knownNodes: number
}

export type ModelTier = 'small' | 'medium' | 'large' | 'frontier'

/** Moves both factors towards the sample (spec section 2.2, `update_price`). */
export function decideMarketUpdate(
  state: MarketState,
  sample: MarketSample,
  { nowMs, parameters: p }: EconomyContext,
): Decision<EventOf<'market.updated'>> {
  const supplyBaseline = Math.max(p.SUPPLY_BASELINE_MIN_NODES, sample.knownNodes)
  const demandBaseline = Math.max(p.DEMAND_BASELINE_MIN_JOBS, supplyBaseline / 2)
  const rawSupply = clamp(sample.activeProviders / supplyBaseline, p.RAW_FACTOR_MIN, p.RAW_SUPPLY_MAX)
  const rawDemand = clamp(sample.pendingJobs / demandBaseline, p.RAW_FACTOR_MIN, p.RAW_DEMAND_MAX)
  const towards = (raw: number, old: number) => p.EMA_ALPHA * raw + (1 - p.EMA_ALPHA) * old
  return {
    event: {
      kind: 'market.updated',
      supplyFactor: towards(rawSupply, state.supplyFactor),
      demandFactor: towards(rawDemand, state.demandFactor),
      atMs: nowMs,
    },
    movements: [],
  }
}

export function applyMarket(state: MarketState, event: EconomyEvent): MarketState {
  if (event.kind !== 'market.updated') return state
  return { supplyFactor: event.supplyFactor, demandFactor: event.demandFactor }
}

/** Falls with every trade ever booked, by the natural logarithm (spec section 2.2; vectors V5). */
export function deflationFactor(totalTrades: number, p: Parameters): number {
  return 1 / (1 + Math.max(0, Math.log(1 + totalTrades / p.DEFLATION_SCALE_TRADES)))
}

/** TRM per small-tier token = TRM per 10⁹ FLOP (spec section 2.2). Never below the floor. */
export function pricePerToken(market: MarketState, totalTrades: number, p: Parameters): number {
  const price =
    ((p.BASE_TRM_PER_TOKEN * market.demandFactor) / market.supplyFactor) * deflationFactor(totalTrades, p)
  return Math.max(p.PRICE_FLOOR, price)
}

/**
 * The multiplier of our meter, in millionths: TRM = ceil(FLOP × multiplier / 10¹⁵), see kernel `trmFromFlop`.
 * The tier is not part of it: FLOP already grow with the active parameters. The reputation surcharge is not either:
 * it is an agreement between two peers (`reputationAdjustedCostTrm`).
 */
export function marketMultiplierMicro(market: MarketState, totalTrades: number, p: Parameters): bigint {
  return micro(pricePerToken(market, totalTrades, p))
}

/** Mixtures of experts are classed by the parameters that a token is multiplied with. */
export function tierOf(activeParameters: number, p: Parameters): ModelTier {
  if (activeParameters >= p.TIER_FRONTIER_FROM_PARAMETERS) return 'frontier'
  if (activeParameters >= p.TIER_LARGE_FROM_PARAMETERS) return 'large'
  return activeParameters >= p.TIER_MEDIUM_FROM_PARAMETERS ? 'medium' : 'small'
}

export function tierBaseTrm(tier: ModelTier, p: Parameters): number {
  switch (tier) {
    case 'small':
      return p.TIER_SMALL_CU_PER_TOKEN
    case 'medium':
      return p.TIER_MEDIUM_CU_PER_TOKEN
    case 'large':
      return p.TIER_LARGE_CU_PER_TOKEN
    case 'frontier':
      return p.TIER_FRONTIER_CU_PER_TOKEN
  }
}

const ceilDivide = (value: bigint, divisor: bigint): bigint => (value + divisor - 1n) / divisor

/** Estimate for the API before FLOP are known: ceil(tokens × tier base × price). */
export function estimateCostForTierTrm(
  tokens: bigint,
  tier: ModelTier,
  market: MarketState,
  totalTrades: number,
  p: Parameters,
): bigint {
  const priced = tokens * micro(tierBaseTrm(tier, p)) * marketMultiplierMicro(market, totalTrades, p)
  return ceilDivide(priced, MICRO * MICRO)
}

/** P2P only: a consumer of low reputation pays up to twice the price (spec section 2.2, vectors V4.5). */
export function reputationAdjustedCostTrm(costTrm: bigint, consumerReputation: number): bigint {
  return ceilDivide(costTrm * micro(2 - clamp(consumerReputation, 0, 1)), MICRO)
}

export interface PricingView {
  trmPerToken: number
  supplyFactor: number
  demandFactor: number
  purchasingPower: number
  deflationFactor: number
  totalTrades: number
  estimatedCost100TokensTrm: bigint
  estimatedCost1000TokensTrm: bigint
}

/** What the API shows (spec section 1.4): six decimals, small tier. */
export function pricingView(market: MarketState, totalTrades: number, p: Parameters): PricingView {
  const six = (value: number) => Math.round(value * 1e6) / 1e6
  const deflation = deflationFactor(totalTrades, p)
  const estimate = (tokens: bigint) => estimateCostForTierTrm(tokens, 'small', market, totalTrades, p)
  return {
    trmPerToken: six(pricePerToken(market, totalTrades, p)),
    supplyFactor: six(market.supplyFactor),
    demandFactor: six(market.demandFactor),
    purchasingPower: six(1 / deflation),
    deflationFactor: six(deflation),
    totalTrades,
    estimatedCost100TokensTrm: estimate(100n),
    estimatedCost1000TokensTrm: estimate(1_000n),
  }
}
