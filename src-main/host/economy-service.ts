import {
  activeWelcomeLoan,
  availableAccount,
  averageReputation,
  type CollusionReport,
  type Complaint,
  canonicalObservationBytes,
  complaintsOf,
  decideComplaint,
  decideMarketUpdate,
  decideObservation,
  decideReputationChange,
  decideSlashes,
  type Eligibility,
  localReputation,
  marketMultiplierMicro,
  mintedTrm,
  type Parameters,
  type PricingView,
  pricingView,
  requireEligibleProvider,
  type SignedObservation,
  type Slash,
  slashEvents,
  tableEntries,
  transactionFeeTrm,
} from '../economy/index.ts'
import { hexFromBytes, TiramiError, trmFromFlop } from '../kernel/index.ts'
import type { JournalEvent, ObservedTrade } from '../ledger/index.ts'
import { type AuditPenalty, punishFailedAudit } from './economy-audits.ts'
import { EconomyCore, type EconomyPorts, type SavedEconomy } from './economy-core.ts'
import { createGovernance, type Governance } from './economy-governance.ts'
import { createLending, type Lending } from './economy-lending.ts'
import { createPeerLending, type PeerLending } from './economy-peer-lending.ts'
import { createStaking, type Staking } from './economy-staking.ts'
import { type Income, incomeOf, providerFacts, type Standing, standingOf } from './economy-standing.ts'
import { createTick, type TickReport } from './economy-tick.ts'

/** What the host measures (spec section 2.2). */
export interface MarketSampling {
  /** Providers that could take a job now, this one included. */
  activeProviders: number
  /** Jobs that run or wait. */
  pendingJobs: number
  /** Jobs that can run at once. */
  slots: number
}

export interface Reputation {
  /** Effective: consensus less the collusion penalty, 0 to 1. */
  of(node: string): number
  /** Mean over all nodes that the ledger knows, as this host judges them; 0 when it knows none. */
  average(): number
  collusion(node: string): CollusionReport
  /** Newest first. */
  slashes(): ({ node: string } & Slash)[]
  observations(): [subject: string, observations: readonly SignedObservation[]][]
  /** What another node has signed about a third one. */
  observe(observation: SignedObservation): Promise<void>
  /** The event that takes from a reputation what this host has seen itself, to be journaled with its reason. */
  changedBy(command: { node: string; cause: 'not-countersigned' | 'word-broken' }): JournalEvent
  /** What a node has signed about what another one did to it; its evidence has been checked. */
  complain(complaint: Complaint): Promise<void>
  /** What a complaint rested on has proved untrue. */
  clear(command: { subject: string; evidence: string }): Promise<void>
  complaints(): [subject: string, complaints: readonly Complaint[]][]
  /** Proof that a node contradicts itself: a fault, and what it has staked here is cut. False: that is known. */
  convict(command: { node: string; evidence: string }): Promise<boolean>
  /** Where trades between two others are counted. */
  heed(heardTrades: (one: string, other: string) => bigint): void
  /** How many trades stand behind what one node says of another (spec section 2.8), before age takes from it. */
  shownTrades(observer: string, subject: string): bigint
  /** What a node's word weighs where nobody can check it. */
  trustIn(node: string): bigint
  /** What this host says of a node to others; null: it has not traded enough with it to say anything. */
  statement(subject: string): SignedObservation | null
}

