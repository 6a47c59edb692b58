import { z } from 'zod'
import type { KeyPair, Rng, Timers } from '../kernel/index.ts'
import { hexFromBytes } from '../kernel/index.ts'
import type { SignedTrade } from '../ledger/index.ts'
import {
  type Channel,
  CONDUCT_RULES,
  Conduct,
  type Envelope,
  type Fault,
  type Net,
  openEnvelope,
  ReplayWindow,
  readBody,
  type SavedConduct,
  sealEnvelope,
  type Verdict,
} from '../mesh/index.ts'
import { type AuditEvidence, type AuditSecret, auditCommitment, revealAudit } from './audit.ts'
import { type BuyerHooks, buy, CheatedError } from './buyer.ts'
import type { Dispute } from './dispute.ts'
import { Gossip, type StatementRules } from './gossip.ts'
import { type LoanBooks, LoanDesk } from './loan-desk.ts'
import { Observatory, type ObservedTrade } from './observatory.ts'
import { type ModelOffer, PriceSignal, SIGNAL_LIFE_MAX_MS, signalJson, type Tariff } from './offer.ts'
import { Reader } from './reader.ts'
import { type Peer, PeerRegistry } from './registry.ts'
import { type Candidate, rankProviders, type SelectQuery } from './select.ts'
import { type Sale, type SaleEvent, SELLER_TIMES, Seller, type SellerTimes } from './seller.ts'
import { type AuditStanding, NO_AUDITS } from './tiers.ts'
import { jobKey, tradeFromWire, tradeIdOf, WireTrade, wireTrade } from './trades.ts'
import type { Transcript } from './transcript.ts'
import { FromProvider, plain, type RemoteRequest, SETTLE_PROTOCOL, WORK_PROTOCOL } from './work-messages.ts'

/** What outlives a restart besides the ledger. */
export interface SavedMarket {
  conduct: SavedConduct
  heard: [string, number][]
}

export interface MarketPorts {
  net: Net
  key: KeyPair
  timers: Timers
  rng: Rng
  tariff: Tariff
  nowMs(): number
  /** What this host says of itself; no models: it sells nothing now. */
  present(): Pick<PriceSignal, 'features' | 'price' | 'models' | 'load' | 'latencyHintMs'>
  /** The trades with other hosts that this one has booked, in order. */
  log: {
    head(): PriceSignal['log']
    page(from: number, limit: number): Promise<SignedTrade[]>
    /** As what the job of a trade of this host is booked; null: it is not. */
    booked(trade: SignedTrade): Promise<'this' | 'another' | null>
    /** Number of trades with one other host. */
    tradesWith(nodeId: string): number
  }
  sell(sale: Sale): AsyncGenerator<SaleEvent, void, void>
  /** Books a trade that this host has signed and does not know. @throws TiramiError */
  adopt(trade: SignedTrade): Promise<void>
  disputed(dispute: Dispute): void
  /** Two signed heads of one origin, of the same size and with different roots. */
  forked(heads: [Uint8Array, Uint8Array]): void
  statements: StatementRules
  loans: LoanBooks
  reputationOf(nodeId: string): number
  /** What this host's audits of another one have shown; absent: it makes none. */
  auditsOf?(nodeId: string): AuditStanding
  save(state: SavedMarket): void
  saved?: SavedMarket
  sellerTimes?: SellerTimes
  /** Time to say what is due. */
  onBeat(): void
  /** Something that is shown has changed. */
  onChange?(): void
}

const SIGNALS = 'signals'
const TRADES = 'trades'
const HELLO_PROTOCOL = 'hello/1'
const LOG_PROTOCOL = 'log/1'

