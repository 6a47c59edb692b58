/**
 * What the mesh costs over libp2p alone: signed and checked messages per second, time to spread to 50 nodes, time to first
 * token through another host, bytes per trade. `npm run bench:mesh -- [--messages N] [--nodes N] [--rounds N]`; the third
 * needs `npm run build`.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { writeAssistantModel } from '../e2e/support/assistant-model.ts'
import { keyNumber } from '../simulation/keys.ts'
import { House } from '../simulation/mesh/house.ts'
import { Scheduler } from '../simulation/mesh/scheduler.ts'
import { SeededRandom } from '../simulation/random.ts'
import { keyPairFromSeed } from '../src-main/kernel/index.ts'
import { PriceSignal } from '../src-main/market/offer.ts'
import {
  createLibp2pNet,
  MemoryNetwork,
  type Net,
  openEnvelope,
  ReplayWindow,
  readBody,
  sealEnvelope,
} from '../src-main/mesh/index.ts'
import { type RunningHost, startHost } from './host.ts'
import { describeMachine, inMs, median, report } from './report.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '4000' },
    nodes: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '20' },
  },
})
const [messages, nodes, rounds] = [Number(values.messages), Number(values.nodes), Number(values.rounds)]
const TOPIC = 'bench'
const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
/** Each node opens this many connections: twice as many on average, as gossipsub's mesh has. */
const DEGREE = 3
/** A message that not all have heard by then is lost. */
const PATIENCE_MS = 5_000

/** A network of which only publishing and hearing counts. */
interface Speaker {
  address(): string
  publish(message: Uint8Array): Promise<void>
  hear(listener: (message: Uint8Array) => void): void
  close(): Promise<void>
}

type Speakers = (bootstrap: string[], index: number) => Promise<Speaker>

const seedOf = (index: number) => new Uint8Array(32).fill(index + 1)
const network = `bench-${randomBytes(6).toString('hex')}`
const layer = { count: 32, headCount: 32, keyLength: 128, valueLength: 128, windowTokens: null }

/** What a host with one model says of itself. */
const signalOf = (index: number, seq: number): Uint8Array =>
  sealEnvelope(keyPairFromSeed(seedOf(index)), seq, {
    kind: 'signal',
    expiresAtMs: seq + 40_000,
    addresses: ['/ip4/192.168.1.20/tcp/4001', '/ip4/203.0.113.7/tcp/4001'],
    features: ['market:price-signals', 'market:remote-work'],
    price: { multiplierMicro: '1000000', feeMicro: '0' },
    models: [
      {
        id: 'qwen2.5-7b-instruct-q4_k_m',
        contextTokens: 32_768,
        cost: { activeMatmulParameters: '7070000000', layers: [layer] },
        toolCallFormat: 'hermes',
        weights: null,
        demonstration: false,
      },
    ],
    load: { running: 1, queued: 0, slots: 4 },
    latencyHintMs: 500,
    log: { size: 0, rootHex: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
  })

/** The mesh as the market sees it: nothing is handed on before its signature, novelty and shape were checked. */
const meshSpeaker: Speakers = async (bootstrap, index) => {
  const net: Net = await createLibp2pNet({
    ...{ seed: seedOf(index), network, listen: [LOOPBACK], bootstrap },
    ...{ localDiscovery: false, natTraversal: false, maxConnections: 200 },
    isBanned: () => false,
    score: () => 0,
  })
  const replay = new ReplayWindow(Date.now() - 60_000)
  let listener: (message: Uint8Array) => void = () => undefined
  net.subscribe(TOPIC, (message) => {
    const opened = openEnvelope(message)
    if (!opened.ok) return 'reject'
    const { origin, seq, body } = opened.envelope
    if (replay.accept(origin, seq, Date.now()) !== 'fresh' || !readBody(PriceSignal, body)) return 'ignore'
    listener(message)
    return 'accept'
  })
  return {
    address: () => net.addresses()[0] ?? '',
    publish: (message) => net.publish(TOPIC, message),
    hear: (hear) => {
      listener = hear
    },
    close: () => net.close(),
  }
}

/** libp2p and its gossipsub as they come, nothing checked. */
const bareSpeaker: Speakers = async (bootstrap) => {
  const node = (await createLibp2p({
    addresses: { listen: [LOOPBACK] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // All nodes have one address here: what libp2p allows an address in a second would turn some away.
    connectionManager: { maxConnections: 200, inboundConnectionThreshold: Number.POSITIVE_INFINITY },
    services: {
      identify: identify(),
      pubsub: gossipsub({
        allowPublishToZeroTopicPeers: true,
        scoreParams: { IPColocationFactorWhitelist: new Set(['127.0.0.1']) },
      }),
    },
  })) as unknown as Libp2p<{ pubsub: GossipSub }>
  const { multiaddr } = await import('@multiformats/multiaddr')
  for (const address of bootstrap) await node.dial(multiaddr(address))
  const { pubsub } = node.services
  pubsub.subscribe(TOPIC)
  return {
    address: () => String(node.getMultiaddrs()[0]),
    publish: async (message) => void (await pubsub.publish(TOPIC, message)),
    hear: (listener) => pubsub.addEventListener('message', ({ detail }) => listener(detail.data)),
    close: async () => node.stop(),
  }
}

async function gathered(make: Speakers, count: number): Promise<Speaker[]> {
  const random = new SeededRandom('bench mesh')
  const speakers: Speaker[] = []
  for (let index = 0; index < count; index++) {
    const known = Array.from({ length: Math.min(index, DEGREE) }, () => random.pick(speakers).address())
    speakers.push(await make([...new Set(known)], index))
  }
  // Until everybody hears everybody: gossipsub builds its meshes at its heartbeats.
  for (const [index, speaker] of speakers.entries()) {
    const others = speakers.filter((other) => other !== speaker)
    while (!(await heardByAll(speaker, others, index)).whole);
  }
  return speakers
}

let lastSeq = 0
const nextSeq = () => {
  lastSeq = Math.max(lastSeq + 1, Date.now())
  return lastSeq
}

/** Publishes one message. @returns milliseconds until the last has heard it; `whole` false: not all have in time */
async function heardByAll(speaker: Speaker, others: readonly Speaker[], index: number) {
  const message = signalOf(index, nextSeq())
  const waiting = new Set(others)
  const startedAtMs = performance.now()
  const all = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MS)
    for (const other of others) {
      other.hear((heard) => {
        if (Buffer.compare(heard, message) === 0) waiting.delete(other)
        if (waiting.size > 0) return
        clearTimeout(timer)
        resolve(true)
      })
    }
  })
  await speaker.publish(message)
  return { whole: await all, ms: performance.now() - startedAtMs }
}

