import type { Trade } from '../../src-preload/contract/index.ts'
import { type Engine, type FlopCost, type GenerateRequest, jobFlop, maxJobFlop } from '../inference/index.ts'
import { type Clock, type KeyPair, type Rng, TiramiError, trmFromFlop } from '../kernel/index.ts'
import { canonicalTradeBytes, type Ledger, type SignedTrade, type TradeTerms } from '../ledger/index.ts'
import type { EconomyService } from './economy-service.ts'
import type { Consumer } from './keys.ts'
import type { Safety } from './safety.ts'

export interface ServedModel {
  id: string
  cost: FlopCost
  /** Used when a request names none. */
  defaultTemperature: number
}

export interface Receipt {
  finishReason: 'stop' | 'length'
  promptTokens: number
  completionTokens: number
  flop: bigint
  amountTrm: bigint
  trade: Trade
  timeToFirstTokenMs: number
  latencyMs: number
}

export type ServeEvent =
  | { type: 'started'; promptTokens: number }
  | { type: 'text'; text: string }
  /** Sent only after the trade is on disk. */
  | { type: 'booked'; receipt: Receipt }

export interface ServingPorts {
  engine: Engine
  ledger: Ledger
  node: KeyPair
  clock: Clock
  rng: Rng
  safety: Safety
  economy: Pick<EconomyService, 'assertMayProvide' | 'multiplierMicro' | 'welcomeCreditTrm'>
  model(): ServedModel | null
  /** Throws the reason when the host does not take jobs now. */
  assertAccepting(): void
}

/** A refusal of the owner's question may be answered: the caller names the answer when he asks again. */
export interface ServeOptions {
  approvalId?: string
}

/** A reservation outlives every job that a context can hold, then voids itself. */
const RESERVATION_TTL_MS = 60 * 60_000

/**
 * One paid answer: reserve the most it can cost, generate, settle what it did cost, signed by both parties.
 * Any other end (error, abort, the reader going away) voids the reservation and charges nothing.
 * @throws TiramiError of the engine, the ledger, or the reason why the host takes no jobs
 */
export async function* serve(
  ports: ServingPorts,
  consumer: Consumer,
  request: GenerateRequest,
  signal: AbortSignal,
  options: ServeOptions = {},
): AsyncGenerator<ServeEvent, void, void> {
  const { engine, ledger, clock, safety, economy } = ports
  ports.assertAccepting()
  safety.assertNotKilled()
  economy.assertMayProvide(consumer)
  const killed = safety.killSignal()
  const model = ports.model()
  if (!model) throw noModel()
  const startedAtMs = performance.now()
  let timeToFirstTokenMs = 0
  const caller = consumer.publicKeyHex
  // The price is that of the moment of reserving: the settlement then stays within the reservation.
  let multiplierMicro = 0n
  let holdId: string | null = null
  let reservationId: string | null = null
  let voidReason = 'reader-gone'
  try {
    for await (const event of engine.generate(request, AbortSignal.any([signal, killed]))) {
      if (event.type === 'prompt') {
        const maxFlop = maxJobFlop(model.cost, event.promptTokens, request.maxTokens)
        multiplierMicro = economy.multiplierMicro()
        const amountTrm = trmFromFlop(maxFlop, multiplierMicro)
        holdId = safety.hold(caller, amountTrm, options.approvalId)
        reservationId = ledger.reserve({
          consumer: caller,
          provider: ports.node.publicKeyHex,
          amountTrm,
          expiresAtMs: clock.nowMs() + RESERVATION_TTL_MS,
          creditLimitTrm: larger(consumer.creditLimitTrm, economy.welcomeCreditTrm(caller)),
        })
        yield { type: 'started', promptTokens: event.promptTokens }
      } else if (event.type === 'text') {
        if (timeToFirstTokenMs === 0) timeToFirstTokenMs = performance.now() - startedAtMs
        yield { type: 'text', text: event.text }
      } else if (event.finishReason === 'cancelled') {
        voidReason = 'cancelled'
        safety.assertNotKilled()
        throw cancelled()
      } else if (reservationId !== null && holdId !== null) {
        safety.assertNotKilled()
        const latencyMs = performance.now() - startedAtMs
        const flop = jobFlop(model.cost, event.promptTokens, event.completionTokens)
        const amountTrm = trmFromFlop(flop, multiplierMicro)
        const { promptTokens, completionTokens, finishReason } = event
        const signed = signTrade(ports, consumer, model.id, amountTrm, promptTokens + completionTokens)
        // One write carries both: the budget is spent with the trade, or neither is.
        safety.spent(holdId, amountTrm)
        holdId = null
        const trade = await ledger.settle(reservationId, signed, {
          flop,
          promptTokens,
          completionTokens,
          latencyMs: Math.round(latencyMs * 1000) / 1000,
          consumerLabel: consumer.label,
          ownKey: consumer.ownKey,
        })
        reservationId = null
        yield {
          type: 'booked',
          receipt: {
            finishReason,
            promptTokens,
            completionTokens,
            flop,
            amountTrm,
            trade,
            timeToFirstTokenMs: timeToFirstTokenMs || latencyMs,
            latencyMs,
          },
        }
      }
    }
  } catch (error) {
    if (voidReason === 'reader-gone') voidReason = error instanceof TiramiError ? error.code : 'INTERNAL'
    if (holdId !== null && isHostFault(error)) safety.failed(caller)
    throw error
  } finally {
    if (reservationId !== null) ledger.void(reservationId, voidReason)
    if (holdId !== null) safety.release(holdId, voidReason)
  }
}

const larger = (a: bigint, b: bigint) => (a > b ? a : b)

/** Failures that the caller could do nothing about: five in a row stop him for a while (spec section 4). */
function isHostFault(error: unknown): boolean {
  return !(error instanceof TiramiError) || ['ENGINE_CRASHED', 'GENERATION_FAILED'].includes(error.code)
}

function signTrade(
  ports: ServingPorts,
  consumer: Consumer,
  modelId: string,
  amountTrm: bigint,
  tokens: number,
): SignedTrade {
  const terms: TradeTerms = {
    provider: ports.node.publicKeyHex,
    consumer: consumer.publicKeyHex,
    amountTrm,
    tokensProcessed: BigInt(tokens),
    timestampMs: BigInt(ports.clock.nowMs()),
    modelId,
    nonce: ports.rng.bytes(16),
  }
  const bytes = canonicalTradeBytes(terms)
  return { terms, providerSignature: ports.node.sign(bytes), consumerSignature: consumer.sign(bytes) }
}

function noModel(): TiramiError {
  return new TiramiError('NO_MODEL', 'No model is loaded.', {
    nextStep: 'Wait until the model is loaded, or choose another one.',
    httpStatus: 503,
  })
}

function cancelled(): TiramiError {
  return new TiramiError('CANCELLED', 'The answer was cancelled; nothing was charged.', {
    nextStep: 'Ask again.',
    httpStatus: 499,
  })
}
