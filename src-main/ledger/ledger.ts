import type { EarningsRange, Trade, TradeProof } from '../../src-preload/contract/index.ts'
import { type Clock, hexFromBytes, readClockMs, verifyStrict } from '../kernel/index.ts'
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
import { frameBytes, GENESIS, type JournalPosition, type JournalRecord } from './journal-format.ts'
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
import { readSnapshot, type SnapshotState, setSnapshotAside } from './snapshot.ts'
import { SnapshotKeeper } from './snapshot-keeper.ts'
import {
  LedgerState,
  numbered,
  type Reservation,
  reserveTransfers,
  settleTransfers,
  voidTransfers,
} from './state.ts'
import { diskStorage, type Storage } from './storage.ts'
import { canonicalTradeBytes, isZeroNonce, nonceKey, tradeLeafHash, verifySignatures } from './trade.ts'
import type {
  Balance,
  ConsistencyProof,
  InclusionProof,
  JobFacts,
  JournalEvent,
  JournalFacts,
  JournalObserver,
  Ledger,
  LedgerEarnings,
  Movement,
  NetworkTotals,
  ObservedTrade,
  ReserveRequest,
  SignedTrade,
  TradeTerms,
  TransparencyHead,
  UnsignedTrade,
} from './types.ts'

/** How far a trade's timestamp may be from now, either way (spec section 2.4). */
const TIMESTAMP_TOLERANCE_MS = 3_600_000n

export interface OpenLedgerOptions {
  /** Holds everything of the ledger; created when missing, readable by the owner only. */
  directory: string
  clock: Clock
  /** `projection.worker.ts` in tests, its bundle in production; null for a ledger that answers no queries. */
  projectionWorkerUrl: URL | null
  /** Folds the economy's events; hears the whole journal before `openLedger` resolves. */
  observer?: JournalObserver
  /** Version of everything that folds the journal: a snapshot of another version is not used. */
  foldVersion?: string
  /** Records after which a snapshot is worth its writing. */
  snapshotEveryRecords?: number
  /** The default is the disk. */
  storage?: Storage
  /** Bytes after which the journal begins another file. */
  segmentMaxBytes?: number
}

/** Folding this many records takes about a second. */
const SNAPSHOT_EVERY_RECORDS = 50_000

/** A settle whose record is in the journal's buffer and not yet known to be on the disk. */
interface Settling {
  record: SettleRecord
  /** Byte of the journal at which the record starts. */
  offset: number
  end: JournalPosition
  trade: Trade | null
}

/** Checks everything that the terms say by themselves. @throws TiramiError TRADE_INVALID */
function assertTerms(terms: TradeTerms, nowMs: number): void {
  if (terms.provider === terms.consumer) throw tradeInvalid('provider and consumer are the same')
  if (terms.amountTrm <= 0n) throw tradeInvalid('the amount is not above zero')
  if (isZeroNonce(terms.nonce)) throw tradeInvalid('the nonce is all zero')
  const ageMs = BigInt(nowMs) - terms.timestampMs
  if (ageMs > TIMESTAMP_TOLERANCE_MS || ageMs < -TIMESTAMP_TOLERANCE_MS) {
    throw tradeInvalid('its timestamp is more than an hour away')
  }
}

/** The caller keeps its arrays; what is booked must not change with them. */
function ownCopy(terms: TradeTerms): TradeTerms {
  return { ...terms, nonce: Uint8Array.from(terms.nonce) }
}

/**
 * Both signatures over `terms`: made here with the keys, or taken when they fit.
 * @throws TiramiError TRADE_INVALID
 */
function sealed(terms: TradeTerms, trade: SignedTrade | UnsignedTrade): SignedTrade {
  try {
    return 'providerKey' in trade ? signedHere(terms, trade) : signedElsewhere(terms, trade)
  } catch (error) {
    if (error instanceof RangeError) throw tradeInvalid(error.message)
    throw error
  }
}

