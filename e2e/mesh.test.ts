import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyLedger } from '../src-main/ledger/index.ts'
import { temptingSignal } from '../src-main/market/testing/crafted-signals.ts'
import { takeUnsigned } from '../src-main/market/testing/unsigned-taker.ts'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { TEXT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { eventually, type HostProcess, root, temporaryDirectory } from './support/host.ts'
import {
  bannedBy,
  meshPort,
  multicastWorks,
  networkName,
  observedTrades,
  openToGuests,
  peersOf,
  remoteTrades,
  sendPrompts,
  startLocalMeshHost,
  startMeshHost,
  tradesWithHosts,
  whenServing,
} from './support/mesh.ts'
import {
  CHEAP,
  type Cheat,
  joinAsCheat,
  originOf,
  quoteAbovePrice,
  voteBothWays,
} from './support/mesh-cheat.ts'

const data = temporaryDirectory()
const network = networkName()
const MODEL = 'assistant'
const OTHERS = ['asking', 'watching', 'north-1', 'north-2', 'south-1', 'south-2'] as const
/** How long the network is cut; a minute in `npm run test:long`. */
const CUT_MS = Number(process.env.TIRAMI_CUT_S ?? 5) * 1_000
let hosts: HostProcess[] = []
let asking: HostProcess
let serving: HostProcess
let endless: HostProcess
let watching: HostProcess
let startEndless: () => Promise<HostProcess>

const directoryOf = (name: string) => join(data.path, name)
const cutDirectory = directoryOf('cut')

const NAMES = ['serving', ...OTHERS, 'endless']
const nameOf = ({ child }: HostProcess) =>
  NAMES.find((name) => child.spawnargs.includes(directoryOf(name))) ?? ''
const named = (name: string): HostProcess => {
  const host = hosts.find((one) => nameOf(one) === name)
  if (!host) throw new Error(`${name} is not up`)
  return host
}

/** From now on the host makes and keeps no connection to the others. */
const cut = (host: HostProcess, others: readonly HostProcess[]) =>
  writeFileSync(join(cutDirectory, nameOf(host)), JSON.stringify(others.map(meshPort)))

beforeAll(async () => {
  const assistant = writeAssistantModel(directoryOf(`${MODEL}.gguf`))
  // Whoever asks has to serve something else, or he is answered at home.
  const other = writeAssistantModel(directoryOf('other.gguf'))
  const repeating = writeTinyGguf(directoryOf('endless.gguf'), {
    script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
  })
  mkdirSync(cutDirectory)
  process.env.TIRAMI_CUT = cutDirectory
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(join(root, 'e2e/support/cut.mjs'))}`
  // Without configuration where the machine lets a group hear its datagrams; else from one address.
  const local = await multicastWorks()
  console.log(`hosts find each other by ${local ? 'mDNS' : 'bootstrap: no multicast here'}`)
  const start = (name: string, model: string, known: readonly HostProcess[]) =>
    local
      ? startLocalMeshHost(directoryOf(name), network, '--model', model)
      : startMeshHost(directoryOf(name), network, known, '--model', model)
  serving = await start('serving', assistant, [])
  startEndless = () => start('endless', repeating, [serving])
  hosts = [serving]
  const started = (host: HostProcess) => {
    hosts.push(host)
    return host
  }
  await Promise.all([
    ...OTHERS.map((name) => start(name, other, [serving]).then(started)),
    startEndless().then(started),
  ])
  asking = named('asking')
  watching = named('watching')
  endless = named('endless')
  await openToGuests(serving)
  await openToGuests(endless)
}, 600_000)
afterAll(async () => {
  delete process.env.TIRAMI_CUT
  delete process.env.NODE_OPTIONS
  await Promise.all(hosts.map((host) => host.end('SIGKILL')))
  data.remove()
})

const question = { model: MODEL, messages: [{ role: 'user' as const, content: 'tell me' }], temperature: 0 }

describe('eight hosts', () => {
  it('find each other, and learn who serves what at which price', async () => {
    await whenServing(asking, MODEL)
    for (const host of hosts) {
      await eventually(async () => (await peersOf(host)).count === hosts.length - 1, 60_000)
    }
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
    const endedAtMs = performance.now()
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
    const known = await eventually(async () =>
      (await observedTrades(watching)).find(({ trade_id }) => trade_id === here?.trade_id),
    )
    console.log(
      `a third host knew of the trade ${Math.round(performance.now() - endedAtMs)} ms after the answer`,
    )
    expect(known).toMatchObject({ trm_amount: here?.trm_amount })
    // It is not in the third's books: who owes whom elsewhere is not its to say.
    expect(await remoteTrades(watching, serving.ready.nodeId)).toEqual([])
  })
})

describe('a provider that is killed in the course of an answer', () => {
  it('is paid for what came, and books it when it is back', async () => {
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
    hosts = hosts.filter((host) => host !== endless)
    endless = await startEndless()
    hosts.push(endless)
    const [there] = await eventually(async () => {
      const trades = await remoteTrades(endless, asking.ready.nodeId)
      return trades.length === 1 && trades
    }, 60_000)
    expect(there?.trade_id).toBe(here?.trade_id)
    const { caller } = (await (await asking.api('/tirami/balance')).json()) as {
      caller: { reserved: number }
    }
    expect(caller.reserved).toBe(0)
  })
})

describe('a network that falls apart', () => {
  it('goes on trading on one side, and the other learns of it when it is whole again', async () => {
    const south = ['south-1', 'south-2'].map(named)
    const north = hosts.filter((host) => !south.includes(host))
    for (const host of south) cut(host, north)
    for (const host of north) cut(host, south)
    const separated = async (host: HostProcess, others: readonly HostProcess[]) => {
      const { connected_peers } = (await (await host.api('/tirami/topology')).json()) as {
        connected_peers: string[]
      }
      return others.every(({ ready }) => !connected_peers.includes(ready.nodeId))
    }
    for (const host of south) await eventually(() => separated(host, north))
    const before = new Set((await observedTrades(watching)).map(({ trade_id }) => trade_id))
    const endsAtMs = performance.now() + CUT_MS
    const answer = await asking.client.chat.completions.create(question)
    expect(answer.choices[0]?.message.content).toBe(TEXT_ANSWER.join(''))
    const trade = await eventually(async () =>
      (await observedTrades(watching)).find(({ trade_id }) => !before.has(trade_id)),
    )
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, endsAtMs - performance.now())))
    for (const host of south) {
      expect((await observedTrades(host)).map(({ trade_id }) => trade_id)).not.toContain(trade.trade_id)
    }
    for (const host of hosts) cut(host, [])
    for (const host of south) {
      await eventually(
        async () => (await observedTrades(host)).some(({ trade_id }) => trade_id === trade.trade_id),
        120_000,
      )
    }
  })
})

describe('a cheat among hosts', () => {
  const cheats: Cheat[] = []
  const joined = async (neighbour = asking) => {
    const cheat = await joinAsCheat(network, [neighbour])
    cheats.push(cheat)
    await eventually(async () => cheat.net.peers().includes(neighbour.ready.nodeId), 60_000)
    return cheat
  }
  /** Until it has been heard, gossipsub knows nobody to send to. */
  const heard = (cheat: Cheat, model: string) =>
    eventually(async () => {
      await cheat.net.publish('signals', temptingSignal(cheat.key, model, Date.now(), CHEAP))
      return (await peersOf(asking)).peers.some(({ models }) => models.includes(model))
    })
  const isBanned = ({ net }: Cheat) => bannedBy(directoryOf('asking')).includes(net.nodeId)
  afterAll(() => Promise.all(cheats.map(({ net }) => net.close())))

  it('who asks more than it has signed is paid nothing, and banned with its own two signatures', async () => {
    const liar = await joined()
    quoteAbovePrice(liar, 'bargain')
    await heard(liar, 'bargain')
    await expect(asking.client.chat.completions.create({ ...question, model: 'bargain' })).rejects.toThrow()
    const { disputes } = (await (await asking.api('/tirami/mesh/disputes')).json()) as {
      disputes: { provider: string; reason: string }[]
    }
    expect(disputes).toContainEqual(
      expect.objectContaining({ provider: liar.net.nodeId, reason: 'price-above-signed' }),
    )
    expect(await remoteTrades(asking, liar.net.nodeId)).toEqual([])
    expect(isBanned(liar)).toBe(true)
    await eventually(async () => !liar.net.peers().includes(asking.ready.nodeId))
  })

  it('who says again what others have signed is banned', async () => {
    const replayer = await joined()
    const captured = await eventually(async () => {
      const { nodeId } = serving.ready
      return replayer.overheard.find((message) => originOf(message) === nodeId)
    }, 60_000)
    for (let time = 0; time < 20; time++) await replayer.net.publish('signals', captured)
    await eventually(async () => isBanned(replayer))
    await expect(replayer.net.open(asking.ready.nodeId, 'work/1')).rejects.toThrow()
    // Whoever had signed it is none the worse for it.
    await whenServing(asking, MODEL)
  })

  it('who votes both ways is convicted by everybody, by the proof that its two signatures are', async () => {
    const voter = await joined()
    const digest = randomBytes(32).toString('hex')
    const isConvictedAt = async (host: HostProcess) => {
      const { events } = (await (await host.api('/tirami/slash-events')).json()) as {
        events: { node_id: string; reason: string }[]
      }
      return events.some(({ node_id, reason }) => node_id === voter.net.nodeId && reason === 'equivocation')
    }
    await eventually(async () => {
      await voteBothWays(voter, digest)
      return isConvictedAt(asking)
    }, 60_000)
    for (const host of hosts) await eventually(() => isConvictedAt(host), 120_000)
  })

  it('who takes an answer and does not sign for it is recorded, with what it has signed', async () => {
    const taker = await joined(serving)
    const { nodeId } = serving.ready
    const signal = await eventually(
      async () => taker.overheard.findLast((message) => originOf(message) === nodeId),
      60_000,
    )
    await takeUnsigned({ ...taker, nowMs: Date.now() }, signal, MODEL)
    await eventually(async () => {
      const { disputes } = (await (await serving.api('/tirami/mesh/disputes')).json()) as {
        disputes: { consumer: string; reason: string }[]
      }
      return disputes.some(
        ({ consumer, reason }) => consumer === taker.net.nodeId && reason === 'not-countersigned',
      )
    }, 120_000)
    // What it has signed for is paid.
    expect(await remoteTrades(serving, taker.net.nodeId)).toHaveLength(1)
  })

  it('who floods is banned, and the others go on', async () => {
    const flooder = await joined()
    await heard(flooder, 'flood')
    for (let message = 0; message < 6_000 && !isBanned(flooder); message++) {
      await flooder.net.publish('signals', temptingSignal(flooder.key, 'flood', Date.now() + message, CHEAP))
    }
    await eventually(async () => isBanned(flooder))
    // A connection that broke while everybody was busy is made anew.
    const answer = await eventually(
      () => asking.client.chat.completions.create(question).catch(() => null),
      60_000,
    )
    expect(answer.choices[0]?.message.content).toBe(TEXT_ANSWER.join(''))
  })
})

describe('over all eight ledgers', () => {
  it('every claim of a host is a debt of another, and each journal verifies', async () => {
    const trades = await eventually(async () => {
      const booked = await Promise.all(
        hosts.map(async (host) =>
          (await tradesWithHosts(host, hosts)).map((trade) => ({ ...trade, by: host.ready.nodeId })),
        ),
      )
      // Each trade stands in the books of both.
      const all = booked.flat()
      return all.length === 2 * new Set(all.map(({ trade_id }) => trade_id)).size && all
    }, 60_000)
    // Each host's own books say what it claims and owes.
    const netTrm = trades.reduce(
      (sum, { by, provider, trm_amount }) => sum + (by === provider ? trm_amount : -trm_amount),
      0,
    )
    expect(trades.length).toBeGreaterThanOrEqual(2 * 4)
    expect(netTrm).toBe(0)
    for (const host of hosts.splice(0)) await host.end('SIGTERM')
    for (const name of NAMES) {
      const { ok, sumTrm } = await verifyLedger(join(directoryOf(name), 'ledger'))
      expect([name, ok, sumTrm]).toEqual([name, true, 0n])
    }
  })
})
