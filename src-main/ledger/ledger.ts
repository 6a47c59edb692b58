import type { Earnings, EarningsRange, Trade, TradeProof } from '../../src-preload/contract/index.ts'
import { type Clock, hexFromBytes, verifyStrict } from '../kernel/index.ts'
import {
  eventInvalid,
  insufficientBalance,
  ledgerClosed,
  projectionUnavailable,
  reservationUnknown,
  tradeInvalid,
  tradeNotFound,
} from './errors.ts'
import { Journal } from './journal.ts'
import { makePrivateDirectory, type OpenJournalFile, openDiskFile } from './journal-file.ts'
import type { JournalPosition } from './journal-format.ts'
import { lockDirectory } from './lock.ts'
import { Projection, projectTrade } from './projection.ts'
import type { ProjectedTrade } from './projection-store.ts'
import { consistencyProof, inclusionProof, transparencyHead } from './proofs.ts'
import {
  type EventsRecord,
  type ReserveRecord,
  type SettleRecord,
  TEXT_MAX,
  type VoidRecord,
} from './record-types.ts'
import { decodeRecord, encodeRecord, eventsProblem, factsProblem, reserveProblem } from './records.ts'
import {
  LedgerState,
  numbered,
  type Reservation,
  reserveTransfers,
  settleTransfers,
  voidTransfers,
} from './state.ts'
import { isZeroNonce, nonceKey, verifySignatures } from './trade.ts'
import { transparencyLeafHash } from './transparency.ts'
import type {
  Balance,
  ConsistencyProof,
  InclusionProof,
  JobFacts,
  JournalEvent,
  JournalFacts,
  JournalObserver,
  Ledger,
  Movement,
  NetworkTotals,
  ObservedTrade,
  ReserveRequest,
  SignedTrade,
  TradeTerms,
  TransparencyHead,
} from './types.ts'

/** How far a trade's timestamp may be from now, either way (spec section 2.4). */
const TIMESTAMP_TOLERANCE_MS = 3_600_000n

export interface OpenLedgerOptions {
  /** Holds everything of the ledger; created when missing, readable by the owner only. */
  directory: string
  clock: Clock
  /** `projection.worker.ts` in tests, its bundle in production. */
  projectionWorkerUrl: URL
  /** Folds the economy's events; hears the whole journal before `openLedger` resolves. */
  observer?: JournalObserver
  /** Opens journal files; the default is the disk. */
  file?: OpenJournalFile
}

/** A settle whose record is in the journal's buffer and not yet known to be on the disk. */
interface Settling {
  record: SettleRecord
  end: JournalPosition
  trade: Trade | null
}

/** Checks everything that the terms say by themselves. @throws TiramiError TRADE_INVALID */
function assertTerms(trade: SignedTrade, nowMs: number): void {
  const { terms } = trade
  if (terms.provider === terms.consumer) throw tradeInvalid('provider and consumer are the same')
  if (terms.amountTrm <= 0n) throw tradeInvalid('the amount is not above zero')
  if (isZeroNonce(terms.nonce)) throw tradeInvalid('the nonce is all zero')
  const ageMs = BigInt(nowMs) - terms.timestampMs
  if (ageMs > TIMESTAMP_TOLERANCE_MS || ageMs < -TIMESTAMP_TOLERANCE_MS) {
    throw tradeInvalid('its timestamp is more than an hour away')
  }
  let valid: ReturnType<typeof verifySignatures>
  try {
    valid = verifySignatures(trade)
  } catch (error) {
    if (error instanceof RangeError) throw tradeInvalid(error.message)
    throw error
  }
  if (!valid.providerValid) throw tradeInvalid("the provider's signature does not fit")
  if (!valid.consumerValid) throw tradeInvalid("the consumer's signature does not fit")
}

/** The caller keeps its arrays; what is booked must not change with them. */
function ownCopy(trade: SignedTrade): SignedTrade {
  return {
    terms: { ...trade.terms, nonce: Uint8Array.from(trade.terms.nonce) },
    providerSignature: Uint8Array.from(trade.providerSignature),
    consumerSignature: Uint8Array.from(trade.consumerSignature),
  }
}

