import { openBooks } from '../../src-main/host/books.ts'
import type { Consumer, HostKeys } from '../../src-main/host/keys.ts'
import { createHostMarket, type HostMarket } from '../../src-main/host/market.ts'
import type { ServingPorts } from '../../src-main/host/serving.ts'
import type { GenerateEvent, JobRequest } from '../../src-main/inference/index.ts'
import type { KeyPair, Rng } from '../../src-main/kernel/index.ts'
import { memoryStorage, type Storage } from '../../src-main/ledger/index.ts'
import type { SavedMarket } from '../../src-main/market/index.ts'
import type { MemoryNetwork, Net } from '../../src-main/mesh/index.ts'
import { copyOf } from '../books.ts'
import type { Scheduler } from './scheduler.ts'

export const MODEL = 'fox-1'
const PIECES = ['Deep', ' in the', ' garden', ' a fox', ' sleeps,', ' and', ' nobody', ' knows.']
export const PROMPT_TOKENS = 9
const PIECE_MS = 20
const CLOSES_WITHIN_MS = 60_000
const layer = { headCount: 4, keyLength: 64, valueLength: 64, windowTokens: null }
const cost = { activeMatmulParameters: 1_500_000_000n, layers: Array.from({ length: 8 }, () => layer) }

const SERVED = { id: MODEL, cost, defaultTemperature: 0 }

export const REQUEST: JobRequest = {
  prompt: { type: 'chat', turns: [{ role: 'user', content: 'where is the fox?' }] },
  maxTokens: 64,
  temperature: 0,
  topP: 1,
  stop: [],
}

type Books = Awaited<ReturnType<typeof openBooks>>

export interface HouseSite {
  key: KeyPair
  owner: Consumer
  scheduler: Scheduler
  network: MemoryNetwork
  rng: Rng
  serves: boolean
  /** To show that the laws find it. */
  defect?: Defect | null
}

/** What a host can be made to do wrong. */
export type Defect =
  /** Reservations are not given back. */
  | 'holds'
  /** What is sold to others is not booked. */
  | 'forgets'
  /** Trades of others are not heard, nor fetched. */
  | 'deaf'
  /** What is paid for does not reach the reader. */
  | 'mute'
  /** A record of the journal is changed on the disk. */
  | 'rots'

/** How an answer ended for the one who asked. */
export interface Asked {
  text: string
  tokens: number
  amountTrm: bigint | null
  /** Code of the error; null: the whole answer came. */
  failed: string | null
  done: boolean
}

/** One host of a simulated mesh: the real books, the real market, a network and an engine in memory. */
export class House {
  readonly site: HouseSite
  #disk: Storage = memoryStorage()
  #power = { on: true }
  #saved: SavedMarket | undefined
  #books: Books | null = null
  #market: HostMarket | null = null
  wasKilled = false
  /** Questions of the owner since the beginning. */
  readonly asked: Asked[] = []

  constructor(site: HouseSite) {
    this.site = site
  }

  get id(): string {
    return this.site.key.publicKeyHex
  }

  get isUp(): boolean {
    return this.#market !== null
  }

  get disk(): Storage {
    return this.#disk
  }

