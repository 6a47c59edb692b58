import type { JobRequest, TokenLogprobs } from '../inference/index.ts'
import { type Clock, type KeyPair, type Rng, readClockMs, TiramiError } from '../kernel/index.ts'
import type { JobFacts, Ledger, SignedTrade } from '../ledger/index.ts'
import {
  type Agreement,
  type Bought,
  type Candidate,
  type MarketNode,
  RemoteRequest,
  type RoutingMode,
} from '../market/index.ts'
import type { EconomyService } from './economy-service.ts'
import { type Consumer, OWN_KEY_CREDIT_LIMIT_TRM } from './keys.ts'
import { flopOf } from './market-tariff.ts'
import type { Safety } from './safety.ts'
import type { Receipt, ServeEvent, ServeOptions } from './serving.ts'

export interface BuyingPorts {
  market: Pick<MarketNode, 'rank' | 'buy'>
  ledger: Ledger
  node: KeyPair
  clock: Clock
  rng: Rng
  safety: Safety
  economy: Pick<EconomyService, 'assertMayProvide' | 'welcomeCreditTrm'>
  mode(): RoutingMode
  /** Hosts that ask for more are not asked, in millionths of a TRM for 10⁹ FLOP; null: no limit. */
  maxPriceMicro(): bigint | null
  assertRunning(): void
}

export interface RemoteJob {
  consumer: Consumer
  model: string
  request: JobRequest
  signal: AbortSignal
  options: ServeOptions
}

/** Providers that are asked before the caller is told that nobody can. */
const ATTEMPTS_MAX = 3
const RESERVATION_TTL_MS = 60 * 60_000

/**
 * One answer of another host, paid by this one, which its own consumer pays the same: two trades, both signed by both
 * parties, written together. Whatever way it ends, what came is paid for and nothing else.
 * @throws TiramiError of the last provider that was asked, of the budgets, or why the answer broke off
 */
export async function* serveFromMesh(
  ports: BuyingPorts,
  job: RemoteJob,
): AsyncGenerator<ServeEvent, void, void> {
  const { safety, economy } = ports
  ports.assertRunning()
  safety.assertNotKilled()
  economy.assertMayProvide(job.consumer)
  const gone = new AbortController()
  const signal = AbortSignal.any([job.signal, safety.killSignal(), gone.signal])
  const events = new Events()
  // It goes on when the reader stops reading: what came has to be booked.
  void purchase(ports, { ...job, signal }, events).then(
    () => events.end(),
    (error) => events.end(error),
  )
  try {
    yield* events.read()
  } finally {
    gone.abort()
  }
}

async function purchase(ports: BuyingPorts, job: RemoteJob, events: Events): Promise<void> {
  const request = remoteRequest(job.request)
  const promptTokens = Math.ceil(JSON.stringify(request.prompt).length / 4)
  const { model, signal } = job
  const ranked = ports.market.rank({ model, promptTokens, maxTokens: request.maxTokens, mode: ports.mode() })
  const limitMicro = ports.maxPriceMicro()
  const affordable = ranked.filter(
    ({ peer }) => limitMicro === null || peer.signal.price.multiplierMicro <= limitMicro,
  )
  let last: unknown = ranked.length > affordable.length ? tooDear(model) : nobodyServes(model)
  for (const candidate of affordable.slice(0, ATTEMPTS_MAX)) {
    const booking = new Booking(ports, job, candidate, events)
    try {
      await ports.market.buy(candidate, covering(ports.rng, candidate, request), signal, booking)
      return booking.throwFailure()
    } catch (error) {
      // The caller's own budget, or his going away, is no reason to ask the next.
      if (booking.begun || signal.aborted) throw error
      last = error
    }
  }
  throw last
}

/** One in so many answers is asked for with log-probabilities that nobody reads: audits hide among them. */
const COVERS_EVERY = 10
const COVER_ALTERNATIVES = 4