async function perSecond(make: Speakers): Promise<number> {
  const [near, far] = await gathered(make, 2)
  if (!near || !far) throw new Error('two nodes')
  const sealed = Array.from({ length: messages }, () => signalOf(0, nextSeq()))
  let heard = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  far.hear(() => {
    if (++heard === messages) resolve()
  })
  const startedAtMs = performance.now()
  for (const message of sealed) await near.publish(message)
  await promise
  const rate = (messages * 1_000) / (performance.now() - startedAtMs)
  await Promise.all([near.close(), far.close()])
  return rate
}

async function spread(make: Speakers): Promise<number> {
  const speakers = await gathered(make, nodes)
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    const index = round % speakers.length
    const speaker = speakers[index] as Speaker
    const others = speakers.filter((other) => other !== speaker)
    const { whole, ms } = await heardByAll(speaker, others, index)
    if (whole) took.push(ms)
  }
  await Promise.all(speakers.map((speaker) => speaker.close()))
  if (took.length < rounds)
    console.log(`${rounds - took.length} of ${rounds} were not heard by all in ${PATIENCE_MS} ms`)
  return median(took)
}

/** Milliseconds from sending a request to the first text of its stream. */
async function firstToken(host: RunningHost, model: string): Promise<number> {
  const askedAtMs = performance.now()
  const response = await fetch(`${host.api}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${host.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'tell me' }] }),
  })
  let elapsedMs = Number.NaN
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString()
    if (Number.isNaN(elapsedMs) && /"content":"[^"]/.test(text)) elapsedMs = performance.now() - askedAtMs
  }
  if (Number.isNaN(elapsedMs)) throw new Error(`no answer: ${text.slice(0, 300)}`)
  return elapsedMs
}

async function oneHop(scratch: string): Promise<void> {
  const model = 'assistant'
  const [path, other] = [model, 'other'].map((name) => writeAssistantModel(join(scratch, `${name}.gguf`)))
  const mesh = ['--mesh-port', '0', '--mesh-loopback', '--mesh-network', network]
  const serving = await startHost(join(scratch, 'serving'), '--model', path ?? '', ...mesh)
  const api = (host: RunningHost, method: string, route: string, body: object) =>
    fetch(`${host.api}/tirami/${route}`, {
      method,
      headers: { authorization: `Bearer ${host.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await api(serving, 'POST', 'agent/claim-welcome', {})
  const bootstrap = ['--bootstrap', serving.mesh?.[0] ?? '']
  const asking = await startHost(join(scratch, 'asking'), '--model', other ?? '', ...mesh, ...bootstrap)
  await api(asking, 'PATCH', 'console', { mesh: { send_prompts: true } })
  while (
    !(
      await (
        await fetch(`${asking.api}/models`, { headers: { authorization: `Bearer ${asking.apiKey}` } })
      ).text()
    ).includes(`"${model}"`)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const [direct, hop]: [number[], number[]] = [[], []]
  await firstToken(asking, model)
  for (let round = 0; round < rounds; round++) {
    direct.push(await firstToken(serving, model))
    hop.push(await firstToken(asking, model))
  }
  report(
    `Time to first token of another host’s model, signed offer and reservation included (median of ${rounds})`,
    inMs(median(hop)),
    `${inMs(median(direct))} asked of that host’s own API`,
    `${(median(hop) / median(direct)).toFixed(2)} ×, added ${inMs(median(hop) - median(direct))}`,
  )
  await Promise.all([serving.end(), asking.end()])
}

/** Counts what two hosts say to each other. */
class CountedNetwork extends MemoryNetwork {
  channelBytes = 0
  publishedBytes = 0
  messages = 0

  override join(nodeId: string, isBanned?: (nodeId: string) => boolean): Net {
    const net = super.join(nodeId, isBanned)
    const { publish, open, handle } = {
      publish: net.publish.bind(net),
      open: net.open.bind(net),
      handle: net.handle.bind(net),
    }
    const counted = (channel: Awaited<ReturnType<Net['open']>>): typeof channel => ({
      ...channel,
      send: (message) => {
        this.messages++
        this.channelBytes += message.length
        return channel.send(message)
      },
    })
    net.publish = (topic, message) => {
      if (topic === 'trades') this.publishedBytes += message.length
      return publish(topic, message)
    }
    net.open = async (...where) => counted(await open(...where))
    net.handle = (protocol, take) => handle(protocol, (channel) => take(counted(channel)))
    return net
  }
}

async function bytesPerTrade(): Promise<void> {
  const random = new SeededRandom('bench')
  const scheduler = new Scheduler(Date.UTC(2026, 5, 1))
  const memory = new CountedNetwork({
    timers: scheduler,
    fraction: () => random.fraction(),
    ...{ delayMs: { min: 1, max: 5 }, loss: 0, breaks: () => false },
  })
  const [seller, buyer] = [true, false].map((serves, index) => {
    const owner = { ...keyNumber(index + 100), label: 'owner', ownKey: true, creditLimitTrm: 1_000_000n }
    return new House({ key: keyNumber(index), owner, scheduler, network: memory, rng: random, serves })
  }) as [House, House]
  await seller.start()
  await buyer.start()
  await scheduler.pass(12_000)
  Object.assign(memory, { channelBytes: 0, publishedBytes: 0, messages: 0 })
  const asked = buyer.ask()
  await scheduler.pass(60_000, () => asked.done)
  const words = asked.text.match(/\s?\S+/g) ?? []
  const sse = words.map(
    (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`,
  )
  const reference = Buffer.byteLength(`${sse.join('')}data: [DONE]\n\n`)
  report(
    `Bytes between two hosts for an answer of ${asked.tokens} tokens, every piece signed by both (${memory.messages} messages)`,
    `${memory.channelBytes} bytes`,
    `${reference} bytes of the shortest OpenAI stream of the same text, nobody signing`,
    `${(memory.channelBytes / reference).toFixed(1)} ×`,
  )
  const [trade] = buyer.books.mesh.page(0, 1)
  const { canonicalTradeBytes } = await import('../src-main/ledger/index.ts')
  const bare = trade ? canonicalTradeBytes(trade.terms).length + 128 : Number.NaN
  report(
    'Bytes per trade told to everybody, by each of its two hosts',
    `${(memory.publishedBytes / 2).toFixed(0)} bytes`,
    `${bare} bytes of its terms and two signatures`,
    `${(memory.publishedBytes / 2 / bare).toFixed(1)} ×`,
  )
  await buyer.stop()
  await seller.stop()
}

describeMachine()
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-mesh-'))
try {
  await bytesPerTrade()
  const [bareRate, ourRate] = [await perSecond(bareSpeaker), await perSecond(meshSpeaker)]
  report(
    `Price signals per second from one node to another, ${messages} of them: signature, novelty and shape checked`,
    ourRate.toFixed(0),
    `${bareRate.toFixed(0)} of the same bytes over bare libp2p gossipsub (TCP, noise, yamux; its own signatures)`,
    `${(ourRate / bareRate).toFixed(2)} ×`,
  )
  const [bareSpread, ourSpread] = [await spread(bareSpeaker), await spread(meshSpeaker)]
  report(
    `Time until the last of ${nodes} nodes has heard a message (median of ${rounds}, all in one process)`,
    inMs(ourSpread),
    `${inMs(bareSpread)} over bare libp2p gossipsub in the same shape`,
    `${(ourSpread / bareSpread).toFixed(2)} ×`,
  )
  await oneHop(scratch)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