/**
 * Decides on the state, writes the journal, and lets the state follow. Holds take effect at once; a trade counts only
 * when it is on the disk, so nothing that could still be lost is ever shown or spent.
 */
class JournaledLedger implements Ledger {
  readonly #state: LedgerState
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #projection: Projection
  readonly #unlock: () => Promise<void>
  readonly #observer: JournalObserver | undefined
  /** In the order of the journal. */
  readonly #settling: Settling[] = []
  /** Reservations and nonces of the trades in `#settling`. */
  readonly #claims = new Set<string>()
  readonly #listeners = new Set<(trade: Trade) => void>()
  #closing: Promise<void> | null = null

  constructor(parts: {
    state: LedgerState
    clock: Clock
    journal: Journal
    projection: Projection
    unlock: () => Promise<void>
    observer: JournalObserver | undefined
  }) {
    this.#state = parts.state
    this.#clock = parts.clock
    this.#journal = parts.journal
    this.#projection = parts.projection
    this.#unlock = parts.unlock
    this.#observer = parts.observer
    this.#journal.onDurable((end) => this.#bookUpTo(end))
  }

  /** Holds of jobs that died with the last process. */
  async voidLeftovers(): Promise<void> {
    for (const held of this.#state.allPending()) this.#release(held, 'restart')
    await this.#journal.commit()
  }

  reserve(request: ReserveRequest): string {
    this.#assertOpen()
    const { consumer, provider, amountTrm, creditLimitTrm, expiresAtMs } = request
    const atMs = this.#nowMs()
    this.#releaseExpired(consumer, atMs)
    const sequence = this.#journal.nextSeq
    const record: ReserveRecord = {
      kind: 'reserve',
      atMs,
      reservation: `r${sequence}`,
      consumer,
      provider,
      amountTrm,
      creditLimitTrm,
      expiresAtMs,
      transfers: reserveTransfers(sequence, atMs, consumer, amountTrm),
    }
    const problem = reserveProblem(record)
    if (problem) throw tradeInvalid(problem)
    if (consumer === provider) throw tradeInvalid('provider and consumer are the same')
    const spendableTrm = this.#state.accounts.spendableTrm(consumer, creditLimitTrm)
    if (amountTrm > spendableTrm) throw insufficientBalance(amountTrm, spendableTrm)
    this.#journal.append(encodeRecord(record))
    this.#state.apply(sequence, record)
    return record.reservation
  }

  async settle(reservationId: string, trade: SignedTrade, facts: JobFacts): Promise<Trade> {
    this.#assertOpen()
    const atMs = this.#nowMs()
    const held = this.#heldForSettle(reservationId, atMs)
    const { terms, providerSignature, consumerSignature } = ownCopy(trade)
    this.#assertFits(held, terms)
    assertTerms({ terms, providerSignature, consumerSignature }, atMs)
    const problem = factsProblem(facts)
    if (problem) throw tradeInvalid(problem)

    const settling = this.#appendSettle({
      kind: 'settle',
      atMs,
      reservation: held.id,
      terms,
      providerSignature,
      consumerSignature,
      facts: { ...facts },
      transfers: settleTransfers(this.#journal.nextSeq, atMs, held, terms.amountTrm),
    })
    await this.#journal.commit()
    if (!settling.trade) throw new Error('the journal committed a trade that was not booked')
    return settling.trade
  }

