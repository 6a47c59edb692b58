import { hexFromBytes } from '../kernel/index.ts'
import { canonicalTradeBytes, type SignedTrade, TransparencyTree } from '../ledger/index.ts'
import type { PriceSignal } from './offer.ts'
import { isSound, jobKey, tradeIdOf } from './trades.ts'

/** A trade between two other hosts, or one of them and this one, with both signatures checked here. */
export interface ObservedTrade {
  tradeId: string
  trade: SignedTrade
  firstSeenMs: number
}

export const OBSERVED_MAX = 50_000
const MIRRORS_MAX = 256

/** The trades that another host says it has booked, in its order. */
interface Mirror {
  tree: TransparencyTree
  /** Signals in which it had signed a root of this tree, by size, oldest first. */
  heads: Map<number, Uint8Array>
}

const HEADS_KEPT = 8

export type Compared =
  /** Nothing is missing. */
  | 'same'
  /** The host has more than this one knows of it. */
  | 'behind'
  /** An older state of the same history. */
  | 'older'
  /** Not what it had shown before. */
  | 'forked'

/**
 * What this host knows of the trades of others. They are never booked: who owes whom elsewhere is not this ledger's to
 * say. They show that a host has really traded.
 */
export class Observatory {
  readonly #trades = new Map<string, ObservedTrade>()
  /** Of the checkpoints of one job the one with the highest amount counts. */
  readonly #byJob = new Map<string, string>()
  readonly #mirrors = new Map<string, Mirror>()
  readonly #pairs = new Map<string, bigint>()
  /** By host, in the order in which they came: its trades that may not be in its mirror yet. */
  readonly #loose = new Map<string, Map<string, SignedTrade>>()
  readonly #max: number

  constructor(max = OBSERVED_MAX) {
    this.#max = max
  }