/** The economy's rules over the ledger: everything that prices, admits, rewards or punishes. */
export interface EconomyService {
  /** Folds the journal: on replay and live, nothing else changes the economy's state. */
  observer: {
    events(events: readonly JournalEvent[], atMs: number): void
    trade(trade: ObservedTrade): void
    save(): SavedEconomy
    restore(saved: SavedEconomy): void
  }
  /** A trade was booked just now: its provider's reputation rises. Never throws. */
  rewardTrade(trade: Pick<ObservedTrade, 'provider' | 'ownKey'>): Promise<void>
  /** @param also events for the same record @see punishFailedAudit */
  punishFailedAudit(
    failed: { node: string; auditIds: readonly [string, string] },
    also: (penalty: AuditPenalty) => JournalEvent[],
  ): Promise<void>
  /** The rules' numbers as the votes have left them. */
  parameters(): Parameters
  /**
   * Price of 10⁹ FLOP in millionths of a TRM: base × demand / supply × deflation, never below the floor. Exactly one
   * million before the first trade. Take it once per job, when the job is reserved: the settlement then stays within
   * the reservation.
   */
  multiplierMicro(): bigint
  /**
   * What a job costs in TRM by its FLOP: `multiplierMicro()` and, once nine tenths of the supply exist, 1 % more,
   * rounded down, for the provider. Take it once per job, when the job is reserved: it does not change afterwards.
   */
  jobPrice(): (flop: bigint) => bigint
  /** The two numbers of `jobPrice`, for another host that has to be able to compute the same. */
  priceTerms(): { multiplierMicro: bigint; feeMicro: bigint }
  pricing(): PricingView
  /** To be called on a timer. A host that cannot serve is not in the market and samples nothing. */
  sampleMarket(sample: MarketSampling): Promise<void>
  /**
   * The stake gate (spec section 2.11), from real stakes and what strangers have paid.
   * @throws TiramiError PREVIOUSLY_SLASHED, STAKE_REQUIRED (403)
   */
  requireEligibleProvider(): Eligibility
  /**
   * May this host sell to that consumer? An owner may always use his own machine.
   * @throws TiramiError PREVIOUSLY_SLASHED, STAKE_REQUIRED (403), PROOF_REQUIRED (503)
   */
  assertMayProvide(consumer: { ownKey: boolean }): void
  /** Where this node stands with the stake gate, and what its owner should do next. */
  standing(): Standing
  /** What this node was paid, and by whom. */
  income(): Income
  /** How far below zero a welcome loan lets this node go now, in TRM. */
  welcomeCreditTrm(node: string): bigint
  /** What this node may stake, lend or pledge. */
  availableTrm(): bigint
  /** Periodic work: loans, referrals, votes, slashing, yield. Writes nothing when nothing is due. */
  tick(nowMs: number): Promise<TickReport>
  staking: Staking
  lending: Lending
  /** Loans between this host and others. */
  peerLending: PeerLending
  governance: Governance
  reputation: Reputation
  /** The folded state as plain JSON with sorted keys. */
  encodedState(): unknown
}

/** Changes of the market factors below this move no price by a millionth. */
const FACTOR_EPSILON = 1e-9
const HOUR_MS = 3_600_000
/** The fee on a million TRM is its rate in millionths. */
const FEE_UNIT = 1_000_000n
/** PROOF_POLICY `required` (spec section 2.4). */
const PROOF_REQUIRED = 3

export function createEconomy(ports: EconomyPorts): EconomyService {
  const core = new EconomyCore(ports)
  const provide = () => requireEligibleProvider(providerFacts(core), core.parameters)
  return {
    observer: {
      events: (events) => core.fold(events),
      trade: (trade) => core.trades.note(trade),
      save: () => core.save(),
      restore: (saved) => core.restore(saved),
    },
    rewardTrade: (trade) => rewardTrade(core, trade),
    punishFailedAudit: (failed, also) => punishFailedAudit(core, failed, also),
    parameters: () => core.parameters,
    multiplierMicro: () =>
      marketMultiplierMicro(core.state.market, ports.ledger().tradeCount(), core.parameters),
    jobPrice: () => jobPrice(core),
    priceTerms: () => ({
      multiplierMicro: marketMultiplierMicro(core.state.market, ports.ledger().tradeCount(), core.parameters),
      feeMicro: transactionFeeTrm(FEE_UNIT, mintedTrm(core.context()), core.parameters),
    }),
    pricing: () => pricingView(core.state.market, ports.ledger().tradeCount(), core.parameters),
    sampleMarket: (sample) => sampleMarket(core, sample),
    requireEligibleProvider: provide,
    assertMayProvide: ({ ownKey }) => {
      if (ownKey) return
      provide()
      if (core.parameters.PROOF_POLICY >= PROOF_REQUIRED) throw proofRequired()
    },
    standing: () => standingOf(core),
    income: () => incomeOf(core),
    welcomeCreditTrm: (node) => activeWelcomeLoan(core.state.welcome, node, core.nowMs())?.principalTrm ?? 0n,
    availableTrm: () => core.balanceTrm(availableAccount(core.nodeId)),
    tick: createTick(core),
    staking: createStaking(core),
    lending: createLending(core),
    peerLending: createPeerLending(core),
    governance: createGovernance(core),
    reputation: createReputation(core),
    encodedState: () => core.encoded(),
  }
}