  void(reservationId: string, reason: string): void {
    const held = this.#state.pending(reservationId)
    // When nothing can be written any more, the next start voids what is pending.
    if (!held || this.#claims.has(held.id) || this.#closing || !this.#journal.writable) return
    this.#release(held, reason)
  }

  post(events: readonly JournalEvent[], movements: readonly Movement[] = []): Promise<void> {
    this.#assertOpen()
    const atMs = this.#nowMs()
    const sequence = this.#journal.nextSeq
    const record: EventsRecord = {
      kind: 'events',
      atMs,
      events: [...events],
      transfers: numbered(sequence, atMs, movements),
    }
    const problem = eventsProblem(record)
    if (problem) throw eventInvalid(problem)
    this.#state.accounts.assertApplicable(record.transfers)
    this.#journal.append(encodeRecord(record))
    this.#state.apply(sequence, record)
    this.#observer?.events(record.events, atMs)
    return this.#journal.commit()
  }

  balance(nodeId: string): Balance {
    return this.#state.accounts.node(nodeId)
  }

  accountTrm(account: string): bigint {
    return this.#state.accounts.balanceTrm(account)
  }

  network(): NetworkTotals {
    const { nodeCount, tradedTrm } = this.#state.accounts
    return {
      nodes: nodeCount,
      contributedTrm: tradedTrm,
      consumedTrm: tradedTrm,
      trades: this.#state.tradeCount,
    }
  }

  journal(): JournalFacts {
    const { seq, offset, chainHash } = this.#journal.durable
    return {
      records: seq,
      bytes: offset,
      headHashHex: hexFromBytes(chainHash),
      recovery: this.#journal.recovery,
      writable: this.#journal.writable,
    }
  }

  merkleRootHex(): string {
    return hexFromBytes(this.#state.merkleRoot())
  }

  tradeCount(): number {
    return this.#state.tradeCount
  }

  listTrades(query: { limit: number; beforeIndex?: number }): Promise<Trade[]> {
    const beforeIndex = query.beforeIndex ?? Number.MAX_SAFE_INTEGER
    return this.#projection.call({ name: 'list', limit: query.limit, beforeIndex })
  }

  earnings(provider: string, range: EarningsRange): Promise<Earnings> {
    return this.#projection.call({ name: 'earnings', provider, range, nowMs: this.#nowMs() })
  }

  async proveTrade(tradeId: string): Promise<TradeProof> {
    const found = await this.#projection.call({ name: 'find', tradeId })
    if (!found) throw tradeNotFound()
    const { trade, signedBytes, providerSignature, consumerSignature } = found
    return {
      tradeId,
      signedBytesHex: hexFromBytes(signedBytes),
      providerSignatureHex: hexFromBytes(providerSignature),
      consumerSignatureHex: hexFromBytes(consumerSignature),
      providerValid: verifyStrict(trade.provider, signedBytes, providerSignature),
      consumerValid: verifyStrict(trade.consumer, signedBytes, consumerSignature),
    }
  }

  transparency(): TransparencyHead {
    return transparencyHead(this.#state.transparency)
  }

  async proveInclusion(tradeId: string, treeSize?: number): Promise<InclusionProof> {
    const found = await this.#projection.call({ name: 'find', tradeId })
    if (!found) throw tradeNotFound()
    const { trade, signedBytes } = found
    const tree = this.#state.transparency
    const proof = inclusionProof(tree, { tradeId, index: trade.index, signedBytes }, treeSize)
    if (proof.leafHashHex !== hexFromBytes(transparencyLeafHash(signedBytes))) {
      throw projectionUnavailable(new Error(`trade ${trade.index} is not the one in the journal`))
    }
    return proof
  }

  proveConsistency(first: number, second?: number): ConsistencyProof {
    return consistencyProof(this.#state.transparency, first, second)
  }

  onTrade(listener: (trade: Trade) => void): () => void {
    // Wrapped, so that the same function registered twice is two registrations.
    const own = (trade: Trade): void => listener(trade)
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      if (this.#journal.writable) await this.#journal.commit()
    } finally {
      await this.#projection.close()
      await this.#journal.close()
      await this.#unlock()
    }
  }

  #assertOpen(): void {
    if (this.#closing) throw ledgerClosed()
    this.#journal.assertWritable()
  }

  /** Whole milliseconds whatever the clock gives: the journal's schema takes nothing else. */
  #nowMs(): number {
    return Math.max(0, Math.floor(this.#clock.nowMs()))
  }

  #heldForSettle(reservationId: string, atMs: number): Reservation {
    const held = this.#state.pending(reservationId)
    if (!held || this.#claims.has(held.id)) throw reservationUnknown()
    if (atMs > held.expiresAtMs) {
      this.#release(held, 'expired')
      throw reservationUnknown()
    }
    return held
  }

  #assertFits(held: Reservation, terms: TradeTerms): void {
    if (terms.provider !== held.provider || terms.consumer !== held.consumer) {
      throw tradeInvalid('its parties are not those of the reservation')
    }
    if (terms.amountTrm > held.amountTrm) throw tradeInvalid('its amount is above the reservation')
    if (this.#state.sawNonce(terms.provider, nonceKey(terms)) || this.#claims.has(nonceClaim(terms))) {
      throw tradeInvalid('its nonce was used before')
    }
  }

  #appendSettle(record: SettleRecord): Settling {
    const end = this.#journal.append(encodeRecord(record))
    const settling: Settling = { record, end, trade: null }
    this.#settling.push(settling)
    this.#claims.add(record.reservation).add(nonceClaim(record.terms))
    return settling
  }

  /** Runs in the turn in which the journal became durable up to `end`. */
  #bookUpTo(end: JournalPosition): void {
    const projected: ProjectedTrade[] = []
    for (let next = this.#settling[0]; next && next.end.seq <= end.seq; next = this.#settling[0]) {
      this.#settling.shift()
      const { record } = next
      const row = projectTrade(record, this.#state.tradeCount, next.end)
      this.#state.apply(next.end.seq, record)
      this.#observer?.trade?.(observed(record))
      this.#claims.delete(record.reservation)
      this.#claims.delete(nonceClaim(record.terms))
      next.trade = row.trade
      projected.push(row)
    }
    this.#projection.insert(projected)
    for (const { trade } of projected) this.#announce(trade)
  }

  #announce(trade: Trade): void {
    for (const listener of this.#listeners) {
      try {
        listener({ ...trade })
      } catch (error) {
        // The trade is booked whatever a listener thinks of it.
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }

  #releaseExpired(consumer: string, atMs: number): void {
    for (const held of this.#state.expiredOf(consumer, atMs)) {
      if (!this.#claims.has(held.id)) this.#release(held, 'expired')
    }
  }

  #release(held: Reservation, reason: string): void {
    const atMs = this.#nowMs()
    const sequence = this.#journal.nextSeq
    const record: VoidRecord = {
      kind: 'void',
      atMs,
      reservation: held.id,
      reason: reason.slice(0, TEXT_MAX).toWellFormed(),
      transfers: voidTransfers(sequence, atMs, held),
    }
    this.#journal.append(encodeRecord(record))
    this.#state.apply(sequence, record)
  }
}

function observed({ terms, facts }: SettleRecord): ObservedTrade {
  const { provider, consumer, amountTrm } = terms
  return { provider, consumer, amountTrm, timestampMs: Number(terms.timestampMs), ownKey: facts.ownKey }
}

function nonceClaim(terms: TradeTerms): string {
  return `${terms.provider}:${nonceKey(terms)}`
}

/**
 * Opens the ledger in `directory`, replays its journal and voids what the last process left reserved.
 * @throws TiramiError LEDGER_LOCKED (another process has it), JOURNAL_DAMAGED (acknowledged data is damaged; nothing is
 *   changed on the disk), JOURNAL_UNSUPPORTED (newer format), JOURNAL_UNAVAILABLE, JOURNAL_WRITE_FAILED
 */
export async function openLedger(options: OpenLedgerOptions): Promise<Ledger> {
  const { directory, clock, projectionWorkerUrl } = options
  await makePrivateDirectory(directory)
  const unlock = await lockDirectory(directory)
  let journal: Journal | undefined
  try {
    const state = new LedgerState()
    journal = await Journal.open({
      directory,
      clock,
      openFile: options.file ?? openDiskFile,
      onReplay: ({ seq, payload }) => {
        const record = decodeRecord(payload)
        state.apply(seq, record)
        if (record.kind === 'events') options.observer?.events(record.events, record.atMs)
        else if (record.kind === 'settle') options.observer?.trade?.(observed(record))
      },
    })
    const projection = new Projection({ directory, workerUrl: projectionWorkerUrl, journal })
    const ledger = new JournaledLedger({
      state,
      clock,
      journal,
      projection,
      unlock,
      observer: options.observer,
    })
    await ledger.voidLeftovers()
    return ledger
  } catch (error) {
    await journal?.close()
    await unlock()
    throw error
  }
}