  /** Checks both signatures. @returns `known` too for an earlier checkpoint of a job that is known */
  observe(trade: SignedTrade, nowMs: number): 'new' | 'known' | 'unsound' {
    const tradeId = tradeIdOf(trade.terms)
    if (this.#trades.has(tradeId)) return 'known'
    if (!isSound(trade)) return 'unsound'
    const job = jobKey(trade.terms)
    const before = this.#trades.get(this.#byJob.get(job) ?? '')
    if (before && before.trade.terms.amountTrm >= trade.terms.amountTrm) return 'known'
    if (before) this.#drop(before)
    this.#byJob.set(job, tradeId)
    this.#trades.set(tradeId, { tradeId, trade, firstSeenMs: nowMs })
    this.#count(trade, 1n)
    for (const party of partiesOf(trade)) {
      const loose = this.#loose.get(party) ?? new Map<string, SignedTrade>()
      this.#loose.set(party, loose.set(tradeId, trade))
    }
    if (this.#trades.size > this.#max) this.#forgetOne()
    return 'new'
  }

  /** Trades between the two, either way round. */
  between(one: string, other: string): bigint {
    return this.#pairs.get(pairKey(one, other)) ?? 0n
  }

  ofJob(job: Parameters<typeof jobKey>[0]): ObservedTrade | undefined {
    return this.#trades.get(this.#byJob.get(jobKey(job)) ?? '')
  }

  get(tradeId: string): ObservedTrade | undefined {
    return this.#trades.get(tradeId)
  }

  get size(): number {
    return this.#trades.size
  }

  /** Newest first. */
  latest(limit: number): ObservedTrade[] {
    return [...this.#trades.values()].slice(-limit).reverse()
  }

  /** Trades of the other host that are mirrored here, from its first one on. */
  mirrored(origin: string): number {
    return this.#mirrors.get(origin)?.tree.size ?? 0
  }

  /** @param signalBytes the signed message in which the origin says so */
  compare(origin: string, { size, rootHex }: PriceSignal['log'], signalBytes: Uint8Array): Compared {
    const mirror = this.#mirror(origin)
    const { tree, heads } = mirror
    if (size > tree.size) {
      if (!this.#completed(origin, { size, rootHex })) return 'behind'
      keepHead(heads, size, signalBytes)
      return 'same'
    }
    if (hexFromBytes(tree.root(size)) !== rootHex) return 'forked'
    keepHead(heads, size, signalBytes)
    if (size < tree.size) return 'older'
    this.#loose.delete(origin)
    return 'same'
  }

  /** Mostly all that is missing was heard already, in the order in which it was booked: the root tells. */
  #completed(origin: string, { size, rootHex }: PriceSignal['log']): boolean {
    const { tree, heads } = this.#mirror(origin)
    const loose = this.#loose.get(origin)
    const missing = size - tree.size
    if (!loose || loose.size < missing) return false
    const longer = TransparencyTree.restore(tree.save())
    const next = [...loose].slice(0, missing)
    for (const [, { terms }] of next) longer.append(canonicalTradeBytes(terms))
    if (hexFromBytes(longer.root()) !== rootHex) return false
    this.#mirrors.set(origin, { tree: longer, heads })
    for (const [tradeId] of next) loose.delete(tradeId)
    return true
  }

  /**
   * The next trades of the origin's history. All or none: `false` when one is not a sound trade of the origin, or the
   * whole does not lead to the root that it signed.
   */
  extend(
    origin: string,
    trades: readonly SignedTrade[],
    signed: PriceSignal['log'],
    signalBytes: Uint8Array,
  ): boolean {
    const { tree, heads } = this.#mirror(origin)
    const isOfOrigin = ({ terms }: SignedTrade) => terms.provider === origin || terms.consumer === origin
    if (!trades.every((trade) => isOfOrigin(trade) && isSound(trade))) return false
    const longer = TransparencyTree.restore(tree.save())
    for (const { terms } of trades) longer.append(canonicalTradeBytes(terms))
    if (longer.size === signed.size && hexFromBytes(longer.root()) !== signed.rootHex) return false
    if (longer.size === signed.size) keepHead(heads, signed.size, signalBytes)
    this.#mirrors.set(origin, { tree: longer, heads })
    for (const { terms } of trades) this.#loose.get(origin)?.delete(tradeIdOf(terms))
    return true
  }

  /** The signed message that had a root of so many trades, while it is at hand. */
  headOf(origin: string, size: number): Uint8Array | undefined {
    return this.#mirrors.get(origin)?.heads.get(size)
  }

  /** To begin again from its first trade. */
  forgetMirror(origin: string): void {
    this.#mirrors.delete(origin)
  }

  #mirror(origin: string): Mirror {
    const mirror = this.#mirrors.get(origin) ?? { tree: new TransparencyTree(), heads: new Map() }
    this.#mirrors.delete(origin)
    this.#mirrors.set(origin, mirror)
    const [longest] = this.#mirrors.keys()
    if (this.#mirrors.size > MIRRORS_MAX && longest !== undefined) this.#mirrors.delete(longest)
    return mirror
  }

  #forgetOne(): void {
    for (const observed of this.#trades.values()) {
      this.#drop(observed)
      const job = jobKey(observed.trade.terms)
      if (this.#byJob.get(job) === observed.tradeId) this.#byJob.delete(job)
      return
    }
  }

  #count({ terms }: SignedTrade, change: bigint): void {
    const key = pairKey(terms.provider, terms.consumer)
    const count = (this.#pairs.get(key) ?? 0n) + change
    if (count > 0n) this.#pairs.set(key, count)
    else this.#pairs.delete(key)
  }

  #drop({ tradeId, trade }: ObservedTrade): void {
    this.#trades.delete(tradeId)
    this.#count(trade, -1n)
    for (const party of partiesOf(trade)) {
      const loose = this.#loose.get(party)
      loose?.delete(tradeId)
      if (loose?.size === 0) this.#loose.delete(party)
    }
  }
}

function keepHead(heads: Mirror['heads'], size: number, signalBytes: Uint8Array): void {
  heads.set(size, signalBytes)
  const [oldest] = heads.keys()
  if (heads.size > HEADS_KEPT && oldest !== undefined) heads.delete(oldest)
}

const pairKey = (one: string, other: string): string => (one < other ? `${one}:${other}` : `${other}:${one}`)

const partiesOf = ({ terms }: SignedTrade): [string, string] => [terms.provider, terms.consumer]
