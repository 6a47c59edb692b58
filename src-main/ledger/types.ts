import type { Earnings, EarningsRange, Trade, TradeProof } from '../../src-preload/contract/index.ts'
import type { KeyPair } from '../kernel/index.ts'

/** What both parties sign (spec section 2.3, layout v2). */
export interface TradeTerms {
  provider: string
  consumer: string
  amountTrm: bigint
  tokensProcessed: bigint
  timestampMs: bigint
  modelId: string
  /** 16 bytes, not all zero. */
  nonce: Uint8Array
}

export interface SignedTrade {
  terms: TradeTerms
  /** 64 bytes over `canonicalTradeBytes(terms)`. */
  providerSignature: Uint8Array
  consumerSignature: Uint8Array
}

/** A trade whose both parties' keys this host holds: the ledger signs it. */
export interface UnsignedTrade {
  terms: TradeTerms
  providerKey: KeyPair
  consumerKey: KeyPair
}

/** Facts about the job that are not signed. */
export interface JobFacts {
  flop: bigint
  promptTokens: number
  completionTokens: number
  /** Prompt tokens that were kept from the tenant's last job: `flop` leaves them out. Absent: none. */
  cachedTokens?: number
  latencyMs: number
  consumerLabel: string
  /** The consumer key is held by this machine. */
  ownKey: boolean
  /** The other party is another host, which has signed by itself. Absent: both keys are held here. */
  remote?: true
  /**
   * Part of the amount that only passes through this host, because it asks another one for a guest: no income where the
   * guest pays it, no spending where it is paid on. Absent: nothing of it.
   */
  passedOnTrm?: bigint
}

export interface ReserveRequest {
  consumer: string
  provider: string
  amountTrm: bigint
  /** After this moment the reservation may be voided by the ledger. */
  expiresAtMs: number
  /** How far below zero the consumer's account may go, in TRM (spec section 2.1: 1000 for strangers). */
  creditLimitTrm: bigint
}

/** A node's account, derived from the transfers. */
export interface Balance {
  contributedTrm: bigint
  consumedTrm: bigint
  reservedTrm: bigint
}

export interface NetworkTotals {
  nodes: number
  contributedTrm: bigint
  consumedTrm: bigint
  trades: number
}

export interface JournalFacts {
  records: number
  bytes: number
  headHashHex: string
  /** `savedAs` is an absolute path. */
  recovery: { tornBytes: number; savedAs: string } | null
  /** False after a failed write: nothing more is sold until the host has been restarted. */
  writable: boolean
}

/** TRM from one account to another, for a reason. */
export interface Movement {
  /** `available:<node>`, `staked:<node>`, `collateral:<node>`, `system:<name>`. */
  debit: string
  credit: string
  amountTrm: bigint
  code: string
}

/** Plain JSON that a room of the economy decided and folds again on replay. `kind` is `room.what-happened`. */
export interface JournalEvent {
  kind: string
}

/** Hears of every record, in the journal's order: on replay at open, and live when the record takes effect. */
export interface JournalObserver {
  /** The economy's own events. @throws anything to refuse a journal that does not make sense */
  events(events: readonly JournalEvent[], atMs: number): void
  trade?(trade: ObservedTrade): void
  /**
   * All that was heard so far, as plain data that a structured clone can carry. Without it there are no snapshots and
   * every start hears the whole journal.
   */
  save?(): unknown
  /** Called first, and once, instead of hearing what `save` had heard. @throws anything to refuse, unchanged */
  restore?(saved: unknown): void
}

/** One booked trade as the journal tells it. */
export interface ObservedTrade {
  provider: string
  consumer: string
  amountTrm: bigint
  timestampMs: number
  /** The consumer's key is held by this machine: the owner paid himself. */
  ownKey: boolean
  /** Set when the other party is another host: what both have signed. */
  remote?: SignedTrade
  /** As `JobFacts` has it; 0 for nothing. */
  passedOnTrm: bigint
}

/** Root of the transparency tree (RFC 6962) over the canonical bytes of the first `size` trades. */
export interface TransparencyHead {
  size: number
  rootHex: string
}