/** Only where nothing of the answer changes by it, and the other host computes them itself. */
function covering(rng: Rng, { offer }: Candidate, request: RemoteRequest): RemoteRequest {
  const { topLogprobs, seed, format = { type: 'text' } } = request
  const fits = topLogprobs === undefined && seed === undefined && format.type === 'text'
  const [drawn = 0] = rng.bytes(1)
  if (!fits || offer.weights === null || drawn >= 256 / COVERS_EVERY) return request
  return { ...request, topLogprobs: COVER_ALTERNATIVES }
}

/** @throws TiramiError REMOTE_UNSUPPORTED (400) */
function remoteRequest({ cachePrompt: _cache, ...request }: JobRequest): RemoteRequest {
  const parsed = RemoteRequest.safeParse(request)
  if (!parsed.success) throw unsupported(`“${parsed.error.issues[0]?.path.join('.')}” of this kind`)
  return parsed.data
}

/** Both trades of one purchase: reserved together, booked together. */
class Booking {
  begun = false
  readonly #ports: BuyingPorts
  readonly #job: RemoteJob
  readonly #candidate: Candidate
  readonly #events: Events
  readonly #startedAtMs = performance.now()
  #timeToFirstTokenMs = 0
  #holdId: string | null = null
  /** Consumer → this host, and this host → provider. */
  #reservations: { guest: string; host: string } | null = null
  #failure: TiramiError | null = null

  constructor(ports: BuyingPorts, job: RemoteJob, candidate: Candidate, events: Events) {
    this.#ports = ports
    this.#job = job
    this.#candidate = candidate
    this.#events = events
  }

