import { z } from 'zod'
import {
  applyEconomy,
  applyGovernanceEvent,
  availableAccount,
  complaintPenalty,
  complaintsOf,
  consensusReputation,
  type Decision,
  decayed,
  defaultParameters,
  type EconomyContext,
  type EconomyEvent,
  EconomyEventSchema,
  type EconomyState,
  effectiveReputation,
  encodeEconomyState,
  GovernanceEvent,
  type GovernanceState,
  GovernanceStateCodec,
  hasFault,
  INITIAL_ECONOMY,
  INITIAL_GOVERNANCE,
  localReputation,
  type Movement,
  MUTABLE_PARAMETERS,
  type MutableParameterName,
  observationsOf,
  type Parameters,
  penaltySince,
  type SafetyState,
  tableGet,
  verifiableTrades,
  withParameter,
} from '../economy/index.ts'
import { type Clock, type KeyPair, readClockMs } from '../kernel/index.ts'
import type { JournalEvent, Ledger } from '../ledger/index.ts'
import { type SavedTrades, TradeBook } from './economy-trades.ts'

export interface EconomyPorts {
  /** Called only after the journal has been replayed. */
  ledger(): Ledger
  /** The owner's kill switch and budgets. */
  safety(): SafetyState
  clock: Clock
  node: KeyPair
}

const HOUR_MS = 3_600_000
/** Rooms that keep their own state from the same journal. */
const FOREIGN_KINDS = /^(safety|access|earning|mesh|audit)\./
const AVAILABLE = availableAccount('')
const GOVERNED = Object.keys(MUTABLE_PARAMETERS) as MutableParameterName[]

type Understood = { room: 'governance'; event: GovernanceEvent } | { room: 'economy'; event: EconomyEvent }

/** @returns null for what is not for here. @throws ZodError for what nobody knows */
function understood(event: JournalEvent): Understood | null {
  if (FOREIGN_KINDS.test(event.kind)) return null
  if (event.kind.startsWith('governance.')) return { room: 'governance', event: GovernanceEvent.parse(event) }
  return { room: 'economy', event: EconomyEventSchema.parse(event) }
}

/** Plain data, to be copied before it changes. */
export interface SavedEconomy {
  state: EconomyState
  governance: GovernanceState
  parameters: Parameters
  servedHours: readonly number[]
  trades: SavedTrades
}

/** State that follows from the journal, and the few things that every part of the economy does with it. */
export class EconomyCore {
  readonly nodeId: string
  readonly ports: EconomyPorts
  readonly trades = new TradeBook()
  state: EconomyState = INITIAL_ECONOMY
  governance: GovernanceState = INITIAL_GOVERNANCE
  /** Trades between two others, as the mesh has told of them. */
  heardTrades: (one: string, other: string) => bigint = () => 0n
  /** As the votes that were carried out have left them. */
  parameters: Parameters = defaultParameters()
  /** Hours since the Unix epoch, not yet settled, in which a market sample found this host able to serve. */
  readonly #servedHours = new Set<number>()

  constructor(ports: EconomyPorts) {
    this.ports = ports
    this.nodeId = ports.node.publicKeyHex
  }

  /** Folds one record of the journal. @throws ZodError or Error when it makes no sense */
  fold(events: readonly JournalEvent[]): void {
    for (const event of events) {
      const known = understood(event)
      if (known?.room === 'governance') this.#foldGovernance(known.event)
      if (known?.room === 'economy') this.#foldEconomy(known.event)
    }
  }