function createReputation(core: EconomyCore): Reputation {
  return {
    of: (node) => core.reputation(node),
    average: () =>
      averageReputation(core.state.reputation, core.ports.ledger().network().nodes, core.parameters),
    collusion: (node) => core.trades.collusion(core.nowMs(), core.parameters).report(node),
    slashes: () => slashEvents(core.state.slashing),
    observations: () => tableEntries(core.state.reputation.observations),
    observe: async (observation) => {
      await core.post(decideObservation(core.state.reputation, observation, core.context()))
    },
    changedBy: (command) => decideReputationChange(core.state.reputation, command, core.context()).event,
    complain: async (complaint) => {
      await core.post(decideComplaint(core.state.reputation, complaint, core.context()))
    },
    clear: async ({ subject, evidence }) => {
      const complaints = complaintsOf(core.state.reputation, subject)
      if (!complaints.some((complaint) => complaint.evidence === evidence)) return
      await core.write([
        { kind: 'reputation.cleared', subject, evidence, atMs: core.nowMs() } as JournalEvent,
      ])
    },
    complaints: () => tableEntries(core.state.reputation.complaints),
    convict: (command) => convict(core, command),
    heed: (heardTrades) => {
      core.heardTrades = heardTrades
    },
    shownTrades: (observer, subject) => core.shownTrades(observer, subject),
    trustIn: (node) => core.trustIn(node),
    statement: (subject) => statement(core, subject),
  }
}

async function convict(core: EconomyCore, { node, evidence }: { node: string; evidence: string }) {
  const { AUDIT_FAIL_TRUST_PENALTY: trustPenalty } = core.parameters
  const candidates = [{ node, reason: 'equivocation', evidence, trustPenalty }] as const
  const [decision] = decideSlashes(core.state.slashing, { candidates, distinctProviders: 0 }, core.context())
  if (!decision) return false
  await core.post(decision)
  return true
}

/** The own view, not the consensus: otherwise hosts would repeat to each other what they heard from each other. */
function statement(core: EconomyCore, subject: string): SignedObservation | null {
  const { observer, ...rest } = {
    observer: core.nodeId,
    subject,
    reputation: localReputation(core.state.reputation, subject, core.parameters),
    tradeCount: core.trades.tradesBetween(core.nodeId, subject),
    volumeTrm: core.trades.volumeTrm(core.nodeId, subject),
    timestampMs: core.nowMs(),
  }
  if (rest.tradeCount < core.parameters.OBSERVATION_MIN_TRADES || subject === observer) return null
  const observation = { observer, ...rest }
  const signature = hexFromBytes(core.ports.node.sign(canonicalObservationBytes(observation)))
  return { ...observation, signature }
}

/** The fee goes to whoever does the work, as the source of the rule has it: it replaces what is no longer minted. */
function jobPrice(core: EconomyCore): (flop: bigint) => bigint {
  const { market } = core.state
  const p = core.parameters
  const multiplierMicro = marketMultiplierMicro(market, core.ports.ledger().tradeCount(), p)
  const minted = mintedTrm(core.context())
  return (flop) => {
    const amountTrm = trmFromFlop(flop, multiplierMicro)
    return amountTrm + transactionFeeTrm(amountTrm, minted, p)
  }
}

/** The owner's own use proves nothing to others; at 1 a reputation cannot rise. */
async function rewardTrade(
  core: EconomyCore,
  { provider, ownKey }: Pick<ObservedTrade, 'provider' | 'ownKey'>,
): Promise<void> {
  if (ownKey || localReputation(core.state.reputation, provider, core.parameters) >= 1) return
  try {
    const command = { node: provider, cause: 'trade' } as const
    await core.post(decideReputationChange(core.state.reputation, command, core.context()))
  } catch (error) {
    // The trade is booked and answered whatever becomes of this.
    process.emitWarning(error instanceof Error ? error : String(error))
  }
}

/**
 * Demand is what waits for a slot: a machine that serves all who ask is not scarce. One record per hour is written
 * even when the price stands still: it shows that this host could serve, and the yield counts such hours.
 */
async function sampleMarket(core: EconomyCore, sample: MarketSampling): Promise<void> {
  if (sample.activeProviders < 1) return
  const context = core.context()
  const { market } = core.state
  const measured = {
    activeProviders: sample.activeProviders,
    pendingJobs: Math.max(0, sample.pendingJobs - sample.slots),
    knownNodes: core.ports.ledger().network().nodes,
  }
  const decision = decideMarketUpdate(market, measured, context)
  const { supplyFactor, demandFactor } = decision.event
  const moved =
    Math.abs(supplyFactor - market.supplyFactor) > FACTOR_EPSILON ||
    Math.abs(demandFactor - market.demandFactor) > FACTOR_EPSILON
  if (moved || !core.servedIn(Math.floor(context.nowMs / HOUR_MS))) await core.post(decision)
}

function proofRequired(): TiramiError {
  return new TiramiError('PROOF_REQUIRED', 'The network accepts only trades with a proof of their work.', {
    nextStep: 'Update the host to a version that can make such proofs.',
    httpStatus: 503,
  })
}
