import { type CollusionReport, collusionReports, type Parameters, type TradeEdge } from '../economy/index.ts'
import type { ObservedTrade } from '../ledger/index.ts'

interface NodeTrades {
  earnedTrm: bigint
  spentTrm: bigint
  firstMs: number
}

interface PairTrades {
  count: bigint
  volumeTrm: bigint
}

/** Plain data of a `TradeBook`, to be copied before it changes. */
export interface SavedTrades {
  nodes: ReadonlyMap<string, NodeTrades>
  pairs: ReadonlyMap<string, PairTrades>
  ownUseTrm: ReadonlyMap<string, bigint>
  served: ReadonlyMap<string, bigint>
  recent: readonly TradeEdge[]
  trades: number
  passedOnTrm: bigint
}

/** What the last 24 hours say about every node. */
export interface CollusionWindow {
  report(subject: string): CollusionReport
  providers: readonly string[]
}

/** Enough for more than one trade per second over the window; older evidence leaves first. */
const RECENT_TRADES_MAX = 100_000
const DAY_MS = 86_400_000
/** Reports are made of a whole day: they may be this old. */
const WINDOW_REUSE_MS = 60_000

/**
 * What the economy must know about trades and the ledger's totals do not tell: who traded with a stranger. Trades
 * that the owner paid himself count for nothing here. Every figure is a sum, a minimum or a set, so the order in
 * which trades are heard does not matter and replay gives the same.
 */
export class TradeBook {
  readonly #nodes = new Map<string, NodeTrades>()
  readonly #pairs = new Map<string, PairTrades>()
  readonly #ownUseTrm = new Map<string, bigint>()
  readonly #served = new Map<string, bigint>()
  #recent: TradeEdge[] = []
  #window: { trades: number; atMs: number; value: CollusionWindow } | null = null
  #trades = 0
  #passedOnTrm = 0n

  /** What `restore` takes. */
  save(): SavedTrades {
    return {
      nodes: this.#nodes,
      pairs: this.#pairs,
      ownUseTrm: this.#ownUseTrm,
      served: this.#served,
      recent: this.#recent,
      trades: this.#trades,
      passedOnTrm: this.#passedOnTrm,
    }
  }

  /** Into a book that has heard nothing yet. */
  restore(saved: SavedTrades): void {
    for (const [id, node] of saved.nodes) this.#nodes.set(id, node)
    for (const [pair, traded] of saved.pairs) this.#pairs.set(pair, { ...traded })
    for (const [node, amountTrm] of saved.ownUseTrm) this.#ownUseTrm.set(node, amountTrm)
    for (const [node, count] of saved.served) this.#served.set(node, count)
    this.#recent = [...saved.recent]
    this.#trades = saved.trades
    this.#passedOnTrm = saved.passedOnTrm
  }

  /** What only passed through this node is neither its income nor its spending. */
  note({ provider, consumer, amountTrm, passedOnTrm, timestampMs, ownKey, remote }: ObservedTrade): void {
    if (ownKey) {
      this.#ownUseTrm.set(provider, this.ownUseTrm(provider) + amountTrm)
      return
    }
    this.#trades++
    const earner = this.#node(provider, timestampMs)
    earner.earnedTrm += remote ? amountTrm : amountTrm - passedOnTrm
    this.#node(consumer, timestampMs).spentTrm += remote ? amountTrm - passedOnTrm : amountTrm
    this.#passedOnTrm += remote ? passedOnTrm : 0n
    if (remote) this.#served.set(provider, this.servedBy(provider) + 1n)
    const pair = pairKey(provider, consumer)
    const traded = this.#pairs.get(pair) ?? { count: 0n, volumeTrm: 0n }
    traded.count++
    traded.volumeTrm += amountTrm
    this.#pairs.set(pair, traded)
    this.#recent.push({ provider, consumer, amountTrm, atMs: timestampMs })
    if (this.#recent.length > 1.25 * RECENT_TRADES_MAX) this.#recent = this.#recent.slice(-RECENT_TRADES_MAX)
  }

  /** Paid to the node by strangers, ever. */
  earnedTrm(node: string): bigint {
    return this.#nodes.get(node)?.earnedTrm ?? 0n
  }

  spentTrm(node: string): bigint {
    return this.#nodes.get(node)?.spentTrm ?? 0n
  }

  /** Paid on by this node for questions of its guests, ever: it earned it from nobody. */
  passedOnTrm(): bigint {
    return this.#passedOnTrm
  }

  /** Strangers that have paid for anything. */
  consumers(): string[] {
    return [...this.#nodes].filter(([, { spentTrm }]) => spentTrm > 0n).map(([id]) => id)
  }

  /** Paid to the node by its owner's own keys, ever: a debt of the same household. */
  ownUseTrm(node: string): bigint {
    return this.#ownUseTrm.get(node) ?? 0n
  }

  /** Days since the node's first trade with a stranger. */
  ageDays(node: string, nowMs: number): number {
    const firstMs = this.#nodes.get(node)?.firstMs ?? nowMs
    return Math.max(0, (nowMs - firstMs) / DAY_MS)
  }

  /** Nodes that have consumed and contributed nothing (spec section 2.12). */
  unprovenNodes(): number {
    let count = 0
    for (const { earnedTrm, spentTrm } of this.#nodes.values()) if (earnedTrm === 0n && spentTrm > 0n) count++
    return count
  }

  /** How many trades between the two this ledger holds, either way round. */
  tradesBetween(one: string, other: string): bigint {
    return this.#pairs.get(pairKey(one, other))?.count ?? 0n
  }

  /** What they were about, in TRM. */
  volumeTrm(one: string, other: string): bigint {
    return this.#pairs.get(pairKey(one, other))?.volumeTrm ?? 0n
  }

  /** How many answers this node has bought from the other host. */
  servedBy(provider: string): bigint {
    return this.#served.get(provider) ?? 0n
  }

  collusion(nowMs: number, parameters: Parameters): CollusionWindow {
    const known = this.#window
    const fresh = known?.trades === this.#trades && Math.abs(nowMs - known.atMs) < WINDOW_REUSE_MS
    if (known && fresh) return known.value
    const fromMs = nowMs - parameters.COLLUSION_WINDOW_MS
    const trades = this.#recent.filter(({ atMs }) => atMs >= fromMs && atMs <= nowMs)
    const value: CollusionWindow = {
      report: collusionReports(trades, nowMs, parameters),
      providers: [...new Set(trades.map(({ provider }) => provider))],
    }
    this.#window = { trades: this.#trades, atMs: nowMs, value }
    return value
  }

  #node(id: string, atMs: number): NodeTrades {
    const known = this.#nodes.get(id)
    if (known) {
      known.firstMs = Math.min(known.firstMs, atMs)
      return known
    }
    const created: NodeTrades = { earnedTrm: 0n, spentTrm: 0n, firstMs: atMs }
    this.#nodes.set(id, created)
    return created
  }
}

function pairKey(one: string, other: string): string {
  return one < other ? `${one}:${other}` : `${other}:${one}`
}
