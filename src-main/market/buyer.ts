import {
  bytesFromHex,
  hexFromBytes,
  type KeyPair,
  type Rng,
  type Timers,
  TiramiError,
} from '../kernel/index.ts'
import { canonicalTradeBytes, type SignedTrade, type TradeTerms } from '../ledger/index.ts'
import { type Channel, openEnvelope, readBody, sealEnvelope } from '../mesh/index.ts'
import type { Dispute } from './dispute.ts'
import { isDearer, type Tariff } from './offer.ts'
import { Reader } from './reader.ts'
import type { Candidate } from './select.ts'
import { hasSigned, signTerms } from './trades.ts'
import { type Transcript, TranscriptHash } from './transcript.ts'
import {
  beginJson,
  completionTokensMax,
  FromProvider,
  plain,
  promptTokensMax,
  Quote,
  Refuse,
  type RemoteRequest,
  signedMessage,
  type TokenLogprobs,
} from './work-messages.ts'

export interface BuyerPorts {
  key: KeyPair
  tariff: Tariff
  timers: Timers
  rng: Rng
  nowMs(): number
  /** Strictly increasing: the `seq` of the next signed message. */
  nextSeq(): number
}

/** What was agreed before anything was computed. */
export interface Agreement {
  quote: Quote
  /** The signed request as it was sent. */
  begin: Uint8Array
  /** Terms of the trade after so many tokens of the answer. */
  termsAt(completionTokens: number): TradeTerms
}

/** How a purchase ended. */
export interface Bought {
  /** Signed by both; null when nothing was received. */
  trade: SignedTrade | null
  completionTokens: number
  finishReason: 'stop' | 'length' | 'cancelled'
  /** Why the answer is not whole. */
  failure: TiramiError | null
  dispute: Dispute | null
  /** The provider is to blame. */
  cheated: boolean
  /** The whole answer with its provider's signature; null: it broke off. */
  transcript: Transcript | null
}

export interface BuyerHooks {
  /** Reserves. @throws anything to decline: nothing is owed then */
  agreed(agreement: Agreement): void
  text(text: string, tokens: number, logprobs?: TokenLogprobs[]): void
  /** Books what is owed; resolves when that is on the disk. Called once after `agreed`, whatever happens. */
  settled(bought: Bought, agreement: Agreement): Promise<void>
}

export interface Purchase {
  channel: Channel
  candidate: Candidate
  request: RemoteRequest
  /** 32 bytes that an audit will open; any other job sends random ones, so that nobody sees which is which. */
  commitment?: Uint8Array | undefined
  /** Aborted: the reader is gone; what came is paid for. */
  signal: AbortSignal
}

const QUOTE_WITHIN_MS = 60_000
/** Between two pieces: a long prompt on a slow machine takes its time. */
const PIECE_WITHIN_MS = 300_000
const BOOKED_WITHIN_MS = 15_000
const QUOTE_AGE_MAX_MS = 300_000n

/**
 * begin → quote → accept → pieces, each signed for → settle → booked. The provider computes after `accept` only. Every
 * piece carries its signature under the trade as it stands; signing back is the payment for it. So at any moment both
 * sides hold the same trade, or trades that differ by the pieces on their way.
 * @returns whether the provider has said that it booked the trade
 * @throws TiramiError when there was no agreement: nothing is owed, another provider may be asked
 */
export async function buy(
  ports: BuyerPorts,
  purchase: Purchase,
  hooks: BuyerHooks,
): Promise<{ delivered: boolean }> {
  const { channel } = purchase
  const reader = new Reader(channel, ports.timers)
  let agreement: Agreement
  try {
    agreement = await agree(ports, purchase, reader)
    hooks.agreed(agreement)
  } catch (error) {
    channel.abort()
    throw error
  }
  const answer = new Answer(ports, purchase, agreement, hooks)
  const bought = await answer.run(reader)
  const lastWord = answer.lastWord()
  // The other side may book while this one does.
  const sent = channel.send(plain(lastWord)).then(
    () => true,
    () => false,
  )
  await hooks.settled(bought, agreement)
  const delivered = (await sent) && (await isBooked(reader, bought))
  if (delivered) await channel.close().catch(() => undefined)
  else channel.abort()
  return { delivered: delivered || bought.trade === null }
}

async function isBooked(reader: Reader, { trade }: Bought): Promise<boolean> {
  if (!trade) return true
  try {
    for (;;) {
      const bytes = await reader.next(BOOKED_WITHIN_MS)
      if (bytes === null) return false
      // Pieces that were on their way when this side had its last word are nobody's.
      const message = readBody(FromProvider, bytes)
      if (message?.kind === 'booked') return true
    }
  } catch {
    return false
  }
}

