import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { TEXT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, temporaryDirectory } from './support/host.ts'
import {
  networkName,
  openToGuests,
  peersOf,
  remoteTrades,
  sendPrompts,
  startMeshHost,
  whenServing,
} from './support/mesh.ts'

const data = temporaryDirectory()
const network = networkName()
const MODEL = 'assistant'
let asking: HostProcess
let serving: HostProcess
let watching: HostProcess

beforeAll(async () => {
  const modelPath = writeAssistantModel(join(data.path, `${MODEL}.gguf`))
  serving = await startMeshHost(join(data.path, 'serving'), network, [], '--model', modelPath)
  ;[asking, watching] = await Promise.all([
    startMeshHost(join(data.path, 'asking'), network, [serving]),
    startMeshHost(join(data.path, 'watching'), network, [serving]),
  ])
  await openToGuests(serving)
})
afterAll(async () => {
  await Promise.all([asking, serving, watching].map((host) => host?.end('SIGKILL')))
  data.remove()
})

const question = { model: MODEL, messages: [{ role: 'user' as const, content: 'tell me' }], temperature: 0 }

describe('three hosts', () => {
  it('find each other from one address, and learn who serves what at which price', async () => {
    await whenServing(asking, MODEL)
    await eventually(async () => (await peersOf(asking)).count === 2 && (await peersOf(watching)).count === 2)
    const route = await asking.api(`/tirami/route?model=${MODEL}`)
    expect(await route.json()).toMatchObject({ provider: serving.ready.nodeId, model: MODEL })
  })

  it('send no prompt away before the owner has allowed it', async () => {
    await expect(asking.client.chat.completions.create(question)).rejects.toMatchObject({ status: 404 })
    await sendPrompts(asking)
    const { data: listed } = (await (await asking.api('/models')).json()) as { data: { id: string }[] }
    expect(listed.map(({ id }) => id)).toContain(MODEL)
  })

  it('answer for each other, streamed, with the trade in both ledgers and known to the third', async () => {
    const stream = await asking.client.chat.completions.create({ ...question, stream: true })
    const pieces: string[] = []
    let cost: { trm_cost: number; flops: number } | undefined
    for await (const chunk of stream) {
      const content = chunk.choices[0]?.delta.content
      if (content) pieces.push(content)
      cost = (chunk as { x_tirami?: typeof cost }).x_tirami ?? cost
    }
    expect(pieces).toEqual(TEXT_ANSWER)
    const [there] = await eventually(async () => {
      const trades = await remoteTrades(serving, asking.ready.nodeId)
      return trades.length === 1 && trades
    })
    const [here] = await remoteTrades(asking, serving.ready.nodeId)
    expect(here?.trade_id).toBe(there?.trade_id)
    expect(here).toMatchObject({
      provider: serving.ready.nodeId,
      consumer: asking.ready.nodeId,
      model_id: MODEL,
    })
    expect(cost?.trm_cost).toBe(here?.trm_amount)
    expect(cost?.flops).toBeGreaterThan(0)
    const known = await eventually(async () => {
      const { trades } = (await (await watching.api('/tirami/mesh/trades')).json()) as {
        trades: { trade_id: string }[]
      }
      return trades.find(({ trade_id }) => trade_id === here?.trade_id)
    })
    expect(known).toMatchObject({ trm_amount: here?.trm_amount })
    // It is not in the third's books: who owes whom elsewhere is not its to say.
    expect(await remoteTrades(watching, serving.ready.nodeId)).toEqual([])
  })
})

describe('a provider that is killed in the course of an answer', () => {
  it('is paid for what came, and books it when it is back', async () => {
    const modelPath = writeTinyGguf(join(data.path, 'endless.gguf'), {
      script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
    })
    const directory = join(data.path, 'endless')
    const start = () => startMeshHost(directory, network, [watching], '--model', modelPath)
    let endless = await start()
    await openToGuests(endless)
    await whenServing(asking, 'endless')
    const stream = await asking.client.chat.completions.create({
      model: 'endless',
      messages: question.messages,
      max_tokens: 4_000,
      stream: true,
    })
    let pieces = 0
    let failure: unknown
    try {
      for await (const chunk of stream) {
        if (chunk.choices[0]?.delta.content && ++pieces === 5) await endless.end('SIGKILL')
      }
    } catch (error) {
      failure = error
    }
    expect(String(failure)).toMatch(/paid for what had arrived/)
    const [here] = await eventually(async () => {
      const trades = await remoteTrades(asking, endless.ready.nodeId)
      return trades.length === 1 && trades
    })
    expect(here?.trm_amount).toBeGreaterThan(0)
    endless = await start()
    const [there] = await eventually(async () => {
      const trades = await remoteTrades(endless, asking.ready.nodeId)
      return trades.length === 1 && trades
    }, 60_000)
    expect(there?.trade_id).toBe(here?.trade_id)
    const { caller } = (await (await asking.api('/tirami/balance')).json()) as {
      caller: { reserved: number }
    }
    expect(caller.reserved).toBe(0)
    await endless.end('SIGTERM')
  })
})
