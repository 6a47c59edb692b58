import type { z } from 'zod'
import {
  bytesFromHex,
  hexFromBytes,
  type KeyPair,
  type Rng,
  sha256,
  type Timers,
  TiramiError,
  toPublicError,
} from '../kernel/index.ts'
import { canonicalTradeBytes, type SignedTrade, type TradeTerms } from '../ledger/index.ts'
import { type Channel, type Fault, openEnvelope, readBody, sealEnvelope } from '../mesh/index.ts'
import type { Dispute } from './dispute.ts'
import { isDearer, type ModelOffer, type Price, type Tariff } from './offer.ts'
import { Reader } from './reader.ts'
import { hasSigned, isSound, jobKey, signTerms, tradeFromWire, tradeIdOf } from './trades.ts'
import { TranscriptHash } from './transcript.ts'
import {
  Begin,
  Final,
  FromConsumer,
  plain,
  type Quote,
  quoteJson,
  type RemoteRequest,
  signedMessage,
  type TokenLogprobs,
} from './work-messages.ts'

/** How the trade of a remote job gets its signatures. */
export interface Sealing {
  nonce: Uint8Array
  timestampMs: bigint
  /** Both signatures under the whole answer. @throws TiramiError when the consumer does not sign */
  seal(terms: TradeTerms, finishReason: 'stop' | 'length'): Promise<SignedTrade>
  /** What the consumer has signed for when the job ended otherwise; null: nothing. */
  partial(error: unknown): Promise<{ trade: SignedTrade; completionTokens: number } | null>
}

export interface Sale {
  consumer: string
  model: string
  request: RemoteRequest
  signal: AbortSignal
  sealing: Sealing
}

export type SaleEvent =
  /** Reserved; nothing is computed before the next event is asked for. */
  | { type: 'started'; promptTokens: number; price: Price; maxAmountTrm: bigint }
  | { type: 'text'; text: string; tokens: number; logprobs?: TokenLogprobs[] }
  /** On the disk. */
  | { type: 'booked'; tradeId: string }

export interface SellerPorts {
  key: KeyPair
  tariff: Tariff
  timers: Timers
  rng: Rng
  nowMs(): number
  nextSeq(): number
  /** The model as this host offers it now. */
  offer(model: string): ModelOffer | null
  /** Does the work and books it, with every check that any work goes through. */
  sell(sale: Sale): AsyncGenerator<SaleEvent, void, void>
  /** Books a trade that this host has signed and does not know. @throws TiramiError */
  adopt(trade: SignedTrade): Promise<void>
  disputed(dispute: Dispute): void
  fault(nodeId: string, fault: Fault): void
}

export interface SellerTimes {
  beginWithinMs: number
  acceptWithinMs: number
  ackWithinMs: number
  settleWithinMs: number
  /** How long the last word of a consumer whose connection broke is waited for. */
  graceMs: number
}

export const SELLER_TIMES: SellerTimes = {
  beginWithinMs: 10_000,
  acceptWithinMs: 30_000,
  ackWithinMs: 30_000,
  settleWithinMs: 15_000,
  graceMs: 60_000,
}

/** Pieces that may be on their way, not yet signed for: what a provider can lose. */
const UNSIGNED_PIECES_MAX = 32
/** Jobs of one consumer at once (spec section 5.4: four for everybody together). */
const JOBS_PER_CONSUMER = 8

/** The consumer's last word about a job. */
type Word = { trade: SignedTrade; completionTokens: number } | null

/** Sells to other hosts. */
export class Seller {
  readonly #ports: SellerPorts
  readonly #times: SellerTimes
  readonly #active = new Map<string, RunningSale>()
  readonly #perConsumer = new Map<string, number>()
  #closing = false

  constructor(ports: SellerPorts, times: SellerTimes = SELLER_TIMES) {
    this.#ports = ports
    this.#times = times
  }

  /** A sound trade that was heard of. @returns whether its job is running, or its last word was waited for */
  hear(trade: SignedTrade): boolean {
    const sale = this.#active.get(jobKey(trade.terms))
    sale?.hearTrade(trade)
    return sale !== undefined
  }

  get jobs(): number {
    return this.#active.size
  }