function signedHere(terms: TradeTerms, { providerKey, consumerKey }: UnsignedTrade): SignedTrade {
  if (providerKey.publicKeyHex !== terms.provider) throw tradeInvalid("the provider's key is not its own")
  if (consumerKey.publicKeyHex !== terms.consumer) throw tradeInvalid("the consumer's key is not its own")
  const bytes = canonicalTradeBytes(terms)
  return { terms, providerSignature: providerKey.sign(bytes), consumerSignature: consumerKey.sign(bytes) }
}

function signedElsewhere(terms: TradeTerms, trade: SignedTrade): SignedTrade {
  const providerSignature = Uint8Array.from(trade.providerSignature)
  const consumerSignature = Uint8Array.from(trade.consumerSignature)
  const signed = { terms, providerSignature, consumerSignature }
  const { providerValid, consumerValid } = verifySignatures(signed)
  if (!providerValid) throw tradeInvalid("the provider's signature does not fit")
  if (!consumerValid) throw tradeInvalid("the consumer's signature does not fit")
  return signed
}

/**
 * Decides on the state, writes the journal, and lets the state follow. Holds take effect at once; a trade counts only
 * when it is on the disk, so nothing that could still be lost is ever shown or spent.
 */
class JournaledLedger implements Ledger {
  readonly #state: LedgerState
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #projection: Projection | null
  readonly #unlock: () => Promise<void>
  readonly #observer: JournalObserver | undefined
  readonly #snapshots: SnapshotKeeper | null
  /** In the order of the journal. */
  readonly #settling: Settling[] = []
  /** Reservations and nonces of the trades in `#settling`. */
  readonly #claims = new Set<string>()
  readonly #listeners = new Set<(trade: Trade) => void>()
  #closing: Promise<void> | null = null
  /** The last time that could be read, in this process. */
  #latestMs = 0

  constructor(parts: {
    state: LedgerState
    clock: Clock
    journal: Journal
    projection: Projection | null
    unlock: () => Promise<void>
    observer: JournalObserver | undefined
    snapshots: SnapshotKeeper | null
  }) {
    this.#state = parts.state
    this.#clock = parts.clock
    this.#journal = parts.journal
    this.#projection = parts.projection
    this.#unlock = parts.unlock
    this.#observer = parts.observer
    this.#snapshots = parts.snapshots
    this.#journal.onDurable((end) => this.#bookUpTo(end))
  }

