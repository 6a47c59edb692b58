import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type EmbedEvent,
  type Engine,
  type GenerateEvent,
  type GenerateRequest,
  jobFlop,
  prefillFlop,
} from '../inference/index.ts'
import { keyPairFromSeed, systemClock, systemRng, TiramiError, trmFromFlop } from '../kernel/index.ts'
import { type Ledger, openLedger } from '../ledger/index.ts'
import type { Consumer } from './keys.ts'
import { createSafety, type Safety } from './safety.ts'
import { type ServeEvent, type ServingPorts, serve, serveEmbeddings } from './serving.ts'

/** How one simulated generation goes: the engine is the port through which the host is driven here. */
interface Script {
  promptTokens: number
  /** Of these, kept from an earlier answer. */
  cachedTokens?: number
  pieces: number
  ending: 'stop' | 'length' | 'cancelled' | 'crash' | 'internal'
}

const layer = { headCount: 14, keyLength: 64, valueLength: 64, windowTokens: null }
const cost = { activeMatmulParameters: 500_000_000n, layers: Array.from({ length: 24 }, () => layer) }
const MODEL = { id: 'model', cost, defaultTemperature: 0 }
const request: GenerateRequest = {
  prompt: { type: 'chat', turns: [{ role: 'user', content: 'hi' }] },
  tenant: 'tenant',
  maxTokens: 32,
  temperature: 0,
  topP: 1,
  stop: [],
}

function scriptedEngine(script: Script): Engine {
  const idle = { running: 0, queued: 0 }
  return {
    status: () => ({
      state: 'ready',
      backend: 'cpu',
      deviceName: null,
      threads: 1,
      slots: 1,
      restarts: 0,
      retryAtMs: null,
      error: null,
    }),
    jobs: () => idle,
    loaded: () => null,
    onChange: () => () => {},
    start: async () => {},
    load: async () => {},
    drain: async () => {},
    stop: async () => {},
    tokenize: async () => [],
    detokenize: async () => '',
    async *embed({ texts }): AsyncGenerator<EmbedEvent, void, void> {
      const textTokens = texts.map((text) => text.length)
      const promptTokens = textTokens.reduce((sum, tokens) => sum + tokens, 0)
      yield { type: 'prompt', promptTokens, textTokens }
      yield { type: 'vectors', vectors: texts.map(() => [1]) }
      yield { type: 'end', finishReason: 'stop', promptTokens, cachedTokens: 0, completionTokens: 0 }
    },
    async *generate(): AsyncGenerator<GenerateEvent, void, void> {
      yield { type: 'prompt', promptTokens: script.promptTokens }
      for (let piece = 0; piece < script.pieces; piece++) yield { type: 'text', text: `${piece} `, tokens: 1 }
      if (script.ending === 'crash')
        throw new TiramiError('ENGINE_CRASHED', 'gone', { nextStep: '', httpStatus: 502 })
      if (script.ending === 'internal') throw new Error('a defect')
      const counts = {
        promptTokens: script.promptTokens,
        cachedTokens: script.cachedTokens ?? 0,
        completionTokens: script.pieces,
      }
      yield { type: 'end', finishReason: script.ending, ...counts }
    },
  }
}