  #foldGovernance(event: GovernanceEvent): void {
    this.governance = applyGovernanceEvent(this.governance, event)
    if (event.kind !== 'governance.executed' || event.effect.type !== 'parameter') return
    this.parameters = withParameter(this.parameters, event.effect.name, event.effect.value)
  }

  #foldEconomy(event: EconomyEvent): void {
    this.state = applyEconomy(this.state, event)
    if (event.kind === 'market.updated') {
      const hour = Math.floor(event.atMs / HOUR_MS)
      // Served or not, that period was paid: a clock set back must not earn it again.
      if (hour >= this.#settledHours()) this.#servedHours.add(hour)
    }
    if (event.kind !== 'yield.settled' || event.node !== this.nodeId) return
    const settledHours = this.#settledHours()
    for (const hour of this.#servedHours) if (hour < settledHours) this.#servedHours.delete(hour)
  }

  /** Hours since the Unix epoch whose yield is settled. */
  #settledHours(): number {
    const account = tableGet(this.state.yield.accounts, this.nodeId)
    return account ? account.period * this.parameters.YIELD_PERIOD_HOURS : 0
  }

  servedIn(hour: number): boolean {
    return hour < this.#settledHours() || this.#servedHours.has(hour)
  }

  /** Hours served before the period of `nowMs` began and not yet settled. */
  hoursServed(nowMs: number): number {
    const periodHours = this.parameters.YIELD_PERIOD_HOURS
    const startHour = Math.floor(nowMs / (periodHours * HOUR_MS)) * periodHours
    return [...this.#servedHours].filter((hour) => hour < startHour).length
  }

  /** @throws TiramiError CLOCK_UNREADABLE */
  nowMs(): number {
    return readClockMs(this.ports.clock)
  }

  /**
   * What the owner paid himself is no money: it stands against the debt of his own keys, so it is taken off before
   * anything is staked, lent, pledged or repaid.
   */
  balanceTrm(account: string): bigint {
    const balance = this.ports.ledger().accountTrm(account)
    if (!account.startsWith(AVAILABLE)) return balance
    return balance - this.trades.ownUseTrm(account.slice(AVAILABLE.length))
  }

  context(nowMs = this.nowMs()): EconomyContext {
    return { nowMs, parameters: this.parameters, balanceTrm: (account) => this.balanceTrm(account) }
  }

  /**
   * One record: it counts before this returns and is on the disk when the promise resolves. What replay would refuse
   * is refused now, because a journal that makes no sense stops the next start.
   */
  write(events: readonly JournalEvent[], movements: readonly Movement[] = []): Promise<void> {
    for (const event of events) understood(event)
    return this.ports.ledger().post(events, movements)
  }

  async post<Event extends EconomyEvent>({ event, movements }: Decision<Event>): Promise<Event> {
    await this.write([event], movements)
    return event
  }

  /**
   * Effective reputation (spec section 2.8). The collusion penalty counts where slashing may judge too: with fewer
   * than four providers every graph looks like a cluster.
   */
  reputation(node: string, nowMs = this.nowMs()): number {
    const { parameters: p, trades } = this
    const own = localReputation(this.state.reputation, node, p)
    // Whoever was slashed vouches for nobody.
    const observations = observationsOf(this.state.reputation, node).filter(
      ({ observer }) => !hasFault(this.state.slashing, observer),
    )
    const shown = ({ observer, timestampMs }: { observer: string; timestampMs: number }) =>
      decayed(this.shownTrades(observer, node), nowMs - timestampMs, p)
    const consensus = consensusReputation(own, observations, shown, p)
    const complaints = complaintsOf(this.state.reputation, node)
    const complained = complaintPenalty(complaints, (complainant) => this.trustIn(complainant), nowMs, p)
    const { providers, report } = trades.collusion(nowMs, p)
    const judged = providers.length >= p.SLASH_MIN_PROVIDERS
    const taken = penaltySince(this.state.slashing, node, nowMs - p.COLLUSION_WINDOW_MS)
    const colluded = judged ? Math.max(0, report(node).trustPenalty - taken) : 0
    return effectiveReputation(consensus, colluded + complained)
  }

  /** Trades between the two that this host can see, for the weight of what one says of the other. */
  shownTrades(observer: string, subject: string): bigint {
    const { trades } = this
    return verifiableTrades({
      booked: trades.tradesBetween(observer, subject),
      heard: this.heardTrades(observer, subject),
      served: trades.servedBy(observer),
    })
  }

  /** What a node's word weighs where it cannot be checked: the answers that it has given to this host. */
  trustIn(node: string): bigint {
    return hasFault(this.state.slashing, node) ? 0n : this.trades.servedBy(node)
  }

  /** All that was folded, for a snapshot of the journal. */
  save(): SavedEconomy {
    const { state, governance, parameters } = this
    return { state, governance, parameters, servedHours: [...this.#servedHours], trades: this.trades.save() }
  }

  /** Into a core that has folded nothing yet. */
  restore({ state, governance, parameters, servedHours, trades }: SavedEconomy): void {
    this.state = state
    this.governance = governance
    this.parameters = parameters
    for (const hour of servedHours) this.#servedHours.add(hour)
    this.trades.restore(trades)
  }

  /** Plain JSON; two hosts that heard the same journal have the same text. */
  encoded(): unknown {
    return {
      economy: encodeEconomyState(this.state),
      governance: z.encode(GovernanceStateCodec, this.governance),
      parameters: GOVERNED.map((name) => this.parameters[name]),
      servedHours: [...this.#servedHours].sort((left, right) => left - right),
    }
  }
}