  /** One job, from `begin` to `booked`. */
  async take(channel: Channel): Promise<void> {
    const { timers } = this.#ports
    const reader = new Reader(channel, timers)
    const bytes = await reader.next(this.#times.beginWithinMs).catch(() => null)
    if (bytes === null) return channel.abort()
    const begin = signedMessage(Begin, bytes, channel.peer)
    if (!begin) return this.#refuse(channel, null, this.#unreadable(channel.peer, bytes))
    const { message } = begin
    try {
      this.#admit(message, channel.peer)
    } catch (error) {
      return this.#refuse(channel, message.jobId, error)
    }
    await this.#run(channel, reader, message, begin.bytes)
  }

  /** The last word about a job whose connection is gone, or a trade that this host may not have booked. */
  async takeFinal(channel: Channel): Promise<void> {
    const reader = new Reader(channel, this.#ports.timers)
    const bytes = await reader.next(this.#times.beginWithinMs).catch(() => null)
    const final = bytes && readBody(Final, bytes)
    if (!final || final.provider !== this.#ports.key.publicKeyHex) {
      this.#ports.fault(channel.peer, 'malformed')
      return channel.abort()
    }
    const sale = this.#active.get(`${final.provider}:${final.nonce}`)
    try {
      const tradeId = await this.#final(sale, channel.peer, final)
      await channel.send(plain({ kind: 'booked', tradeId }))
      await channel.close()
    } catch (error) {
      await this.#refuse(channel, null, error)
    }
  }

  /** Waits for no last word any more. Resolves when every job is booked or void. */
  async close(): Promise<void> {
    this.#closing = true
    const running = [...this.#active.values()]
    for (const sale of running) sale.giveUp()
    await Promise.allSettled(running.map(({ done }) => done))
  }

  async #final(sale: RunningSale | undefined, peer: string, final: z.output<typeof Final>): Promise<string> {
    const nothing = '0'.repeat(64)
    if (final.trade === null) {
      if (sale?.consumer === peer) sale.hear(null)
      await sale?.done
      return nothing
    }
    const trade = tradeFromWire(final.trade)
    const { terms } = trade
    const fits = terms.provider === final.provider && hexFromBytes(terms.nonce) === final.nonce
    if (!fits || terms.consumer !== peer || !isSound(trade)) {
      this.#ports.fault(peer, 'forged')
      throw refusal('TRADE_INVALID', 'The trade is not one that both hosts have signed.', 400)
    }
    if (!sale) {
      await this.#ports.adopt(trade)
      return tradeIdOf(terms)
    }
    sale.hearTrade(trade)
    const booked = await sale.done
    if (booked === null) throw refusal('TRADE_INVALID', 'The trade could not be booked.', 409)
    return booked
  }

  /** @throws TiramiError */
  #admit({ provider, model, jobId, weights }: Begin, consumer: string): void {
    if (this.#closing) throw refusal('HOST_DRAINING', 'This host is shutting down.', 503)
    if (provider !== this.#ports.key.publicKeyHex || consumer === provider) {
      throw refusal('PEER_PROTOCOL', 'The request is for another host.', 400)
    }
    if ((this.#perConsumer.get(consumer) ?? 0) >= JOBS_PER_CONSUMER) {
      throw refusal('ENGINE_BUSY', 'This host already works on several jobs of yours.', 429)
    }
    const offer = this.#ports.offer(model)
    if (!offer) {
      throw refusal('MODEL_NOT_FOUND', `The model “${model}” is not served here (job ${jobId}).`, 404)
    }
    // Whoever named none holds this host to none: its file was not read yet when it said what it offers.
    if (weights !== null && weights !== offer.weights) {
      throw refusal('MODEL_CHANGED', 'Another file of that model is served here now.', 409)
    }
  }

  #unreadable(peer: string, bytes: Uint8Array): TiramiError {
    const opened = openEnvelope(bytes)
    if (!opened.ok && opened.reason === 'version') {
      return refusal('PEER_VERSION', 'This host speaks version 1 of the mesh only.', 400)
    }
    this.#ports.fault(peer, 'malformed')
    return refusal('PEER_PROTOCOL', 'The request has the wrong shape.', 400)
  }

  async #refuse(channel: Channel, jobId: string | null, error: unknown): Promise<void> {
    const { code, message, nextStep } = toPublicError(error)
    const httpStatus = error instanceof TiramiError ? Math.max(400, error.httpStatus) : 500
    const refuse = {
      kind: 'refuse',
      jobId,
      code,
      message: message.slice(0, 1_024),
      nextStep: nextStep.slice(0, 1_024),
      httpStatus,
    }
    try {
      await channel.send(sealEnvelope(this.#ports.key, this.#ports.nextSeq(), refuse))
      await channel.close()
    } catch {
      channel.abort()
    }
  }

  async #run(channel: Channel, reader: Reader, begin: Begin, beginBytes: Uint8Array): Promise<void> {
    const consumer = channel.peer
    const offer = this.#ports.offer(begin.model)
    if (!offer) return channel.abort()
    const sale = new RunningSale(this.#ports, this.#times, { channel, begin, beginBytes, offer })
    this.#active.set(sale.key, sale)
    this.#perConsumer.set(consumer, (this.#perConsumer.get(consumer) ?? 0) + 1)
    try {
      await sale.run(reader)
    } catch (error) {
      if (sale.accepted) channel.abort()
      else await this.#refuse(channel, begin.jobId, error)
    } finally {
      this.#active.delete(sale.key)
      const left = (this.#perConsumer.get(consumer) ?? 1) - 1
      if (left > 0) this.#perConsumer.set(consumer, left)
      else this.#perConsumer.delete(consumer)
    }
  }
}

class RunningSale {
  readonly key: string
  readonly consumer: string
  /** The booked trade's id; null: none was booked. */
  readonly done: Promise<string | null>
  accepted = false
  readonly #ports: SellerPorts
  readonly #times: SellerTimes
  readonly #channel: Channel
  readonly #begin: Begin
  readonly #beginBytes: Uint8Array
  readonly #transcript: TranscriptHash
  readonly #offer: ModelOffer
  readonly #nonce: Uint8Array
  readonly #timestampMs: bigint
  readonly #abort = new AbortController()
  readonly #finished = Promise.withResolvers<string | null>()
  readonly #word = Promise.withResolvers<Word>()
  #wordSpoken = false
  #quote: Quote | null = null
  /** Tokens of the answer that were sent, and that were signed for. */
  #sentTokens = 0
  #signed: Word = null
  #unsigned = 0
  #connected = true
  #wake: () => void = () => undefined
  #waitedInVain = false
  #sealing = false

  constructor(
    ports: SellerPorts,
    times: SellerTimes,
    job: { channel: Channel; begin: Begin; beginBytes: Uint8Array; offer: ModelOffer },
  ) {
    this.#ports = ports
    this.#times = times
    this.#channel = job.channel
    this.#begin = job.begin
    this.#beginBytes = job.beginBytes
    this.#transcript = new TranscriptHash(job.beginBytes)
    this.#offer = job.offer
    this.consumer = job.channel.peer
    this.#nonce = ports.rng.bytes(16)
    this.#timestampMs = BigInt(ports.nowMs())
    this.key = jobKey({ provider: ports.key.publicKeyHex, nonce: this.#nonce })
    this.done = this.#finished.promise
    this.#abort.signal.addEventListener('abort', () => this.#wake())
  }

  async run(reader: Reader): Promise<void> {
    const { model, request } = this.#begin
    const sealing: Sealing = {
      nonce: this.#nonce,
      timestampMs: this.#timestampMs,
      seal: (terms, finishReason) => this.#seal(terms, finishReason),
      partial: (error) => this.#partial(error),
    }
    const sale: Sale = { consumer: this.consumer, model, request, signal: this.#abort.signal, sealing }
    let booked: string | null = null
    try {
      for await (const event of this.#ports.sell(sale)) {
        if (event.type === 'started') await this.#start(event, reader)
        else if (event.type === 'text') await this.#send(event)
        else {
          booked = event.tradeId
          await this.#tell(plain({ kind: 'booked', tradeId: booked }))
        }
      }
      await this.#channel.close().catch(() => undefined)
    } finally {
      this.#finished.resolve(booked)
      this.giveUp()
    }
  }

  /** The consumer's last word, however it came. The first one counts. */
  hear(word: Word): void {
    this.#wordSpoken = true
    this.#word.resolve(word)
    this.#wake()
  }

  /** A trade that was checked to be signed by both. */
  hearTrade(trade: SignedTrade): void {
    const completionTokens = Number(trade.terms.tokensProcessed) - (this.#quote?.promptTokens ?? 0)
    this.hear({ trade, completionTokens })
    this.#abort.abort()
  }

  giveUp(): void {
    this.#abort.abort()
    this.hear(this.#signed)
  }

  async #start(
    { promptTokens, price, maxAmountTrm }: Extract<SaleEvent, { type: 'started' }>,
    reader: Reader,
  ): Promise<void> {
    const { jobId, model } = this.#begin
    if (isDearer(price, this.#begin.price)) {
      throw refusal('PRICE_MOVED', 'The price has risen since it was signed; ask again.', 409)
    }
    const quote: Quote = {
      kind: 'quote',
      jobId,
      consumer: this.consumer,
      model,
      nonce: hexFromBytes(this.#nonce),
      timestampMs: this.#timestampMs,
      promptTokens,
      price,
      maxAmountTrm,
    }
    this.#quote = quote
    await this.#channel.send(sealEnvelope(this.#ports.key, this.#ports.nextSeq(), quoteJson(quote)))
    const answer = await reader.next(this.#times.acceptWithinMs)
    if (answer === null || readBody(FromConsumer, answer)?.kind !== 'accept') {
      throw refusal('PEER_PROTOCOL', 'The quote was not accepted.', 400)
    }
    this.accepted = true
    void this.#listen(reader)
  }

  /** What the consumer says while the answer runs. */
  async #listen(reader: Reader): Promise<void> {
    try {
      while (!this.#wordSpoken) {
        const bytes = await reader.next(2 ** 31 - 1)
        if (bytes === null) break
        const message = readBody(FromConsumer, bytes)
        if (!message || message.kind === 'accept') throw new Error('not expected here')
        if (message.kind === 'settle' && message.signature === null) this.hear(this.#signed)
        else if (message.signature !== null)
          this.#heardSignature(message.kind, message.tokens, message.signature)
        if (message.kind === 'settle') this.#stopEarly()
      }
    } catch (error) {
      if (error instanceof BadSignature) this.#ports.fault(this.consumer, 'forged')
    } finally {
      this.#connected = false
      this.#wake()
      if (!this.#wordSpoken) this.#abort.abort()
    }
  }

  #heardSignature(kind: 'ack' | 'settle', tokens: number, signatureHex: string): void {
    const word = this.#countersigned(tokens, signatureHex)
    if (!this.#signed || word.completionTokens >= this.#signed.completionTokens) this.#signed = word
    if (kind === 'settle') this.hear(this.#signed)
    this.#unsigned = Math.max(0, this.#unsigned - 1)
    this.#wake()
  }

  /** A last word before the end of the answer also means: stop. */
  #stopEarly(): void {
    if (!this.#sealing) this.#abort.abort()
  }

  #countersigned(tokens: number, signatureHex: string): NonNullable<Word> {
    if (tokens > this.#sentTokens) throw new BadSignature()
    const terms = this.#termsAt(tokens)
    const consumerSignature = bytesFromHex(signatureHex)
    if (!hasSigned(this.consumer, terms, consumerSignature)) throw new BadSignature()
    const providerSignature = signTerms(this.#ports.key, terms)
    return { trade: { terms, providerSignature, consumerSignature }, completionTokens: tokens }
  }

  #termsAt(completionTokens: number): TradeTerms {
    const quote = this.#quote
    if (!quote) throw new Error('nothing was quoted yet')
    const { cost } = this.#offer
    return {
      provider: this.#ports.key.publicKeyHex,
      consumer: this.consumer,
      amountTrm: this.#ports.tariff.costTrm(cost, quote.price, quote.promptTokens, completionTokens),
      tokensProcessed: BigInt(quote.promptTokens + completionTokens),
      timestampMs: quote.timestampMs,
      modelId: quote.model,
      nonce: this.#nonce,
    }
  }

  async #send({ text, tokens, logprobs }: Extract<SaleEvent, { type: 'text' }>): Promise<void> {
    this.#sentTokens += tokens
    const terms = this.#termsAt(this.#sentTokens)
    this.#unsigned++
    const bill = this.#bill(terms, this.#sentTokens)
    const piece = plain({ kind: 'piece', text, ...bill, ...(logprobs ? { logprobs } : {}) })
    this.#transcript.add(piece)
    await this.#tell(piece)
    const stopWaiting = this.#ports.timers.after(this.#times.ackWithinMs, () => this.#abort.abort())
    while (this.#unsigned > UNSIGNED_PIECES_MAX && this.#connected && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    stopWaiting()
  }

  #bill(terms: TradeTerms, tokens: number) {
    const signature = hexFromBytes(signTerms(this.#ports.key, terms))
    return { tokens, amountTrm: String(terms.amountTrm), signature }
  }

  async #seal(terms: TradeTerms, finishReason: 'stop' | 'length'): Promise<SignedTrade> {
    const completionTokens = Number(terms.tokensProcessed) - (this.#quote?.promptTokens ?? 0)
    const ours = this.#termsAt(completionTokens)
    if (ours.amountTrm !== terms.amountTrm) throw new Error('the tariff and the price of the job differ')
    this.#sealing = true
    this.#sentTokens = Math.max(this.#sentTokens, completionTokens)
    const transcriptSignature = this.#transcript.sign(this.#ports.key)
    const bill = this.#bill(ours, completionTokens)
    await this.#tell(plain({ kind: 'end', finishReason, ...bill, transcriptSignature }))
    const word = await this.#lastWord()
    if (word?.completionTokens === completionTokens) return word.trade
    throw refusal('NOT_COUNTERSIGNED', 'The consumer did not sign for the whole answer.', 502)
  }

  async #partial(error: unknown): Promise<Word> {
    if (!this.accepted || this.#sentTokens === 0) return null
    if (!this.#wordSpoken && !this.#waitedInVain) {
      const { code, message, nextStep } = toPublicError(error)
      const told = { message: message.slice(0, 1_024), nextStep: nextStep.slice(0, 1_024) }
      await this.#tell(plain({ kind: 'failed', code, ...told }))
    }
    const word = await this.#lastWord()
    if (!word || word.completionTokens < this.#sentTokens) this.#dispute(word)
    return word
  }

  /** What the consumer says last; when it says nothing, what it signed last. */
  async #lastWord(): Promise<Word> {
    if (this.#waitedInVain) return this.#signed
    const { settleWithinMs, graceMs } = this.#times
    const silence = Promise.withResolvers<'silent'>()
    const cancel = this.#ports.timers.after(this.#connected ? settleWithinMs : graceMs, () =>
      silence.resolve('silent'),
    )
    const word = await Promise.race([this.#word.promise, silence.promise])
    cancel()
    if (word !== 'silent') return word
    // It may have broken meanwhile: then the other way is waited for, once.
    this.#waitedInVain = true
    return this.#signed
  }

  /** A consumer may stop when it likes, and then signs for what came; it may not be silent, nor refuse the end. */
  #dispute(word: Word): void {
    const quote = this.#quote
    if (!quote || (this.#wordSpoken && !this.#sealing)) return
    const terms = this.#termsAt(this.#sentTokens)
    const providerSignature = signTerms(this.#ports.key, terms)
    this.#ports.disputed({
      unsigned: { sent: { terms, providerSignature }, paid: word?.trade ?? null },
      provider: terms.provider,
      consumer: terms.consumer,
      nonce: quote.nonce,
      model: quote.model,
      reason: 'not-countersigned',
      sentence: 'The consumer did not sign for all that it was sent; only what it signed for was booked.',
      evidence: [
        { what: 'SHA-256 of the signed request', hex: hexFromBytes(sha256(this.#beginBytes)) },
        { what: 'terms of what was sent', hex: hexFromBytes(canonicalTradeBytes(terms)) },
        { what: 'provider signature', hex: hexFromBytes(providerSignature) },
        ...(word
          ? [{ what: 'terms signed by both', hex: hexFromBytes(canonicalTradeBytes(word.trade.terms)) }]
          : []),
      ],
    })
  }

  /** A broken connection is noticed by the reader; here it only means that nobody hears. */
  async #tell(message: Uint8Array): Promise<void> {
    await this.#channel.send(message).catch(() => undefined)
  }
}

class BadSignature extends Error {}

function refusal(code: string, message: string, httpStatus: number): TiramiError {
  return new TiramiError(code, message, { nextStep: 'Ask again, or ask another host.', httpStatus })
}