  /** Holds of jobs that died with the last process. */
  async voidLeftovers(): Promise<void> {
    for (const held of this.#state.allPending()) this.#release(held, 'restart')
    await this.#journal.commit()
    this.#snapshots?.consider()
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

  async settle(reservationId: string, trade: SignedTrade | UnsignedTrade, facts: JobFacts): Promise<Trade> {
    this.#assertOpen()
    const atMs = this.#nowMs()
    const held = this.#heldForSettle(reservationId, atMs)
    const terms = ownCopy(trade.terms)
    this.#assertFits(held, terms)
    assertTerms(terms, atMs)
    const { providerSignature, consumerSignature } = sealed(terms, trade)
    const problem = factsProblem(facts)
    if (problem) throw tradeInvalid(problem)
    if ((facts.passedOnTrm ?? 0n) > terms.amountTrm) throw tradeInvalid('more is passed on than was paid')

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
    return this.#queries().call({ name: 'list', limit: query.limit, beforeIndex })
  }

  earnings(provider: string, range: EarningsRange): Promise<LedgerEarnings> {
    return this.#queries().call({ name: 'earnings', provider, range, nowMs: this.#nowMs() })
  }

  async remoteTrades(from: number, limit: number): Promise<SignedTrade[]> {
    const offsets = await this.#queries().call({ name: 'remotes', from, limit })
    const trades: SignedTrade[] = []
    for (const offset of offsets) {
      const payload = await this.#journal.payloadAt(offset)
      const record = payload && decodeRecord(payload)
      if (record?.kind !== 'settle' || !record.facts.remote)
        throw projectionUnavailable(new Error('a trade is not where it should be'))
      const { terms, providerSignature, consumerSignature } = record
      trades.push({ terms, providerSignature, consumerSignature })
    }
    return trades
  }

  sawNonce(terms: Pick<TradeTerms, 'provider' | 'nonce'>): boolean {
    return this.#state.sawNonce(terms.provider, nonceKey(terms))
  }

  async proveTrade(tradeId: string): Promise<TradeProof> {
    const { trade, record, signedBytes } = await this.#find(tradeId)
    const { providerSignature, consumerSignature } = record
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
    const { trade, signedBytes } = await this.#find(tradeId)
    const tree = this.#state.transparency
    return inclusionProof(tree, { tradeId, index: trade.index, signedBytes }, treeSize)
  }

  /** The trade as the journal has it. @throws TiramiError TRADE_NOT_FOUND, PROJECTION_UNAVAILABLE */
  async #find(tradeId: string): Promise<{ trade: Trade; record: SettleRecord; signedBytes: Uint8Array }> {
    const found = await this.#queries().call({ name: 'find', tradeId })
    if (!found) throw tradeNotFound()
    const payload = await this.#journal.payloadAt(found.recordOffset)
    const record = payload && decodeRecord(payload)
    const isIt = record?.kind === 'settle' && hexFromBytes(tradeLeafHash(record.terms)) === tradeId
    if (!isIt) throw projectionUnavailable(new Error(`trade ${found.trade.index} is not where it should be`))
    return { trade: found.trade, record, signedBytes: canonicalTradeBytes(record.terms) }
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
      await this.#snapshots?.settled()
    } finally {
      await this.#projection?.close()
      await this.#journal.close()
      await this.#unlock()
    }
  }

  /** @throws TiramiError PROJECTION_UNAVAILABLE for a ledger that was opened without */
  #queries(): Projection {
    if (!this.#projection)
      throw projectionUnavailable(new Error('the ledger was opened without a projection'))
    return this.#projection
  }

  #assertOpen(): void {
    if (this.#closing) throw ledgerClosed()
    this.#journal.assertWritable()
  }

  /** Whole milliseconds: the journal's schema takes nothing else. @throws TiramiError CLOCK_UNREADABLE */
  #nowMs(): number {
    this.#latestMs = readClockMs(this.#clock)
    return this.#latestMs
  }

  /** A hold must end whatever the clock gives: an unreadable one stands still. */
  #stampMs(): number {
    try {
      return this.#nowMs()
    } catch {
      return this.#latestMs
    }
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
    if (this.sawNonce(terms) || this.#claims.has(nonceClaim(terms))) {
      throw tradeInvalid('its nonce was used before')
    }
  }

  #appendSettle(record: SettleRecord): Settling {
    const payload = encodeRecord(record)
    const end = this.#journal.append(payload)
    const settling: Settling = { record, offset: end.offset - frameBytes(payload.length), end, trade: null }
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
      const row = projectTrade(record, this.#state.tradeCount, next.end, next.offset)
      this.#state.apply(next.end.seq, record)
      this.#observer?.trade?.(observed(record))
      this.#claims.delete(record.reservation)
      this.#claims.delete(nonceClaim(record.terms))
      next.trade = row.trade
      projected.push(row)
    }
    this.#projection?.insert(projected)
    for (const { trade } of projected) this.#announce(trade)
    this.#snapshots?.consider()
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
    const atMs = this.#stampMs()
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