const BEAT_MS = 10_000
const SIGNAL_LIFE_MS = 45_000
/** Changes are told at most this often. */
const ANNOUNCE_PAUSE_MS = 500
/** Signals of one host, by whatever way they come: twice as many as it has reason to send. */
const SIGNAL_RULES = { ...CONDUCT_RULES, rate: { perSecond: 4, burst: 40 } }
const ANSWER_WITHIN_MS = 10_000
const LOG_PAGE_MAX = 64
/** Trades that are fetched from one host at a time. */
const LOG_CATCH_UP_MAX = 4_096
const OUTBOX_MAX = 10_000
/** Histories that are fetched at the same time. */
const SYNCS_MAX = 16

const TradeMessage = z.strictObject({ kind: z.literal('trade'), trade: WireTrade })
const LogRequest = z.strictObject({
  kind: z.literal('log'),
  from: z.number().int().nonnegative(),
  limit: z.number().int().min(1).max(LOG_PAGE_MAX),
})
const LogPage = z.strictObject({ kind: z.literal('trades'), trades: z.array(WireTrade).max(LOG_PAGE_MAX) })

export interface MarketCounts {
  signalsHeard: number
  tradesHeard: number
  refused: number
}

/** This host's place in the market: what it hears, says, buys and sells. */
export class MarketNode {
  readonly #ports: MarketPorts
  readonly #registry = new PeerRegistry()
  readonly #observatory = new Observatory()
  readonly #conduct: Conduct
  readonly #pace = new Conduct([], SIGNAL_RULES)
  readonly #replay: ReplayWindow
  readonly #seller: Seller
  readonly gossip: Gossip
  readonly loans: LoanDesk
  /** Trades that their provider has not confirmed, by job. */
  readonly #outbox = new Map<string, SignedTrade>()
  readonly #buying = new Set<string>()
  readonly #purchases = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  readonly #syncing = new Set<string>()
  readonly #counts: MarketCounts = { signalsHeard: 0, tradesHeard: 0, refused: 0 }
  readonly #stopListening: () => void
  #stopBeat: () => void = () => undefined
  #stopAnnouncing: () => void = () => undefined
  #seq = 0
  #announcing = false
  #closed = false

