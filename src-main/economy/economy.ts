import { z } from 'zod'
import type { EconomyEvent } from './events.ts'
import { applyLending } from './lending.ts'
import { applyPeerLoans, INITIAL_PEER_LOANS, type PeerLoansState, PeerLoansStateCodec } from './peer-loans.ts'
import { INITIAL_LENDING, type LendingState, LendingStateCodec } from './pool.ts'
import { applyMarket, INITIAL_MARKET, type MarketState, MarketStateCodec } from './pricing.ts'
import { applyReferral, INITIAL_REFERRAL, type ReferralState, ReferralStateCodec } from './referral.ts'
import {
  applyReputation,
  INITIAL_REPUTATION,
  type ReputationState,
  ReputationStateCodec,
} from './reputation.ts'
import { applySlashing, INITIAL_SLASHING, type SlashingState, SlashingStateCodec } from './slashing.ts'
import { applyStaking, INITIAL_STAKING, type StakingState, StakingStateCodec } from './staking.ts'
import { applyWelcome, INITIAL_WELCOME, type WelcomeState, WelcomeStateCodec } from './welcome.ts'
import { applyYield, INITIAL_YIELD, type YieldState, YieldStateCodec } from './yield.ts'

/** All that the economy remembers besides the ledger's balances. */
export interface EconomyState {
  market: MarketState
  reputation: ReputationState
  staking: StakingState
  yield: YieldState
  referral: ReferralState
  welcome: WelcomeState
  lending: LendingState
  peerLoans: PeerLoansState
  slashing: SlashingState
}

const EconomyStateCodec = z.strictObject({
  market: MarketStateCodec,
  reputation: ReputationStateCodec,
  staking: StakingStateCodec,
  yield: YieldStateCodec,
  referral: ReferralStateCodec,
  welcome: WelcomeStateCodec,
  lending: LendingStateCodec,
  peerLoans: PeerLoansStateCodec,
  slashing: SlashingStateCodec,
})

export const INITIAL_ECONOMY: EconomyState = {
  market: INITIAL_MARKET,
  reputation: INITIAL_REPUTATION,
  staking: INITIAL_STAKING,
  yield: INITIAL_YIELD,
  referral: INITIAL_REFERRAL,
  welcome: INITIAL_WELCOME,
  lending: INITIAL_LENDING,
  peerLoans: INITIAL_PEER_LOANS,
  slashing: INITIAL_SLASHING,
}

/** Folds one event into every rule that listens to it; live and on replay alike. Never throws on a parsed event. */
export function applyEconomy(state: EconomyState, event: EconomyEvent): EconomyState {
  return {
    market: applyMarket(state.market, event),
    reputation: applyReputation(state.reputation, event),
    staking: applyStaking(state.staking, event),
    yield: applyYield(state.yield, event),
    referral: applyReferral(state.referral, event),
    welcome: applyWelcome(state.welcome, event),
    lending: applyLending(state.lending, event),
    peerLoans: applyPeerLoans(state.peerLoans, event),
    slashing: applySlashing(state.slashing, event),
  }
}

/** Plain JSON data with sorted keys: equal states give equal text. */
export function encodeEconomyState(state: EconomyState): unknown {
  return z.encode(EconomyStateCodec, state)
}

/** @throws ZodError when the data is not an encoded state */
export function decodeEconomyState(data: unknown): EconomyState {
  return z.parse(EconomyStateCodec, data)
}
