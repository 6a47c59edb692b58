import type { Trade } from '../../src-preload/contract/index.ts'
import {
  type Engine,
  type FlopCost,
  type GenerateEvent,
  type JobRequest,
  jobFlop,
  maxJobFlop,
  prefillFlop,
  type TokenLogprobs,
} from '../inference/index.ts'
import { type Clock, type KeyPair, type Rng, TiramiError } from '../kernel/index.ts'
import type { Ledger, SignedTrade, TradeTerms, UnsignedTrade } from '../ledger/index.ts'
import type { Sealing } from '../market/index.ts'
import type { Admission } from './earning-policy.ts'
import type { EconomyService } from './economy-service.ts'
import type { EnergyMeter } from './energy-meter.ts'
import type { Consumer } from './keys.ts'
import type { Safety } from './safety.ts'
import type { Stewardship } from './stewardship.ts'

export interface ServedModel {
  id: string
  cost: FlopCost
  /** Used when a request names none. */
  defaultTemperature: number
}

export interface Receipt {
  finishReason: 'stop' | 'length'
  promptTokens: number
  /** Of the prompt, kept from the caller's last answer: not computed again, and not charged. */
  cachedTokens: number
  completionTokens: number
  flop: bigint
  amountTrm: bigint
  trade: Trade
  timeToFirstTokenMs: number
  latencyMs: number
}

/** How one piece of paid work goes; `booked` is sent only after the trade is on disk. */
export type Sold<Piece> =
  /** `maxAmountTrm` is reserved; nothing is computed before the next event is asked for. */
  | { type: 'started'; promptTokens: number; maxAmountTrm: bigint }
  | Piece
  | { type: 'booked'; receipt: Receipt }

type TextPiece = { type: 'text'; text: string; tokens: number; logprobs?: TokenLogprobs[] }
type VectorsPiece = { type: 'vectors'; vectors: number[][] }

export type ServeEvent = Sold<TextPiece>
/** `vectors` come in the order of the texts. */
export type ServeEmbeddingsEvent = Sold<VectorsPiece>

/** What the host needs to know of work to sell it. */
export interface Work<Piece, Product extends { id: string }> {
  /** What is sold; null: nothing now. Another one in the course of the job ends it, unpaid. */
  product(): Product | null
  run(
    tenant: { tenant: string; priority: 'owner' | 'paid' },
    signal: AbortSignal,
  ): AsyncIterable<{ type: 'prompt'; promptTokens: number } | Piece | WorkEnd>
  /** The most it can take; asked after `prompt`. */
  maxFlop(product: Product, promptTokens: number): bigint
  /** Passes of thought: 1 for a language model, calls of the network for the recursive one. */
  depth(end: WorkEnd): number
  /** Whether the thermostat chose how deep to think; what others chose teaches it nothing. */
  followsThermostat: boolean
  /** What it did take; asked at its end. */
  flop(product: Product, end: WorkEnd): bigint
}

export type WorkEnd = Extract<GenerateEvent, { type: 'end' }>

export interface ServingPorts {
  engine: Engine
  ledger: Ledger
  node: KeyPair
  clock: Clock
  rng: Rng
  safety: Safety
  economy: Pick<EconomyService, 'assertMayProvide' | 'jobPrice' | 'welcomeCreditTrm'>
  energy: Pick<EnergyMeter, 'begin'>
  stewardship: Pick<Stewardship, 'assertMayServe' | 'jobDone'>
  model(): ServedModel | null
  /** A place for the job. @throws TiramiError the reason when the host does not take it now */
  admit(consumer: { ownKey: boolean }): Promise<Admission>
}

/** A refusal of the owner's question may be answered: the caller names the answer when he asks again. */
export interface ServeOptions {
  approvalId?: string
  /** The consumer is another host: it signs by itself, and at a price that it was told before. */
  remote?: { sealing: Sealing; costTrm(flop: bigint): bigint }
}

/** A reservation outlives every job that a context can hold, then voids itself. */
const RESERVATION_TTL_MS = 60 * 60_000

/** One paid answer. @throws TiramiError as `sell` */
export function serve(
  ports: ServingPorts,
  consumer: Consumer,
  request: JobRequest,
  signal: AbortSignal,
  options: ServeOptions = {},
): AsyncGenerator<ServeEvent, void, void> {
  return sell(ports, consumer, generation(ports, request), signal, options)
}

/** Vectors of `texts`, paid as one job. @throws TiramiError as `sell` */
export function serveEmbeddings(
  ports: ServingPorts,
  consumer: Consumer,
  texts: string[],
  signal: AbortSignal,
  options: ServeOptions = {},
): AsyncGenerator<ServeEmbeddingsEvent, void, void> {
  return sell(ports, consumer, embedding(ports, texts), signal, options)
}