  constructor(ports: MarketPorts) {
    this.#ports = ports
    const { saved, net } = ports
    this.#conduct = new Conduct(saved?.conduct)
    this.#replay = new ReplayWindow(ports.nowMs(), saved?.heard)
    this.#seller = new Seller(
      {
        ...ports,
        nextSeq: () => this.#nextSeq(),
        offer: (model) => this.#offer(model),
        fault: (nodeId, fault) => this.#fault(nodeId, fault),
      },
      ports.sellerTimes ?? SELLER_TIMES,
    )
    const guard = {
      admits: (from: string, bytes: number) => !this.#closed && this.#admits(from, bytes),
      fault: (nodeId: string, fault: Fault) => this.#fault(nodeId, fault),
    }
    this.gossip = new Gossip({
      ...ports,
      ...ports.statements,
      ...guard,
      nextSeq: () => this.#nextSeq(),
      open: (message, from) => this.#open(message, from),
      isFresh: ({ origin, seq }) => this.#replay.accept(origin, seq, ports.nowMs()) === 'fresh',
    })
    this.loans = new LoanDesk({ ...ports, ...guard, books: ports.loans })
    net.subscribe(SIGNALS, (message, from) => this.#hearSignal(message, from))
    net.subscribe(TRADES, (message, from) => this.#hearTrade(message, from))
    net.handle(HELLO_PROTOCOL, (channel) => this.#greeted(channel))
    net.handle(LOG_PROTOCOL, (channel) => this.#showLog(channel))
    net.handle(WORK_PROTOCOL, (channel) => this.#admit(channel, () => this.#seller.take(channel)))
    net.handle(SETTLE_PROTOCOL, (channel) => this.#admit(channel, () => this.#seller.takeFinal(channel)))
    this.#stopListening = net.onPeer((nodeId, connected) => {
      if (connected) {
        void this.#greet(nodeId)
        void this.gossip.sync(nodeId)
      }
      this.#ports.onChange?.()
    })
    for (const nodeId of net.peers()) {
      void this.#greet(nodeId)
      void this.gossip.sync(nodeId)
    }
    this.#beat()
  }

  isBanned(nodeId: string): boolean {
    return this.#conduct.isBanned(nodeId, this.#ports.nowMs())
  }

  /** What was proved against it is worth a ban. */
  ban(nodeId: string): void {
    this.#fault(nodeId, 'forged')
  }

  /** Trades between the two that were heard of, with both signatures. */
  tradesBetween(one: string, other: string): bigint {
    return this.#observatory.between(one, other)
  }

  /** The highest trade of one job that was heard of. */
  tradeOfJob(job: Pick<SignedTrade['terms'], 'provider' | 'nonce'>): ObservedTrade | undefined {
    return this.#observatory.ofJob(job)
  }

  score(nodeId: string): number {
    return this.#conduct.score(nodeId, this.#ports.nowMs())
  }

  banned(): { nodeId: string; untilMs: number }[] {
    return this.#conduct.banned(this.#ports.nowMs())
  }

  counts(): MarketCounts & { observed: number; undelivered: number; selling: number } {
    const { size: undelivered } = this.#outbox
    return { ...this.#counts, observed: this.#observatory.size, undelivered, selling: this.#seller.jobs }
  }

  /** Hosts whose signal still holds, most recently heard first. */
  peers(): Peer[] {
    const nowMs = this.#ports.nowMs()
    return this.#registry.all().filter(({ signal }) => signal.expiresAtMs > nowMs)
  }

  /** Models that others serve, each once. */
  models(): ModelOffer[] {
    const offers = this.peers().flatMap(({ signal }) => signal.models)
    return [...new Map(offers.map((offer) => [offer.id, offer])).values()]
  }

  rank(query: Omit<SelectQuery, 'nowMs' | 'reputationOf' | 'auditsOf' | 'tariff'>): Candidate[] {
    const { tariff, reputationOf, auditsOf = () => NO_AUDITS } = this.#ports
    const nowMs = this.#ports.nowMs()
    const peers = this.#registry.serving(query.model, nowMs).filter(({ nodeId }) => !this.isBanned(nodeId))
    return rankProviders(peers, { ...query, nowMs, tariff, reputationOf, auditsOf })
  }

  /** One host that serves the model, whatever its audits have shown: for the next one. */
  candidate(
    nodeId: string,
    model: string,
    job: { promptTokens: number; maxTokens: number },
  ): Candidate | null {
    const { tariff, reputationOf } = this.#ports
    const nowMs = this.#ports.nowMs()
    const peers = this.#registry.serving(model, nowMs).filter((peer) => peer.nodeId === nodeId)
    const query = { model, ...job, mode: 'balanced', nowMs, tariff, reputationOf } as const
    return rankProviders(peers, { ...query, auditsOf: () => NO_AUDITS })[0] ?? null
  }

  /** Shows what an audit had committed to, with the answer to it. */
  revealAudit(transcript: Transcript, secret: AuditSecret): AuditEvidence {
    return revealAudit(this.#ports.key, this.#nextSeq(), transcript, secret)
  }

  observed(limit: number): ObservedTrade[] {
    return this.#observatory.latest(limit)
  }

  observedTrade(tradeId: string): ObservedTrade | undefined {
    return this.#observatory.get(tradeId)
  }

  /**
   * Buys from one host. `hooks.settled` has booked when this resolves.
   * @param audit what its request commits to
   * @throws TiramiError when there was no agreement: nothing is owed
   */
  buy(
    candidate: Candidate,
    request: RemoteRequest,
    signal: AbortSignal,
    hooks: BuyerHooks,
    audit?: AuditSecret,
  ): Promise<void> {
    const signals = AbortSignal.any([signal, this.#closing.signal])
    const running = this.#buy(candidate, request, signals, hooks, audit)
    this.#purchases.add(running)
    const done = () => void this.#purchases.delete(running)
    running.then(done, done)
    return running
  }

  async #buy(
    candidate: Candidate,
    request: RemoteRequest,
    signal: AbortSignal,
    hooks: BuyerHooks,
    audit: AuditSecret | undefined,
  ): Promise<void> {
    const { net, nowMs } = this.#ports
    const provider = candidate.peer.nodeId
    const startedAtMs = nowMs()
    let heard = false
    let job: string | null = null
    const channel = await net.open(provider, WORK_PROTOCOL, signal)
    const ports = { ...this.#ports, nextSeq: () => this.#nextSeq() }
    const own: BuyerHooks = {
      agreed: (agreement) => {
        job = jobKey(agreement.termsAt(0))
        this.#buying.add(job)
        hooks.agreed(agreement)
      },
      text: (text, tokens, logprobs) => {
        if (!heard) this.#registry.measured(provider, nowMs() - startedAtMs)
        heard = true
        hooks.text(text, tokens, logprobs)
      },
      settled: async (bought, agreement) => {
        if (bought.dispute) this.#dispute(bought.dispute, provider)
        if (bought.trade && job !== null) this.#toOutbox(job, bought.trade)
        await hooks.settled(bought, agreement)
      },
    }
    try {
      const commitment = audit && auditCommitment(audit)
      const { delivered } = await buy(ports, { channel, candidate, request, signal, commitment }, own)
      if (delivered && job !== null) this.#outbox.delete(job)
      else void this.#deliver()
    } catch (error) {
      if (error instanceof CheatedError) this.#dispute(error.dispute, provider)
      throw error
    } finally {
      if (job !== null) this.#buying.delete(job)
    }
  }

  /** This host has booked a trade with another one: everybody may know. */
  booked(trade: SignedTrade): void {
    const { terms } = trade
    const other = terms.provider === this.#ports.key.publicKeyHex ? terms.consumer : terms.provider
    this.#registry.traded(other)
    this.#observatory.observe(trade, this.#ports.nowMs())
    const message = sealEnvelope(this.#ports.key, this.#nextSeq(), { kind: 'trade', trade: wireTrade(trade) })
    void this.#ports.net.publish(TRADES, message)
    this.announceSoon()
  }

  /** Tells everybody what this host is now; a burst of changes is one message. */
  announceSoon(): void {
    if (this.#announcing || this.#closed) return
    this.#announcing = true
    this.#stopAnnouncing = this.#ports.timers.after(ANNOUNCE_PAUSE_MS, () => {
      this.#announcing = false
      if (!this.#closed) void this.#ports.net.publish(SIGNALS, this.#signal())
    })
  }

  /** Ends running jobs at what was signed for, and saves what is to outlive the process. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#closing.abort()
    await Promise.allSettled([this.#seller.close(), ...this.#purchases])
    this.gossip.close()
    this.#stopListening()
    this.#stopBeat()
    this.#stopAnnouncing()
    this.#save()
  }

  #beat(): void {
    if (this.#closed) return
    void this.#ports.net.publish(SIGNALS, this.#signal())
    void this.#deliver()
    this.gossip.beat()
    this.#ports.onBeat()
    for (const { nodeId } of this.peers()) void this.#catchUp(nodeId, 'anybody')
    this.#save()
    this.#stopBeat = this.#ports.timers.after(BEAT_MS, () => this.#beat())
  }

  #save(): void {
    this.#ports.save({ conduct: this.#conduct.save(), heard: this.#replay.save() })
  }

  /** Milliseconds, and never twice the same. */
  #nextSeq(): number {
    this.#seq = Math.max(this.#seq + 1, this.#ports.nowMs())
    return this.#seq
  }

  #signal(): Uint8Array {
    const { key, nowMs, present, log } = this.#ports
    const expiresAtMs = nowMs() + SIGNAL_LIFE_MS
    const addresses = this.#ports.net.addresses().slice(0, 8)
    const signal: PriceSignal = { kind: 'signal', expiresAtMs, addresses, ...present(), log: log.head() }
    return sealEnvelope(key, this.#nextSeq(), signalJson(signal))
  }

  #offer(model: string): ModelOffer | null {
    return this.#ports.present().models.find(({ id }) => id === model) ?? null
  }

  #fault(nodeId: string, fault: Fault): void {
    this.#counts.refused++
    if (nodeId === this.#ports.key.publicKeyHex) return
    if (!this.#conduct.fault(nodeId, fault, this.#ports.nowMs())) return
    this.#registry.forget(nodeId)
    this.#save()
    void this.#ports.net.disconnect(nodeId)
  }

  #dispute(dispute: Dispute, culprit: string): void {
    this.#ports.disputed(dispute)
    this.#fault(culprit, 'forged')
  }

  /** Rate and ban of whoever hands a message on. */
  #admits(from: string, bytes: number): boolean {
    const nowMs = this.#ports.nowMs()
    if (this.#conduct.isBanned(from, nowMs)) return false
    if (this.#conduct.allow(from, bytes, nowMs)) return true
    this.#fault(from, 'flooding')
    return false
  }

  async #admit(channel: Channel, take: () => Promise<void>): Promise<void> {
    if (this.#closed || !this.#admits(channel.peer, 1)) return channel.abort()
    await take()
  }

  /** An envelope that may be looked into; a verdict where not. */
  #open(message: Uint8Array, from: string): Envelope | Verdict {
    if (this.#closed || !this.#admits(from, message.length)) return 'ignore'
    const opened = openEnvelope(message)
    if (!opened.ok) {
      // A later version is no fault: it is passed over until this host is updated.
      if (opened.reason === 'version') return 'ignore'
      this.#fault(from, opened.reason === 'signature' ? 'forged' : 'malformed')
      return 'reject'
    }
    return this.isBanned(opened.envelope.origin) ? 'ignore' : opened.envelope
  }

  #hearSignal(message: Uint8Array, from: string): Verdict {
    const opened = this.#open(message, from)
    return typeof opened === 'string' ? opened : this.#judgeSignal(opened, from)
  }

  #judgeSignal(envelope: Envelope, from: string): Verdict {
    const nowMs = this.#ports.nowMs()
    const { origin, seq, body, bytes } = envelope
    if (origin === this.#ports.key.publicKeyHex) return 'ignore'
    const freshness = this.#replay.accept(origin, seq, nowMs)
    if (freshness === 'replayed') this.#fault(from, 'replayed')
    if (freshness !== 'fresh') return 'ignore'
    // A flood comes by way of all neighbours, and from none of them too much; it has one signature.
    if (!this.#pace.allow(origin, bytes.length, nowMs)) {
      this.#fault(origin, 'flooding')
      return 'ignore'
    }
    const signal = readBody(PriceSignal, body)
    if (!signal || signal.expiresAtMs > seq + SIGNAL_LIFE_MAX_MS) {
      this.#fault(origin, 'malformed')
      return 'reject'
    }
    const heard = { nodeId: origin, signal, signedAtMs: seq, signalBytes: bytes }
    if (!this.#registry.hear(heard, nowMs, this.#ports.log.tradesWith(origin))) return 'ignore'
    this.#counts.signalsHeard++
    this.#ports.net.learn(origin, signal.addresses)
    this.#ports.onChange?.()
    void this.#catchUp(origin, 'neighbours')
    return 'accept'
  }

  #hearTrade(message: Uint8Array, from: string): Verdict {
    const envelope = this.#open(message, from)
    if (typeof envelope === 'string') return envelope
    const parsed = readBody(TradeMessage, envelope.body)
    if (!parsed) {
      this.#fault(envelope.origin, 'malformed')
      return 'reject'
    }
    const seen = this.#see(tradeFromWire(parsed.trade))
    if (seen === 'unsound') this.#fault(envelope.origin, 'forged')
    return seen === 'new' ? 'accept' : seen === 'known' ? 'ignore' : 'reject'
  }

  #see(trade: SignedTrade): ReturnType<Observatory['observe']> {
    const seen = this.#observatory.observe(trade, this.#ports.nowMs())
    if (seen === 'new') {
      this.#counts.tradesHeard++
      void this.#adopt(trade)
      this.#ports.onChange?.()
    }
    return seen
  }

  /** A trade of this host that its ledger does not know: the process that had made it has died. */
  async #adopt(trade: SignedTrade): Promise<void> {
    const { terms } = trade
    const own = this.#ports.key.publicKeyHex
    if (terms.provider !== own && terms.consumer !== own) return
    const job = jobKey(terms)
    if (this.#buying.has(job)) return
    const booked = await this.#ports.log.booked(trade)
    // The other side has booked more than this one, which had waited for it in vain.
    if (booked === 'another') this.#settledLate(trade)
    if (booked !== null) return
    // The consumer's last word about a job whose connection is gone, by another way.
    if (this.#seller.hear(trade)) return
    await this.#ports.adopt(trade).catch(() => undefined)
  }

  /** The one with the lower id begins: one exchange per connection. */
  async #greet(nodeId: string): Promise<void> {
    if (this.#ports.key.publicKeyHex > nodeId || this.#closed) return
    try {
      const channel = await this.#ports.net.open(nodeId, HELLO_PROTOCOL)
      await channel.send(this.#signal())
      await this.#takeSignal(channel)
      await channel.close()
    } catch {
      // The next signal to everybody tells the same.
    }
  }

  async #greeted(channel: Channel): Promise<void> {
    await this.#takeSignal(channel)
    await channel.send(this.#signal())
    await channel.close()
  }

  async #takeSignal(channel: Channel): Promise<void> {
    const message = await new Reader(channel, this.#ports.timers).next(ANSWER_WITHIN_MS)
    if (!message) return
    const opened = this.#open(message, channel.peer)
    if (typeof opened === 'string') return
    if (opened.origin === channel.peer) this.#judgeSignal(opened, channel.peer)
  }

  async #showLog(channel: Channel): Promise<void> {
    const reader = new Reader(channel, this.#ports.timers)
    for (;;) {
      const bytes = await reader.next(ANSWER_WITHIN_MS)
      if (bytes === null) break
      if (!this.#admits(channel.peer, bytes.length)) return channel.abort()
      const request = readBody(LogRequest, bytes)
      if (!request) {
        this.#fault(channel.peer, 'malformed')
        return channel.abort()
      }
      const trades = await this.#ports.log.page(request.from, request.limit)
      await channel.send(plain({ kind: 'trades', trades: trades.map(wireTrade) }))
    }
    await channel.close()
  }

  /**
   * Fetches what another host has booked and this one has not heard of: after a partition, or since before its start.
   * A host that no connection leads to is only dialled for what gossip has not brought by the next beat.
   */
  async #catchUp(origin: string, from: 'neighbours' | 'anybody'): Promise<void> {
    const peer = this.#registry.get(origin)
    if (!peer || this.#syncing.has(origin) || this.#syncing.size >= SYNCS_MAX || this.#closed) return
    const compared = this.#observatory.compare(origin, peer.signal.log, peer.signalBytes)
    if (compared === 'forked') return this.#forked(peer)
    if (compared !== 'behind') return
    if (from === 'neighbours' && !this.#ports.net.peers().includes(origin)) return
    this.#syncing.add(origin)
    try {
      await this.#fetchLog(peer)
    } catch {
      // It went away; the next signal begins again.
    } finally {
      this.#syncing.delete(origin)
    }
  }

  async #fetchLog({ nodeId, signal, signalBytes }: Peer): Promise<void> {
    const channel = await this.#ports.net.open(nodeId, LOG_PROTOCOL)
    try {
      const reader = new Reader(channel, this.#ports.timers)
      const end = Math.min(signal.log.size, this.#observatory.mirrored(nodeId) + LOG_CATCH_UP_MAX)
      while (this.#observatory.mirrored(nodeId) < end) {
        const from = this.#observatory.mirrored(nodeId)
        await channel.send(plain({ kind: 'log', from, limit: Math.min(LOG_PAGE_MAX, end - from) }))
        const bytes = await reader.next(ANSWER_WITHIN_MS)
        const page = bytes && readBody(LogPage, bytes)
        if (!page || page.trades.length === 0 || page.trades.length > end - from) return
        const trades = page.trades.map(tradeFromWire)
        if (!this.#observatory.extend(nodeId, trades, signal.log, signalBytes)) {
          this.#observatory.forgetMirror(nodeId)
          this.#fault(nodeId, 'protocol')
          return
        }
        for (const trade of trades) this.#see(trade)
      }
    } finally {
      await channel.close().catch(() => undefined)
    }
  }

  #forked({ nodeId, signal, signalBytes }: Peer): void {
    // With the head that it had signed before, of the same size, anybody can see it who was not there.
    const before = this.#observatory.headOf(nodeId, signal.log.size)
    if (before) this.#ports.forked([before, signalBytes])
    this.#observatory.forgetMirror(nodeId)
    const [own, nothing] = [this.#ports.key.publicKeyHex, '0'.repeat(32)]
    this.#dispute(
      {
        provider: nodeId,
        consumer: own,
        nonce: nothing,
        model: '-',
        reason: 'two-histories',
        sentence: 'The host has shown another history of its trades than before.',
        evidence: [
          { what: 'signed head', hex: hexFromBytes(signalBytes) },
          { what: 'size', hex: signal.log.size.toString(16).padStart(16, '0') },
        ],
      },
      nodeId,
    )
  }

  #toOutbox(job: string, trade: SignedTrade): void {
    this.#outbox.set(job, trade)
    const [oldest] = this.#outbox.keys()
    if (this.#outbox.size > OUTBOX_MAX && oldest !== undefined) this.#outbox.delete(oldest)
  }

  /** Trades whose provider went away before it had booked them. */
  async #deliver(): Promise<void> {
    for (const [job, trade] of [...this.#outbox]) {
      if (this.#closed || this.#buying.has(job)) continue
      const tradeId = await this.#handOver(trade).catch(() => null)
      if (tradeId === null) continue
      this.#outbox.delete(job)
      if (tradeId !== tradeIdOf(trade.terms)) this.#settledLate(trade)
    }
  }

  /** @returns the trade that the provider has booked for the job; null when it cannot be asked */
  async #handOver(trade: SignedTrade): Promise<string | null> {
    const { provider, nonce } = trade.terms
    if (!this.#ports.net.peers().includes(provider)) return null
    const channel = await this.#ports.net.open(provider, SETTLE_PROTOCOL)
    try {
      await channel.send(
        plain({ kind: 'final', provider, nonce: hexFromBytes(nonce), trade: wireTrade(trade) }),
      )
      const bytes = await new Reader(channel, this.#ports.timers).next(ANSWER_WITHIN_MS)
      const answer = bytes && readBody(FromProvider, bytes)
      return answer?.kind === 'booked' ? answer.tradeId : null
    } finally {
      await channel.close().catch(() => undefined)
    }
  }

  #settledLate({ terms, providerSignature }: SignedTrade): void {
    this.#ports.disputed({
      provider: terms.provider,
      consumer: terms.consumer,
      nonce: hexFromBytes(terms.nonce),
      model: terms.modelId,
      reason: 'settled-late',
      sentence: 'The provider had booked less when this host could reach it again.',
      evidence: [{ what: 'provider signature', hex: hexFromBytes(providerSignature) }],
    })
  }
}