describe('one paid answer', () => {
  let directory: string
  let ledger: Ledger
  let safety: Safety
  const node = keyPairFromSeed(new Uint8Array(32).fill(1))
  const consumer = (creditLimitTrm: bigint): Consumer => ({
    ...keyPairFromSeed(new Uint8Array(32).fill(2)),
    label: 'test',
    ownKey: true,
    creditLimitTrm,
  })

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tirami-serving-'))
    safety = createSafety({ ledger: () => ledger, clock: systemClock, rng: systemRng })
    ledger = await openLedger({
      directory,
      observer: { events: (events) => events.forEach((event) => void safety.observe(event)) },
      clock: systemClock,
      projectionWorkerUrl: new URL('../ledger/projection.worker.ts', import.meta.url),
    })
    await safety.recover([consumer(0n)])
  })
  afterEach(async () => {
    await ledger.close()
    rmSync(directory, { recursive: true, force: true })
  })

  /** A market that moves all the time: what counts is the price when the job was reserved. */
  const movingMarket = (firstMicro: bigint): ServingPorts['economy'] => {
    let micro = firstMicro
    return {
      assertMayProvide: () => {},
      jobPrice: () => {
        const jobMicro = micro
        micro *= 2n
        return (flop) => trmFromFlop(flop, jobMicro)
      },
      welcomeCreditTrm: () => 0n,
    }
  }

  const ports = (script: Script, refuse = () => {}, priceMicro = 1_000_000n): ServingPorts => ({
    engine: scriptedEngine(script),
    energy: { begin: () => () => undefined },
    stewardship: { assertMayServe: () => undefined, jobDone: () => undefined },
    ledger,
    safety,
    economy: movingMarket(priceMicro),
    node,
    clock: systemClock,
    rng: systemRng,
    model: () => MODEL,
    admit: async () => {
      refuse()
      return { signal: new AbortController().signal, leave: () => undefined }
    },
  })

  async function collect(events: AsyncGenerator<ServeEvent>, stopAfter = Number.POSITIVE_INFINITY) {
    const seen: ServeEvent[] = []
    try {
      for await (const event of events) {
        seen.push(event)
        if (seen.length >= stopAfter) break
      }
      return { seen, error: null }
    } catch (error) {
      return { seen, error }
    }
  }

  it('is charged only when it was finished and read to its end, and then exactly what was computed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          promptTokens: fc.integer({ min: 1, max: 400 }),
          pieces: fc.integer({ min: 0, max: 32 }),
          ending: fc.constantFrom('stop', 'length', 'cancelled', 'crash', 'internal') as fc.Arbitrary<
            Script['ending']
          >,
        }),
        fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
        fc.bigInt({ min: 10_000n, max: 6_000_000n }),
        async (script, stopAfter, priceMicro) => {
          const before = ledger.balance(node.publicKeyHex).contributedTrm
          const trades = ledger.tradeCount()
          const { seen } = await collect(
            serve(
              ports(script, undefined, priceMicro),
              consumer(10n ** 9n),
              request,
              new AbortController().signal,
            ),
            stopAfter,
          )
          const booked = seen.find((event) => event.type === 'booked')
          const spent = ledger.balance(consumer(0n).publicKeyHex)
          expect(spent.reservedTrm).toBe(0n)
          const gauges = safety.gauges(consumer(0n).publicKeyHex)
          expect(gauges.heldTrm).toBe(0n)
          expect(gauges.lifetimeTrm.used).toBe(spent.consumedTrm)
          await safety.resetBreaker(consumer(0n).publicKeyHex, 'test')
          const earned = ledger.balance(node.publicKeyHex).contributedTrm - before
          if (booked?.type === 'booked') {
            expect(earned).toBe(booked.receipt.amountTrm)
            expect(earned).toBe(trmFromFlop(booked.receipt.flop, priceMicro))
            expect(ledger.tradeCount()).toBe(trades + 1)
            expect(booked.receipt.trade).toMatchObject({ providerSigned: true, consumerSigned: true })
          } else if (script.ending === 'stop' || script.ending === 'length') {
            // The reader left before the end.
            expect(stopAfter).toBeDefined()
          }
          if (['cancelled', 'crash', 'internal'].includes(script.ending)) expect(earned).toBe(0n)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('is refused before any work when the consumer cannot cover it', async () => {
    const { seen, error } = await collect(
      serve(
        ports({ promptTokens: 10, pieces: 5, ending: 'stop' }),
        consumer(5n),
        request,
        new AbortController().signal,
      ),
    )
    expect(seen).toEqual([])
    expect(error).toMatchObject({ code: 'INSUFFICIENT_BALANCE', httpStatus: 402 })
  })

  it('is refused with the host’s reason when the host takes none', async () => {
    const paused = () => {
      throw new TiramiError('HOST_PAUSED', 'Paused.', { nextStep: 'Resume.', httpStatus: 503 })
    }
    const { seen, error } = await collect(
      serve(
        ports({ promptTokens: 1, pieces: 1, ending: 'stop' }, paused),
        consumer(10n ** 9n),
        request,
        new AbortController().signal,
      ),
    )
    expect(seen).toEqual([])
    expect(error).toMatchObject({ code: 'HOST_PAUSED' })
  })

  it('is charged what was computed, not what was kept from an earlier answer', async () => {
    const { seen } = await collect(
      serve(
        ports({ promptTokens: 100, cachedTokens: 80, pieces: 5, ending: 'stop' }),
        consumer(10n ** 9n),
        request,
        new AbortController().signal,
      ),
    )
    const flop = jobFlop(cost, 100, 5) - prefillFlop(cost, 80)
    expect(seen.at(-1)).toMatchObject({
      type: 'booked',
      receipt: { promptTokens: 100, cachedTokens: 80, flop, amountTrm: trmFromFlop(flop, 1_000_000n) },
    })
  })

  it('costs, for embeddings, the reading of every text by itself', async () => {
    const embedding = ports({ promptTokens: 0, pieces: 0, ending: 'stop' })
    const texts = ['seven..', 'three']
    const events: unknown[] = []
    const signal = new AbortController().signal
    for await (const event of serveEmbeddings(embedding, consumer(10n ** 9n), texts, signal))
      events.push(event)
    const flop = prefillFlop(cost, 7) + prefillFlop(cost, 5)
    expect(events).toEqual([
      { type: 'started', promptTokens: 12, maxAmountTrm: expect.any(BigInt) },
      { type: 'vectors', vectors: [[1], [1]] },
      { type: 'booked', receipt: expect.objectContaining({ promptTokens: 12, completionTokens: 0, flop }) },
    ])
  })
})