async function agree(ports: BuyerPorts, purchase: Purchase, reader: Reader): Promise<Agreement> {
  const { channel, candidate, request, signal } = purchase
  const { peer, offer } = candidate
  const jobId = hexFromBytes(ports.rng.bytes(16))
  const commitment = hexFromBytes(purchase.commitment ?? ports.rng.bytes(32))
  const { id: model, weights } = offer
  const provider = channel.peer
  const begin = { kind: 'begin', jobId, provider, model, request, weights, commitment } as const
  const sealed = sealEnvelope(ports.key, ports.nextSeq(), beginJson({ ...begin, price: peer.signal.price }))
  await channel.send(sealed)
  const bytes = await reader.next(QUOTE_WITHIN_MS, signal)
  if (bytes === null) throw signal.aborted ? cancelled() : broken()
  const refused = signedMessage(Refuse, bytes, channel.peer)
  if (refused) {
    const { code, message, nextStep, httpStatus } = refused.message
    throw new TiramiError(code, message, { nextStep, httpStatus })
  }
  const quoted = signedMessage(Quote, bytes, channel.peer)
  if (!quoted) throw unreadable(bytes)
  checkQuote(ports, purchase, jobId, quoted)
  return agreementOf(ports, purchase, quoted.message, sealed)
}

function agreementOf(
  ports: BuyerPorts,
  { candidate, channel }: Purchase,
  quote: Quote,
  begin: Uint8Array,
): Agreement {
  const { promptTokens, price } = quote
  return {
    quote,
    begin,
    termsAt: (completionTokens) => ({
      provider: channel.peer,
      consumer: ports.key.publicKeyHex,
      amountTrm: ports.tariff.costTrm(candidate.offer.cost, price, promptTokens, completionTokens),
      tokensProcessed: BigInt(promptTokens + completionTokens),
      timestampMs: quote.timestampMs,
      modelId: quote.model,
      nonce: bytesFromHex(quote.nonce),
    }),
  }
}

/** A quote that is refused here costs nobody anything. @throws TiramiError, CheatedError */
function checkQuote(
  ports: BuyerPorts,
  { candidate, request, channel }: Purchase,
  jobId: string,
  { message: quote, bytes }: { message: Quote; bytes: Uint8Array },
): void {
  const { peer, offer } = candidate
  const nowMs = BigInt(ports.nowMs())
  const isOurs =
    quote.jobId === jobId && quote.consumer === ports.key.publicKeyHex && quote.model === offer.id
  const age = nowMs - quote.timestampMs
  if (!isOurs || age > QUOTE_AGE_MAX_MS || age < -QUOTE_AGE_MAX_MS) throw protocolBroken()
  const cheat = (reason: Dispute['reason'], sentence: string) =>
    new CheatedError({
      provider: channel.peer,
      consumer: ports.key.publicKeyHex,
      nonce: quote.nonce,
      model: quote.model,
      reason,
      sentence,
      evidence: [
        { what: 'signed price', hex: hexFromBytes(peer.signalBytes) },
        { what: 'signed quote', hex: hexFromBytes(bytes) },
      ],
    })
  if (isDearer(quote.price, peer.signal.price)) {
    throw cheat(
      'price-above-signed',
      'The provider quoted more than the price that it had signed to everybody.',
    )
  }
  const mostTrm = ports.tariff.costTrm(offer.cost, quote.price, quote.promptTokens, request.maxTokens)
  if (quote.promptTokens > promptTokensMax(request) || quote.maxAmountTrm > mostTrm) {
    throw cheat('bill-wrong', 'The provider quoted more than the prompt and the longest answer can cost.')
  }
}

/** The provider broke its signed word; the evidence goes with it. */
export class CheatedError extends TiramiError {
  readonly dispute: Dispute

  constructor(dispute: Dispute) {
    super('PEER_CHEATED', dispute.sentence, {
      nextStep: 'Nothing is owed for it. Ask again: another host may serve the model.',
      httpStatus: 502,
    })
    this.dispute = dispute
  }
}

/** The answer as it comes, and the last trade that this side has signed. */
class Answer {
  readonly #ports: BuyerPorts
  readonly #purchase: Purchase
  readonly #agreement: Agreement
  readonly #hooks: BuyerHooks
  #trade: SignedTrade | null = null
  #tokens = 0
  #bytes = 0
  readonly #transcript: TranscriptHash
  readonly #pieces: Uint8Array[] = []

  constructor(ports: BuyerPorts, purchase: Purchase, agreement: Agreement, hooks: BuyerHooks) {
    this.#transcript = new TranscriptHash(agreement.begin)
    this.#ports = ports
    this.#purchase = purchase
    this.#agreement = agreement
    this.#hooks = hooks
  }