  agreed({ quote }: Agreement): void {
    const { ledger, safety, economy, node, clock } = this.#ports
    const { consumer, options } = this.#job
    this.begun = true
    const amountTrm = quote.maxAmountTrm
    const expiresAtMs = readClockMs(clock) + RESERVATION_TTL_MS
    this.#holdId = safety.hold(consumer.publicKeyHex, amountTrm, options.approvalId)
    let guest: string | null = null
    try {
      const welcomeTrm = economy.welcomeCreditTrm(consumer.publicKeyHex)
      const { creditLimitTrm } = consumer
      guest = ledger.reserve({
        consumer: consumer.publicKeyHex,
        provider: node.publicKeyHex,
        amountTrm,
        expiresAtMs,
        creditLimitTrm: larger(creditLimitTrm, welcomeTrm),
      })
      const host = ledger.reserve({
        consumer: node.publicKeyHex,
        provider: this.#candidate.peer.nodeId,
        amountTrm,
        expiresAtMs,
        creditLimitTrm: OWN_KEY_CREDIT_LIMIT_TRM,
      })
      this.#reservations = { guest, host }
    } catch (error) {
      if (guest !== null) ledger.void(guest, 'not-agreed')
      safety.release(this.#holdId, 'not-agreed')
      throw error
    }
    this.#events.push({ type: 'started', promptTokens: quote.promptTokens, maxAmountTrm: amountTrm })
  }

  text(text: string, tokens: number, logprobs?: TokenLogprobs[]): void {
    if (this.#timeToFirstTokenMs === 0) this.#timeToFirstTokenMs = performance.now() - this.#startedAtMs
    const asked = this.#job.request.topLogprobs !== undefined
    this.#events.push({ type: 'text', text, tokens, ...(asked && logprobs ? { logprobs } : {}) })
  }

  async settled(bought: Bought, { quote }: Agreement): Promise<void> {
    const { trade, finishReason, failure } = bought
    this.#failure = failure
    if (!trade) return this.#release(failure?.code ?? 'cancelled')
    const receipt = await this.#book(trade, bought, quote.promptTokens)
    if (failure) this.#failure = alsoPaid(failure, receipt.amountTrm)
    else if (finishReason !== 'cancelled') this.#events.push({ type: 'booked', receipt })
  }

  throwFailure(): void {
    if (this.#failure) throw this.#failure
  }

  #release(reason: string): void {
    const { ledger, safety } = this.#ports
    if (this.#reservations) {
      ledger.void(this.#reservations.guest, reason)
      ledger.void(this.#reservations.host, reason)
    }
    if (this.#holdId !== null) safety.release(this.#holdId, reason)
  }

  async #book(trade: SignedTrade, bought: Bought, promptTokens: number): Promise<Receipt> {
    const { ledger, safety, node, rng } = this.#ports
    const { consumer } = this.#job
    if (!this.#reservations || this.#holdId === null) throw new Error('nothing is reserved')
    const latencyMs = performance.now() - this.#startedAtMs
    const { completionTokens, finishReason } = bought
    const { amountTrm } = trade.terms
    const flop = flopOf(this.#candidate.offer.cost, promptTokens, completionTokens)
    const facts: JobFacts = {
      flop,
      promptTokens,
      completionTokens,
      latencyMs: Math.round(latencyMs * 1000) / 1000,
      consumerLabel: consumer.label,
      ownKey: consumer.ownKey,
    }
    // What a guest pays and this host pays on is neither its income nor its spending.
    const through = consumer.ownKey ? {} : { passedOnTrm: amountTrm }
    const own = {
      ...trade.terms,
      provider: node.publicKeyHex,
      consumer: consumer.publicKeyHex,
      nonce: rng.bytes(16),
    }
    // In one turn: one write carries the budget and both trades.
    safety.spent(this.#holdId, amountTrm)
    const paid = ledger.settle(this.#reservations.host, trade, {
      ...facts,
      consumerLabel: 'This host',
      ownKey: false,
      remote: true,
      ...through,
    })
    const passedOn = ledger.settle(
      this.#reservations.guest,
      { terms: own, providerKey: node, consumerKey: consumer },
      { ...facts, ...through },
    )
    const [, booked] = await Promise.all([paid, passedOn])
    return {
      finishReason: finishReason === 'length' ? 'length' : 'stop',
      promptTokens,
      cachedTokens: 0,
      completionTokens,
      flop,
      amountTrm,
      trade: booked,
      timeToFirstTokenMs: this.#timeToFirstTokenMs || latencyMs,
      latencyMs,
    }
  }
}

/** Events for a reader who may be slower, or gone. */
class Events {
  readonly #waiting: ServeEvent[] = []
  #ended: { error: unknown } | null = null
  #wake: () => void = () => undefined

  push(event: ServeEvent): void {
    this.#waiting.push(event)
    this.#wake()
  }

  end(error: unknown = null): void {
    this.#ended = { error }
    this.#wake()
  }

  async *read(): AsyncGenerator<ServeEvent, void, void> {
    for (;;) {
      const event = this.#waiting.shift()
      if (event) {
        yield event
        continue
      }
      if (this.#ended?.error) throw this.#ended.error
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

const larger = (a: bigint, b: bigint) => (a > b ? a : b)

function alsoPaid({ code, message, nextStep, httpStatus }: TiramiError, amountTrm: bigint): TiramiError {
  return new TiramiError(code, `${message} ${amountTrm} TRM were paid for what had arrived.`, {
    nextStep,
    httpStatus,
  })
}

function tooDear(model: string): TiramiError {
  return new TiramiError(
    'MESH_TOO_DEAR',
    `Every host that serves “${model.slice(0, 80)}” asks for more than your limit.`,
    {
      nextStep: 'Raise the price limit on the page Market, or ask again later.',
      httpStatus: 404,
    },
  )
}

function nobodyServes(model: string): TiramiError {
  return new TiramiError('MODEL_NOT_FOUND', `No host serves the model “${model.slice(0, 80)}” now.`, {
    nextStep: 'Ask again later, or for another model.',
    httpStatus: 404,
  })
}

function unsupported(what: string): TiramiError {
  return new TiramiError('REMOTE_UNSUPPORTED', `${what} cannot be had from another host.`, {
    nextStep: 'Ask without, or for the model that this host serves.',
    httpStatus: 400,
  })
}