function generation({ engine, model }: ServingPorts, request: JobRequest): Work<TextPiece, ServedModel> {
  return {
    product: model,
    async *run(tenant, signal) {
      for await (const event of engine.generate({ ...request, ...tenant }, signal)) {
        if (event.type !== 'text') yield event
        else {
          const { text, tokens, logprobs } = event
          yield { type: 'text', text, tokens, ...(logprobs ? { logprobs } : {}) }
        }
      }
    },
    depth: () => 1,
    followsThermostat: false,
    maxFlop: ({ cost }, promptTokens) => maxJobFlop(cost, promptTokens, request.maxTokens),
    // What was kept was computed, and paid for, with an earlier answer.
    flop: ({ cost }, { promptTokens, cachedTokens, completionTokens }) =>
      jobFlop(cost, promptTokens, completionTokens) - prefillFlop(cost, cachedTokens),
  }
}

/** Every text is a prompt of its own, without an answer. */
function embedding({ engine, model }: ServingPorts, texts: string[]): Work<VectorsPiece, ServedModel> {
  let textTokens: number[] = []
  const flop = ({ cost }: ServedModel) =>
    textTokens.reduce((sum, tokens) => sum + prefillFlop(cost, tokens), 0n)
  return {
    product: model,
    async *run(tenant, signal) {
      let promptTokens = 0
      for await (const event of engine.embed({ ...tenant, texts }, signal)) {
        if (event.type === 'prompt') ({ promptTokens, textTokens } = event)
        yield event.type === 'end' ? { ...event, promptTokens, cachedTokens: 0, completionTokens: 0 } : event
      }
    },
    depth: () => 1,
    followsThermostat: false,
    maxFlop: flop,
    flop,
  }
}

/**
 * Paid work: reserve the most it can cost, let it be done, settle what it did cost, signed by both parties.
 * Any other end (error, abort, the reader going away) voids the reservation and charges nothing; another host pays
 * for what it has signed for.
 * @throws TiramiError of the engine, the ledger, or the reason why the host takes no jobs
 */
export async function* sell<
  Piece extends { type: 'text' | 'vectors' | 'thought' },
  Product extends { id: string },
>(
  ports: ServingPorts,
  consumer: Consumer,
  work: Work<Piece, Product>,
  signal: AbortSignal,
  options: ServeOptions,
): AsyncGenerator<Sold<Piece>, void, void> {
  const { ledger, clock, safety, economy } = ports
  ports.stewardship.assertMayServe()
  safety.assertNotKilled()
  economy.assertMayProvide(consumer)
  const killed = safety.killSignal()
  const product = work.product()
  if (!product) throw noModel()
  const place = await ports.admit(consumer)
  const startedAtMs = performance.now()
  let timeToFirstTokenMs = 0
  const caller = consumer.publicKeyHex
  // The price is that of the moment of reserving: the settlement then stays within the reservation.
  let costTrm = (_flop: bigint): bigint => 0n
  let holdId: string | null = null
  let reservationId: string | null = null
  let voidReason = 'reader-gone'
  let endMetering: ReturnType<EnergyMeter['begin']> = () => undefined
  let started: { promptTokens: number } | null = null
  const book = async (end: WorkEnd, signed: SignedTrade | UnsignedTrade): Promise<Receipt> => {
    if (reservationId === null) throw new Error('nothing is reserved')
    const latencyMs = performance.now() - startedAtMs
    const { promptTokens, cachedTokens, completionTokens, finishReason } = end
    const flop = work.flop(product, end)
    const { amountTrm } = signed.terms
    // One write carries both: the budget is spent with the trade, or neither is.
    if (holdId !== null) safety.spent(holdId, amountTrm)
    holdId = null
    const trade = await ledger.settle(reservationId, signed, {
      flop,
      promptTokens,
      completionTokens,
      ...(cachedTokens > 0 ? { cachedTokens } : {}),
      latencyMs: Math.round(latencyMs * 1000) / 1000,
      consumerLabel: consumer.label,
      ownKey: consumer.ownKey,
      ...(options.remote ? { remote: true } : {}),
    })
    reservationId = null
    endMetering({ work: Number(flop), tradeId: trade.tradeId, ownKey: consumer.ownKey })
    ports.stewardship.jobDone({
      latencyMs,
      amountTrm,
      flop,
      energyJ: 'pending',
      tradeId: trade.tradeId,
      depth: work.depth(end),
      followsThermostat: work.followsThermostat,
      ok: true,
      ownKey: consumer.ownKey,
      model: product.id,
    })
    return {
      finishReason: finishReason === 'cancelled' ? 'stop' : finishReason,
      promptTokens,
      cachedTokens,
      completionTokens,
      flop,
      amountTrm,
      trade,
      timeToFirstTokenMs: timeToFirstTokenMs || latencyMs,
      latencyMs,
    }
  }
  try {
    const tenant = { tenant: caller, priority: consumer.ownKey ? 'owner' : 'paid' } as const
    for await (const event of work.run(tenant, AbortSignal.any([signal, killed, place.signal]))) {
      if (isPrompt(event)) {
        // It waited while the owner chose another model, which the caller did not ask for.
        if (work.product() !== product) throw modelChanged()
        const maxFlop = work.maxFlop(product, event.promptTokens)
        costTrm = options.remote?.costTrm ?? economy.jobPrice()
        const amountTrm = costTrm(maxFlop)
        holdId = safety.hold(caller, amountTrm, options.approvalId)
        reservationId = ledger.reserve({
          consumer: caller,
          provider: ports.node.publicKeyHex,
          amountTrm,
          expiresAtMs: clock.nowMs() + RESERVATION_TTL_MS,
          creditLimitTrm: larger(consumer.creditLimitTrm, economy.welcomeCreditTrm(caller)),
        })
        endMetering = ports.energy.begin()
        started = { promptTokens: event.promptTokens }
        yield { type: 'started', promptTokens: event.promptTokens, maxAmountTrm: amountTrm }
      } else if (!isEnd(event)) {
        if (timeToFirstTokenMs === 0) timeToFirstTokenMs = performance.now() - startedAtMs
        yield event
      } else if (event.finishReason === 'cancelled') {
        voidReason = 'cancelled'
        safety.assertNotKilled()
        // The owner needs his machine: the reason says so.
        place.signal.throwIfAborted()
        throw cancelled()
      } else if (reservationId !== null && holdId !== null) {
        safety.assertNotKilled()
        const amountTrm = costTrm(work.flop(product, event))
        const tokens = event.promptTokens + event.completionTokens
        const unsigned = tradeOf(ports, consumer, product.id, amountTrm, tokens, options.remote?.sealing)
        const signed = options.remote
          ? await options.remote.sealing.seal(unsigned.terms, event.finishReason)
          : unsigned
        yield { type: 'booked', receipt: await book(event, signed) }
      }
    }
  } catch (error) {
    if (voidReason === 'reader-gone') voidReason = error instanceof TiramiError ? error.code : 'INTERNAL'
    if (holdId !== null && isHostFault(error)) {
      safety.failed(caller)
      const latencyMs = performance.now() - startedAtMs
      const nothing = {
        amountTrm: 0n,
        flop: 0n,
        energyJ: 'unpaid',
        depth: 0,
        followsThermostat: false,
      } as const
      ports.stewardship.jobDone({
        ...nothing,
        latencyMs,
        ok: false,
        ownKey: consumer.ownKey,
        model: product.id,
      })
    }
    const signed = started && (await options.remote?.sealing.partial(error))
    if (started && signed && reservationId !== null) {
      const { trade, completionTokens } = signed
      const counts = { ...started, cachedTokens: 0, completionTokens }
      const end: WorkEnd = { type: 'end', finishReason: 'cancelled', ...counts }
      yield { type: 'booked', receipt: await book(end, trade) }
    }
    throw error
  } finally {
    place.leave()
    // Unpaid work drew power too.
    endMetering({ work: 0, tradeId: null, ownKey: consumer.ownKey })
    if (reservationId !== null) ledger.void(reservationId, voidReason)
    if (holdId !== null) safety.release(holdId, voidReason)
  }
}

