import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ModelsView } from '../../src-preload/contract/index.ts'
import { type FlopCost, forkEngine, type JobRequest, jobFlop } from '../inference/index.ts'
import {
  chatMessages,
  json,
  models,
  openUpstreamServer,
  sse,
  type UpstreamServer,
} from '../inference/testing/upstream-server.ts'
import { systemRng, type TiramiError } from '../kernel/index.ts'
import { readGgufModel } from '../models/index.ts'
import { writeTinyGguf } from '../models/testing/tiny-gguf.ts'
import { readTelemetry } from '../telemetry/index.ts'
import { type RunningHost, startHost } from './host.ts'
import { openKeys } from './keys.ts'
import { openSettings, UpstreamChoice } from './settings.ts'

let directory: string
let server: UpstreamServer
let host: RunningHost | null = null
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-upstream-'))
  server = await openUpstreamServer({
    '/v1/models': models('Org/Model-7B'),
    '/v1/chat/completions': sse(
      chatMessages(['Hello', ' you'], { prompt_tokens: 12, completion_tokens: 2, total_tokens: 14 }),
    ),
  })
})
afterEach(async () => {
  await host?.stop()
  host = null
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

async function start(choice: Partial<UpstreamChoice> | null, model?: string): Promise<RunningHost> {
  const upstream = UpstreamChoice.parse({ baseUrl: server.baseUrl, model: 'Org/Model-7B', ...choice })
  host = await startHost({
    dataDirectory: directory,
    resourcesDirectory: resolve(import.meta.dirname, '../../resources'),
    spawnEngine: forkEngine(new URL('../inference/engine/entry.ts', import.meta.url)),
    projectionWorkerUrl: new URL('../ledger/projection.worker.ts', import.meta.url),
    reasoningWorkerUrl: new URL('./reasoning/reasoning.worker.ts', import.meta.url),
    openApi: async () => ({ url: 'http://127.0.0.1:1', close: async () => {} }),
    ...(choice === null ? {} : { upstream }),
    ...(model === undefined ? {} : { model }),
  })
  return host
}

async function flopOfOneAnswer({ services }: RunningHost): Promise<bigint> {
  const request: JobRequest = {
    prompt: { type: 'chat', turns: [{ role: 'user', content: 'hi' }] },
    maxTokens: 16,
    temperature: 0,
    topP: 1,
    stop: [],
  }
  const consumer = openKeys(directory, systemRng).windowConsumer
  const events = services.serve(consumer, request, new AbortController().signal)
  for await (const event of events) if (event.type === 'booked') return event.receipt.flop
  throw new Error('nothing was booked')
}

it('meters what the owner declares, and says that it is declared', async () => {
  const running = await start({ parameters: 7_000_000_000 })
  await running.whenServing()
  expect(running.status()).toMatchObject({
    state: 'serving',
    model: {
      id: 'model-7b',
      name: 'Org/Model-7B',
      parameters: 7_000_000_000,
      flopPerToken: '14000000000',
      upstream: { address: new URL(server.baseUrl).host, flop: 'declared' },
    },
    engine: { state: 'ready', backend: null, slots: 8 },
  })
  expect(await flopOfOneAnswer(running)).toBe(14n * 14_000_000_000n)
})

it('with the shape of attention, or a file of the model, meters attention too', async () => {
  const attention = { layers: 32, headCount: 32, keyLength: 128, valueLength: 128 }
  const declared = await start({ parameters: 7_000_000_000, attention })
  await declared.whenServing()
  const layer = { headCount: 32, keyLength: 128, valueLength: 128, windowTokens: null }
  const cost: FlopCost = {
    activeMatmulParameters: 7_000_000_000n,
    layers: Array.from({ length: 32 }, () => layer),
  }
  expect(await flopOfOneAnswer(declared)).toBe(jobFlop(cost, 12, 2))
  await declared.stop()
  const ggufPath = writeTinyGguf(join(directory, 'tiny.gguf'))
  const measured = await start({ ggufPath })
  await measured.whenServing()
  expect(measured.status().model?.upstream?.flop).toBe('gguf')
  expect(await flopOfOneAnswer(measured)).toBe(jobFlop(await readGgufModel(ggufPath), 12, 2))
})

it('lists the other server’s model as the one that is served', async () => {
  const { control } = await start({ parameters: 1_000_000 })
  const answer = await control.call('models.get', {})
  if (!answer.ok) throw new Error(answer.error.message)
  const { installed } = answer.result as ModelsView
  expect(installed.filter(({ chosen }) => chosen).map(({ id }) => id)).toEqual(['model-7b'])
  expect(installed.length).toBeGreaterThan(1)
})

it('is found again in the settings, with the key that its file holds at the start', async () => {
  const apiKeyFile = join(directory, 'upstream-key')
  writeFileSync(apiKeyFile, 'a-key\n')
  openSettings(directory).set({
    upstream: UpstreamChoice.parse({
      baseUrl: server.baseUrl,
      model: 'Org/Model-7B',
      parameters: 1,
      apiKeyFile,
    }),
  })
  const running = await start(null)
  await running.whenServing()
  expect(server.asked[0]?.headers.authorization).toBe('Bearer a-key')
  expect(JSON.stringify(running.status())).not.toContain('a-key')
})

it.each<[string, Partial<UpstreamChoice>, string]>([
  ['nothing that says what a token costs', {}, 'UPSTREAM_COST_UNKNOWN'],
  ['a key file that is not there', { parameters: 1, apiKeyFile: '/nowhere/key' }, 'UPSTREAM_KEY_MISSING'],
  ['a model file that is none', { ggufPath: import.meta.filename }, 'MODEL_FILE_INVALID'],
  ['an address in the clear', { parameters: 1, baseUrl: 'http://8.8.8.8/v1' }, 'UPSTREAM_ADDRESS_REFUSED'],
])('refuses %s', async (_name, choice, code) => {
  const error = await start(choice).catch((cause: TiramiError) => cause)
  expect(error).toMatchObject({ code })
})

it('says why it does not earn while the other server is away', async () => {
  const running = await start({ parameters: 1 })
  await running.whenServing()
  server.routes['/v1/models'] = json({}, 500)
  server.routes['/v1/chat/completions'] = (response) => void response.destroy()
  await expect(flopOfOneAnswer(running)).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  await expect.poll(() => running.status().state).toBe('engine-down')
  expect(running.status().reason).toMatch(/^Not earning: The server behind this host/)
  const { services } = running
  expect(services.ledger.tradeCount()).toBe(0)
})

it('writes down the energy of the last answer, or that it is not known, before it is gone', async () => {
  const warnings: string[] = []
  const warned = ({ message }: Error) => void warnings.push(message)
  process.on('warning', warned)
  const running = await start({ parameters: 1_000_000 })
  await running.whenServing()
  await flopOfOneAnswer(running)
  await running.stop()
  const kinds: string[] = []
  for await (const event of readTelemetry(join(directory, 'telemetry'))) kinds.push(event.event_type)
  process.off('warning', warned)
  expect(kinds.filter((kind) => kind.startsWith('Job'))).toEqual(['JobServed', 'JobEnergy'])
  expect(warnings.filter((text) => text.startsWith('telemetry'))).toEqual([])
})

describe('while it runs', () => {
  const view = async (call: Promise<unknown>) => {
    const answer = (await call) as { ok: true; result: ModelsView } | { ok: false; error: { code: string } }
    if (!answer.ok) throw Object.assign(new Error(answer.error.code), answer.error)
    return answer.result
  }
  const chosen = ({ installed }: ModelsView) => installed.filter((entry) => entry.chosen).map(({ id }) => id)
  const connect = ({ control }: RunningHost, change: object = {}) =>
    view(
      control.call('models.connect', {
        baseUrl: server.baseUrl,
        model: 'Org/Model-7B',
        parameters: 7_000_000_000,
        ...change,
      }),
    )
  const load = ({ control }: RunningHost, id: string) => view(control.call('models.load', { id }))

  /** An answer of a model that never ends by itself, held open after its first piece. */
  async function beginAnswer({ services }: RunningHost, maxTokens: number) {
    const request: JobRequest = {
      prompt: { type: 'chat', turns: [{ role: 'user', content: 'hi' }] },
      maxTokens,
      temperature: 0,
      topP: 1,
      stop: [],
    }
    const consumer = openKeys(directory, systemRng).windowConsumer
    const events = services.serve(consumer, request, new AbortController().signal)
    for (;;) {
      const { value, done } = await events.next()
      if (done) throw new Error('nothing was answered')
      if (value.type === 'text') return events
    }
  }
  async function finish(events: Awaited<ReturnType<typeof beginAnswer>>) {
    for await (const event of events) if (event.type === 'booked') return event.receipt
    throw new Error('nothing was booked')
  }
  async function startOwn(): Promise<RunningHost> {
    const script = { bytes: new TextEncoder().encode('abc'), ending: 'repeat' } as const
    const modelPath = writeTinyGguf(join(directory, 'own.gguf'), { script })
    const running = await start(null, modelPath)
    await running.whenServing()
    return running
  }

  it('goes to another server and back; an answer that runs ends where it began, and costs what that costs', async () => {
    const running = await startOwn()
    const ownCost = await readGgufModel(join(directory, 'own.gguf'))
    const before = await beginAnswer(running, 300)
    const connected = await connect(running, { apiKey: 'a-secret' })
    expect(chosen(connected)).toEqual(['model-7b'])
    expect(connected.upstream).toMatchObject({ model: 'Org/Model-7B', hasKey: true, flop: 'declared' })
    expect(await flopOfOneAnswer(running)).toBe(14n * 14_000_000_000n)
    const receipt = await finish(before)
    expect(receipt.trade.modelId).toBe('own')
    expect(receipt.flop).toBe(jobFlop(ownCost, receipt.promptTokens, 300))
    expect(server.asked.every(({ headers }) => headers.authorization === 'Bearer a-secret')).toBe(true)

    const back = await load(running, 'tirami-concierge')
    expect(chosen(back)).toEqual(['tirami-concierge'])
    expect(back.upstream).toBeNull()
    const asked = server.askedAt('/v1/chat/completions').length
    const answer = await finish(await beginAnswer(running, 4))
    expect(answer.trade.modelId).toBe('tirami-concierge')
    expect(server.askedAt('/v1/chat/completions')).toHaveLength(asked)
  })

  it('changes nothing for a server that does not answer, or refuses the key', async () => {
    const running = await startOwn()
    server.routes['/v1/models'] = json({ error: { message: 'no' } }, 401)
    await expect(connect(running, { apiKey: 'wrong' })).rejects.toMatchObject({
      code: 'UPSTREAM_UNAUTHORISED',
    })
    expect(running.status()).toMatchObject({ state: 'serving', model: { id: 'own' } })
    expect((await finish(await beginAnswer(running, 2))).trade.modelId).toBe('own')
    expect(openSettings(directory).get().upstream).toBeNull()
    expect(keyFiles()).toEqual([])
  })

  it('goes back to the other server where a model of its own cannot be loaded', async () => {
    const running = await startOwn()
    await connect(running)
    const damaged = join(directory, 'damaged.gguf')
    writeTinyGguf(damaged)
    const added = await view(running.control.call('models.add', { source: damaged }))
    const id = added.installed.find(({ fileName }) => fileName === 'damaged.gguf')?.id ?? ''
    truncateSync(damaged, 2_000)
    await expect(load(running, id)).rejects.toMatchObject({ code: expect.stringMatching(/^MODEL_/) })
    expect(running.status()).toMatchObject({ state: 'serving', model: { id: 'model-7b' } })
    expect(await flopOfOneAnswer(running)).toBe(14n * 14_000_000_000n)
  })

  it('only takes note while it is paused, and serves from there when it is resumed', async () => {
    const running = await startOwn()
    await running.control.call('host.pause', {})
    await connect(running)
    expect(server.asked).toEqual([])
    expect(running.status().state).toBe('paused')
    await running.control.call('host.resume', {})
    expect(running.status()).toMatchObject({ state: 'serving', model: { id: 'model-7b' } })
  })

  it('serves from there after a restart, with the key that only its owner can read', async () => {
    const running = await startOwn()
    await connect(running, { apiKey: 'first' })
    await connect(running, { apiKey: 'second' })
    const [name, ...others] = keyFiles()
    expect(others).toEqual([])
    expect(statSync(join(directory, 'upstream-keys', name ?? '')).mode & 0o777).toBe(0o600)
    await running.stop()
    const again = await start(null)
    await again.whenServing()
    expect(again.status().model?.id).toBe('model-7b')
    expect(server.asked.at(-1)?.headers.authorization).toBe('Bearer second')
  })

  it('asks another server which models it has', async () => {
    const { control } = await startOwn()
    const listed = await control.call('models.listUpstream', { baseUrl: server.baseUrl })
    expect(listed).toEqual({ ok: true, result: { models: ['Org/Model-7B'] } })
    const refused = await control.call('models.listUpstream', { baseUrl: 'http://8.8.8.8/v1' })
    expect(refused).toMatchObject({ ok: false, error: { code: 'UPSTREAM_ADDRESS_REFUSED' } })
  })

  const keyFiles = () =>
    existsSync(join(directory, 'upstream-keys')) ? readdirSync(join(directory, 'upstream-keys')) : []
})