  /** Never rejects: what came is owed. */
  async run(reader: Reader): Promise<Bought> {
    const { signal, channel } = this.#purchase
    try {
      await channel.send(plain({ kind: 'accept' }))
      for (;;) {
        const bytes = await reader.next(PIECE_WITHIN_MS, signal)
        if (bytes === null) return this.#ended('cancelled', signal.aborted ? null : broken())
        const message = readBody(FromProvider, bytes)
        if (message?.kind === 'end') {
          const { finishReason, transcriptSignature: signature } = message
          if (!this.#transcript.isSignedBy(channel.peer, signature)) throw protocolBroken()
          this.#sign(message)
          const transcript = { begin: this.#agreement.begin, pieces: this.#pieces, signature }
          return this.#ended(finishReason, null, transcript)
        }
        if (message?.kind === 'failed') {
          const { code, message: text, nextStep } = message
          return this.#ended('cancelled', new TiramiError(code, text, { nextStep, httpStatus: 502 }))
        }
        if (message?.kind !== 'piece') throw protocolBroken()
        this.#bytes += Buffer.byteLength(message.text)
        const signature = this.#sign(message)
        this.#transcript.add(bytes)
        // Only an audit looks at them again.
        if (this.#purchase.commitment) this.#pieces.push(bytes)
        this.#hooks.text(message.text, message.tokens, message.logprobs)
        await channel.send(plain({ kind: 'ack', tokens: message.tokens, signature: hexFromBytes(signature) }))
      }
    } catch (error) {
      const failure = error instanceof TiramiError ? error : broken()
      return this.#ended('cancelled', failure)
    }
  }

  lastWord() {
    const signature = this.#trade ? hexFromBytes(this.#trade.consumerSignature) : null
    return { kind: 'settle', tokens: this.#tokens, signature }
  }

  #ended(
    finishReason: Bought['finishReason'],
    failure: TiramiError | null,
    transcript: Transcript | null = null,
  ): Bought {
    const dispute = failure instanceof CheatedError ? failure.dispute : null
    const trade = this.#trade
    return {
      trade,
      completionTokens: this.#tokens,
      finishReason,
      failure,
      dispute,
      cheated: dispute !== null,
      transcript,
    }
  }

  /** Checks the bill so far against what came, and signs it. @throws CheatedError */
  #sign(bill: { tokens: number; amountTrm: bigint; signature: string; kind: string }): Uint8Array {
    const { key } = this.#ports
    const { channel, request } = this.#purchase
    const terms = this.#agreement.termsAt(bill.tokens)
    const providerSignature = bytesFromHex(bill.signature)
    const fits =
      bill.tokens >= this.#tokens &&
      bill.tokens <= completionTokensMax(request, this.#bytes) &&
      bill.amountTrm === terms.amountTrm &&
      terms.amountTrm <= this.#agreement.quote.maxAmountTrm &&
      hasSigned(channel.peer, terms, providerSignature)
    if (!fits) throw this.#wrongBill(bill)
    const consumerSignature = signTerms(key, terms)
    this.#trade = { terms, providerSignature, consumerSignature }
    this.#tokens = bill.tokens
    return consumerSignature
  }

  #wrongBill(bill: { tokens: number; amountTrm: bigint; signature: string }): CheatedError {
    const { quote } = this.#agreement
    const claimed = { ...this.#agreement.termsAt(bill.tokens), amountTrm: bill.amountTrm }
    return new CheatedError({
      provider: this.#purchase.channel.peer,
      consumer: this.#ports.key.publicKeyHex,
      nonce: quote.nonce,
      model: quote.model,
      reason: 'bill-wrong',
      sentence: 'The provider’s bill does not follow from the agreed price and from what came.',
      evidence: [
        { what: 'terms billed', hex: hexFromBytes(canonicalTradeBytes(claimed)) },
        { what: 'provider signature', hex: bill.signature },
        { what: 'received bytes', hex: hexFromBytes(new TextEncoder().encode(String(this.#bytes))) },
      ],
    })
  }
}

function unreadable(bytes: Uint8Array): TiramiError {
  const opened = openEnvelope(bytes)
  if (opened.ok || opened.reason !== 'version') return protocolBroken()
  return new TiramiError('PEER_VERSION', 'The other host speaks another version of the mesh.', {
    nextStep: 'Update the older of the two hosts.',
    httpStatus: 502,
  })
}

function protocolBroken(): TiramiError {
  return new TiramiError('PEER_PROTOCOL', 'The other host said something that makes no sense here.', {
    nextStep: 'Ask again: another host may serve the model.',
    httpStatus: 502,
  })
}

function broken(): TiramiError {
  return new TiramiError('PEER_LOST', 'The connection to the other host broke.', {
    nextStep: 'Ask again. What had arrived is paid for, nothing else.',
    httpStatus: 502,
  })
}

function cancelled(): TiramiError {
  return new TiramiError('CANCELLED', 'The request was cancelled; nothing was charged.', {
    nextStep: 'Ask again.',
    httpStatus: 499,
  })
}