function observed({ terms, facts, providerSignature, consumerSignature }: SettleRecord): ObservedTrade {
  const { provider, consumer, amountTrm } = terms
  return {
    provider,
    consumer,
    amountTrm,
    timestampMs: Number(terms.timestampMs),
    ownKey: facts.ownKey,
    passedOnTrm: facts.passedOnTrm ?? 0n,
    ...(facts.remote ? { remote: { terms, providerSignature, consumerSignature } } : {}),
  }
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
  const storage = options.storage ?? diskStorage
  await storage.makeDirectory(directory)
  const unlock = await storage.lock(directory)
  let journal: Journal | undefined
  try {
    const begun = await begin(options, storage)
    const { state, position } = begun
    journal = await Journal.open({
      directory,
      clock,
      storage,
      from: position,
      onReplay: (entry) => replay(entry, state, options.observer),
      ...(options.segmentMaxBytes === undefined ? {} : { segmentMaxBytes: options.segmentMaxBytes }),
    }).catch((error) => begun.refuse(error))
    const projection = projectionWorkerUrl
      ? new Projection({ directory, workerUrl: projectionWorkerUrl, journal })
      : null
    const ledger = new JournaledLedger({
      state,
      clock,
      journal,
      projection,
      unlock,
      observer: options.observer,
      snapshots: snapshotKeeper(options, storage, { journal, state, lastSeq: position.seq }),
    })
    await ledger.voidLeftovers()
    return ledger
  } catch (error) {
    await journal?.close()
    await unlock()
    throw error
  }
}

function replay({ seq, payload }: JournalRecord, state: LedgerState, observer?: JournalObserver): void {
  const record = decodeRecord(payload)
  state.apply(seq, record)
  if (record.kind === 'events') observer?.events(record.events, record.atMs)
  else if (record.kind === 'settle') observer?.trade?.(observed(record))
}

/** The version under which snapshots are kept, or null where an observer could not go on from one. */
function snapshotVersion({ foldVersion, observer }: OpenLedgerOptions): string | null {
  const canRestore = !observer || (observer.save && observer.restore)
  return foldVersion !== undefined && canRestore ? foldVersion : null
}

interface Beginning {
  state: LedgerState
  /** The journal is to be replayed from here. */
  position: JournalPosition
  /** Throws what replaying from here threw. */
  refuse(error: unknown): Promise<never>
}

/** The state to begin with: a snapshot's, when there is one and the journal under it is unchanged. */
async function begin(options: OpenLedgerOptions, storage: Storage): Promise<Beginning> {
  const version = snapshotVersion(options)
  const found =
    version === null ? null : await readSnapshot(storage, options.directory, version).catch(() => null)
  const state = found && restored(found.state, options.observer)
  if (!found || !state) {
    return { state: new LedgerState(), position: GENESIS, refuse: (error) => Promise.reject(error) }
  }
  return {
    state,
    position: found.position,
    refuse: async (error) => {
      // Perhaps it is the snapshot that is wrong: the next start does without it.
      await setSnapshotAside(storage, options.directory).catch(() => undefined)
      throw error
    },
  }
}

/** @returns null when the snapshot holds something that no ledger can be in */
function restored(saved: SnapshotState, observer: JournalObserver | undefined): LedgerState | null {
  try {
    const state = new LedgerState(saved.ledger)
    observer?.restore?.(saved.observer)
    return state
  } catch (error) {
    process.emitWarning(`the ledger's snapshot is not used: ${String(error)}`)
    return null
  }
}

function snapshotKeeper(
  options: OpenLedgerOptions,
  storage: Storage,
  { journal, state, lastSeq }: { journal: Journal; state: LedgerState; lastSeq: number },
): SnapshotKeeper | null {
  const version = snapshotVersion(options)
  if (version === null) return null
  return new SnapshotKeeper({
    storage,
    directory: options.directory,
    version,
    everyRecords: options.snapshotEveryRecords ?? SNAPSHOT_EVERY_RECORDS,
    lastSeq,
    journal,
    capture: () => ({ ledger: state.save(), observer: options.observer?.save?.() ?? null }),
  })
}