const isPrompt = (event: { type: string }): event is { type: 'prompt'; promptTokens: number } =>
  event.type === 'prompt'
const isEnd = (event: { type: string }): event is WorkEnd => event.type === 'end'

const larger = (a: bigint, b: bigint) => (a > b ? a : b)

/** Failures that the caller could do nothing about: five in a row stop him for a while (spec section 4). */
function isHostFault(error: unknown): boolean {
  return !(error instanceof TiramiError) || HOST_FAULTS.has(error.code)
}

const HOST_FAULTS: ReadonlySet<string> = new Set([
  'ENGINE_CRASHED',
  'GENERATION_FAILED',
  'REASONING_CRASHED',
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_UNAUTHORISED',
  'UPSTREAM_MODEL_MISSING',
  'UPSTREAM_INVALID',
])

/** Both keys are held here, so the ledger signs for both. */
function tradeOf(
  ports: ServingPorts,
  consumer: Consumer,
  modelId: string,
  amountTrm: bigint,
  tokens: number,
  sealing?: Pick<Sealing, 'nonce' | 'timestampMs'>,
): UnsignedTrade {
  const terms: TradeTerms = {
    provider: ports.node.publicKeyHex,
    consumer: consumer.publicKeyHex,
    amountTrm,
    tokensProcessed: BigInt(tokens),
    timestampMs: sealing?.timestampMs ?? BigInt(ports.clock.nowMs()),
    modelId,
    nonce: sealing?.nonce ?? ports.rng.bytes(16),
  }
  return { terms, providerKey: ports.node, consumerKey: consumer }
}

function noModel(): TiramiError {
  return new TiramiError('NO_MODEL', 'No model is loaded.', {
    nextStep: 'Wait until the model is loaded, or choose another one.',
    httpStatus: 503,
  })
}

function modelChanged(): TiramiError {
  return new TiramiError(
    'MODEL_CHANGED',
    'The owner has chosen another model meanwhile; nothing was charged.',
    {
      nextStep: 'List the models and ask again.',
      httpStatus: 503,
    },
  )
}

function cancelled(): TiramiError {
  return new TiramiError('CANCELLED', 'The answer was cancelled; nothing was charged.', {
    nextStep: 'Ask again.',
    httpStatus: 499,
  })
}