/** Trade number `index` is in the tree of `treeSize` trades. */
export interface InclusionProof {
  tradeId: string
  index: number
  treeSize: number
  rootHex: string
  leafHashHex: string
  /** Siblings from the leaf up. */
  pathHex: string[]
  /** What both parties signed; the leaf hash is SHA-256(0x00 ‖ these bytes). */
  signedBytesHex: string
}

/** The first `first` of `second` trades are still the same, in the same order. */
export interface ConsistencyProof {
  first: number
  second: number
  firstRootHex: string
  secondRootHex: string
  pathHex: string[]
}

/** Who owes what is not the projection's to say. */
export type LedgerEarnings = Omit<Earnings, 'allTimeOnCreditTrm'>

/** The ledger of record. All amounts are whole TRM. */
export interface Ledger {
  /**
   * Moves `amountTrm` from available to reserved. Written in order, not yet durable: nothing was promised.
   * @returns the reservation id, good for exactly one settle or void.
   * @throws TiramiError INSUFFICIENT_BALANCE (402), TRADE_INVALID (400; no amount, provider = consumer),
   *   JOURNAL_WRITE_FAILED (503), LEDGER_CLOSED
   */
  reserve(request: ReserveRequest): string
  /**
   * Posts at most the reserved amount, releases the rest, books the trade; all or nothing.
   * Resolves when the records are on disk: only then may the trade be acknowledged. Signatures that come from elsewhere
   * are verified strictly; those that the ledger makes itself are not verified again.
   * @throws TiramiError RESERVATION_UNKNOWN (409; used, voided or expired), TRADE_INVALID (400; bad signature,
   *   replayed nonce, wrong parties, amount above the reservation), JOURNAL_WRITE_FAILED (503), LEDGER_CLOSED
   */
  settle(reservationId: string, trade: SignedTrade | UnsignedTrade, facts: JobFacts): Promise<Trade>
  /** Releases the whole reservation. Unknown ids are ignored: voiding twice is harmless. */
  void(reservationId: string, reason: string): void
  /**
   * Journals what the economy decided with the TRM that moves with it: all or nothing. Takes effect (accounts and
   * observer) before this returns; the promise resolves when it is on disk.
   * @throws TiramiError EVENT_INVALID (400), JOURNAL_WRITE_FAILED (503), LEDGER_CLOSED
   */
  post(events: readonly JournalEvent[], movements?: readonly Movement[]): Promise<void>
  balance(nodeId: string): Balance
  /** Balance of one account, such as `staked:<node>`. */
  accountTrm(account: string): bigint
  network(): NetworkTotals
  journal(): JournalFacts
  merkleRootHex(): string
  tradeCount(): number
  /** Newest first. @throws TiramiError PROJECTION_UNAVAILABLE (503), LEDGER_CLOSED; so do the next two */
  listTrades(query: { limit: number; beforeIndex?: number }): Promise<Trade[]>
  /** What passed through is not in it. */
  earnings(provider: string, range: EarningsRange): Promise<LedgerEarnings>
  /** Trades with other hosts, numbered from 0 in the order of booking. Throws what `listTrades` throws. */
  remoteTrades(from: number, limit: number): Promise<SignedTrade[]>
  /** Whether a trade of this provider with this nonce is booked. */
  sawNonce(terms: Pick<TradeTerms, 'provider' | 'nonce'>): boolean
  /** @throws TiramiError TRADE_NOT_FOUND (404) */
  proveTrade(tradeId: string): Promise<TradeProof>
  transparency(): TransparencyHead
  /** @throws TiramiError TRADE_NOT_FOUND (404), PROOF_RANGE_INVALID (400), and what `listTrades` throws */
  proveInclusion(tradeId: string, treeSize?: number): Promise<InclusionProof>
  /** @throws TiramiError PROOF_RANGE_INVALID (400) */
  proveConsistency(first: number, second?: number): ConsistencyProof
  onTrade(listener: (trade: Trade) => void): () => void
  /** Commits what is pending, saves the projection, releases the directory lock. */
  close(): Promise<void>
}