  get books(): Books {
    if (!this.#books) throw new Error('the house is down')
    return this.#books
  }

  get market(): HostMarket {
    if (!this.#market) throw new Error('the house is down')
    return this.#market
  }

  async start(): Promise<void> {
    const { scheduler, rng, key, owner, serves } = this.site
    const books = await openBooks({
      directory: '/ledger',
      openKeys: () => keysOf(key, owner),
      projectionWorkerUrl: null,
      storage: whilePowered(this.#disk, this.#power),
      clock: scheduler,
      rng,
    })
    this.#books = books
    if (this.site.defect) misbehave(this.site.defect, books, key)
    const { economy, ledger, safety } = books
    if (serves && economy.standing().welcomeLoan === 'available') {
      await economy.staking.claimWelcome(key.publicKeyHex, 'local')
    }
    ledger.onTrade(({ provider, ownKey }) => void economy.rewardTrade({ provider, ownKey }))
    const serving = {
      engine: { generate: (request: JobRequest, signal: AbortSignal) => answer(scheduler, request, signal) },
      ledger,
      safety,
      economy,
      node: key,
      clock: scheduler,
      rng,
      energy: { begin: () => () => undefined },
      stewardship: { assertMayServe: () => undefined, jobDone: () => undefined },
      admit: async () => ({ signal: new AbortController().signal, leave: () => undefined }),
      model: () => (serves ? SERVED : null),
    } as unknown as ServingPorts & { economy: Books['economy'] }
    this.#market = createHostMarket(
      {
        serving,
        rules: books.mesh,
        safety,
        closedBecause: () => null,
        assertRunning: () => undefined,
        model: () =>
          serves ? { id: MODEL, contextTokens: 4096, toolCallFormat: null, demonstration: true } : null,
        load: () => ({ running: 0, queued: 0, slots: 4 }),
        sendsPrompts: () => true,
        mode: () => 'balanced',
        maxPriceMicro: () => null,
        onChange: () => undefined,
      },
      this.#join(),
      {
        ...(this.#saved ? { saved: this.#saved } : {}),
        save: (state) => {
          this.#saved = state
        },
        timers: scheduler,
      },
    )
  }

  #join(): Net {
    const { network, defect } = this.site
    const net = network.join(this.id, (nodeId) => this.#market?.node.isBanned(nodeId) ?? false)
    return defect === 'deaf' ? deafened(net) : net
  }

  /** The machine loses power: what was not on the disk is gone, and what still runs writes to nowhere. */
  async kill(): Promise<void> {
    this.wasKilled = true
    this.#power.on = false
    this.#power = { on: true }
    this.site.network.crash(this.id)
    this.#books = null
    this.#market = null
    this.#disk = await copyOf(this.#disk)
  }

  /** In order: what was bought is settled, for which time passes. */
  async stop(): Promise<void> {
    let closed = false
    const closing = this.market.close().finally(() => {
      closed = true
    })
    await this.site.scheduler.pass(CLOSES_WITHIN_MS, () => closed)
    if (!closed) throw new Error('the market does not close')
    await closing
    await this.books.ledger.close()
    this.#books = null
    this.#market = null
    if (this.site.defect === 'rots') await rot(this.#disk)
  }

  /** One question of the owner, answered by another host. */
  ask(signal: AbortSignal = new AbortController().signal): Asked {
    const asked: Asked = { text: '', tokens: 0, amountTrm: null, failed: null, done: false }
    this.asked.push(asked)
    const mute = this.site.defect === 'mute'
    const events = this.market.serve(this.site.owner, MODEL, REQUEST, signal)
    const read = async () => {
      for await (const event of events) {
        if (event.type === 'text') {
          asked.text += event.text
          if (!mute) asked.tokens = event.tokens
        } else if (event.type === 'booked') asked.amountTrm = event.receipt.amountTrm
      }
    }
    read()
      .catch((error: { code?: string }) => {
        asked.failed = error.code ?? String(error)
      })
      .finally(() => {
        asked.done = true
      })
    return asked
  }
}

function misbehave(defect: Defect, { ledger }: Books, { publicKeyHex }: KeyPair): void {
  if (defect === 'holds') {
    const reserve = ledger.reserve.bind(ledger)
    ledger.reserve = (request) => reserve({ ...request, expiresAtMs: request.expiresAtMs + 86_400_000 })
    ledger.void = () => undefined
  }
  if (defect !== 'forgets') return
  const settle = ledger.settle.bind(ledger)
  ledger.settle = (reservation, trade, facts) =>
    facts.remote && trade.terms.provider === publicKeyHex
      ? Promise.reject(new Error('it slipped my mind'))
      : settle(reservation, trade, facts)
}

function deafened(net: Net): Net {
  return {
    nodeId: net.nodeId,
    addresses: () => net.addresses(),
    peers: () => net.peers(),
    onPeer: (listener) => net.onPeer(listener),
    publish: (topic, message) => net.publish(topic, message),
    subscribe: (topic, judge) => net.subscribe(topic, topic === 'trades' ? () => 'accept' : judge),
    learn: () => undefined,
    open: (nodeId, protocol) =>
      protocol.startsWith('log/') ? Promise.reject(new Error('cannot hear')) : net.open(nodeId, protocol),
    handle: (protocol, take) => net.handle(protocol, take),
    disconnect: (nodeId) => net.disconnect(nodeId),
    close: () => net.close(),
  }
}

/** Changes a byte in the middle of each journal. */
async function rot(disk: Storage): Promise<void> {
  for (const name of await disk.list('/ledger')) {
    if (!name.endsWith('.log')) continue
    const file = await disk.open(`/ledger/${name}`)
    const place = Math.floor((await file.size()) / 2)
    const [byte = 0] = await file.read(place, 1)
    await file.write(Uint8Array.of(byte ^ 1), place)
  }
}

/** Nothing reaches the disk once the power is off. */
function whilePowered(disk: Storage, power: { on: boolean }): Storage {
  return {
    ...disk,
    open: async (path) => {
      const file = await disk.open(path)
      return {
        ...file,
        read: (offset, length) => file.read(offset, length),
        size: () => file.size(),
        sync: () => file.sync(),
        close: () => file.close(),
        write: async (bytes, offset) => (power.on ? file.write(bytes, offset) : bytes.length),
        truncate: async (size) => {
          if (power.on) await file.truncate(size)
        },
      }
    },
    rename: async (from, to) => {
      if (power.on) await disk.rename(from, to)
    },
    remove: async (path) => {
      if (power.on) await disk.remove(path)
    },
  }
}

export const WHOLE_ANSWER = PIECES.join('')

async function* answer(
  scheduler: Scheduler,
  request: JobRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void, void> {
  yield { type: 'prompt', promptTokens: PROMPT_TOKENS }
  const pieces = PIECES.slice(0, request.maxTokens)
  let completionTokens = 0
  for (const text of pieces) {
    await new Promise<void>((resolve) => {
      scheduler.after(PIECE_MS, resolve)
    })
    if (signal.aborted) break
    completionTokens++
    yield { type: 'text', text, tokens: 1 }
  }
  const counts = { promptTokens: PROMPT_TOKENS, cachedTokens: 0, completionTokens }
  yield { type: 'end', finishReason: signal.aborted ? 'cancelled' : 'stop', ...counts }
}

function keysOf(node: KeyPair, owner: Consumer): HostKeys {
  return {
    node,
    nodeSeed: new Uint8Array(32),
    windowConsumer: owner,
    localConsumer: owner,
    apiKeyFile: '',
    isApiKey: () => false,
    guestConsumer: () => owner,
  }
}
