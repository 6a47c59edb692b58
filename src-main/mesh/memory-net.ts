import { type Timers, TiramiError } from '../kernel/index.ts'
import type { Channel, Net, Verdict } from './net.ts'

export interface MemoryNetworkOptions {
  timers: Timers
  /** In [0, 1). */
  fraction(): number
  delayMs: { min: number; max: number }
  /** Part of the messages to everybody that a link loses. */
  loss: number
  /** Asked before each message of a channel: whether its connection breaks there. */
  breaks(): boolean
  /** Links that each node opens, and has at least; all to all when absent. */
  degree?: number
}

interface Station {
  net: MemoryNet
  isBanned(nodeId: string): boolean
}

/** A message to everybody on its way. Who says the same again sends another packet. */
interface Packet {
  topic: string
  message: Uint8Array
  seenBy: Set<MemoryNet>
}

/**
 * A network in memory, the same for the same seed: links with delay and loss, channels that break, partitions. Messages
 * to everybody go from neighbour to neighbour, as far as each one's judgement lets them.
 */
export class MemoryNetwork {
  readonly options: MemoryNetworkOptions
  readonly #stations = new Map<string, Station>()
  readonly #links = new Map<string, Set<string>>()
  readonly #wires = new Set<Wire>()
  #groupOf: (nodeId: string) => number = () => 0

  constructor(options: MemoryNetworkOptions) {
    this.options = options
  }

  /** A node joins, and is linked to some that are there. */
  join(nodeId: string, isBanned: (nodeId: string) => boolean = () => false): Net {
    const net = new MemoryNet(this, nodeId)
    const others = [...this.#stations.keys()]
    this.#stations.set(nodeId, { net, isBanned })
    this.#links.set(nodeId, new Set())
    const wanted = Math.min(others.length, this.options.degree ?? others.length)
    for (let opened = 0; opened < wanted; opened++) {
      const [other] = others.splice(Math.floor(this.options.fraction() * others.length), 1)
      if (other !== undefined) this.#link(nodeId, other)
    }
    return net
  }

  /** Nodes of different groups are cut off from each other until the next call; every channel between them breaks. */
  partition(groupOf: (nodeId: string) => number): void {
    const before = new Map([...this.#links.keys()].map((node) => [node, new Set(this.neighbours(node))]))
    this.#groupOf = groupOf
    for (const [node, others] of before) {
      for (const other of others) {
        if (!this.connected(node, other)) this.#stations.get(node)?.net.announce(other, false)
      }
    }
    for (const wire of [...this.#wires]) if (!this.connected(...wire.ends)) wire.break()
    for (const [node, others] of before) {
      for (const other of this.neighbours(node)) {
        if (!others.has(other)) this.#stations.get(node)?.net.announce(other, true)
      }
    }
  }

  /** The node is gone at once, as if its machine had lost power. */
  crash(nodeId: string): void {
    const heardOf = new Set(this.neighbours(nodeId))
    const linked = [...(this.#links.get(nodeId) ?? [])]
    this.#stations.delete(nodeId)
    this.#links.delete(nodeId)
    for (const wire of [...this.#wires]) if (wire.ends.includes(nodeId)) wire.break()
    for (const other of linked) {
      this.#links.get(other)?.delete(nodeId)
      if (heardOf.has(other)) this.#stations.get(other)?.net.announce(nodeId, false)
    }
    for (const other of linked) this.#relink(other)
  }

  connected(left: string, right: string): boolean {
    const [a, b] = [this.#stations.get(left), this.#stations.get(right)]
    if (!a || !b || this.#groupOf(left) !== this.#groupOf(right)) return false
    return !a.isBanned(right) && !b.isBanned(left)
  }

  neighbours(nodeId: string): string[] {
    return [...(this.#links.get(nodeId) ?? [])].filter((other) => this.connected(nodeId, other))
  }

  netOf(nodeId: string): MemoryNet | undefined {
    return this.#stations.get(nodeId)?.net
  }

  unlink(left: string, right: string): void {
    if (!this.#links.get(left)?.delete(right)) return
    this.#links.get(right)?.delete(left)
    for (const wire of [...this.#wires])
      if (wire.ends.includes(left) && wire.ends.includes(right)) wire.break()
    this.#stations.get(left)?.net.announce(right, false)
    this.#stations.get(right)?.net.announce(left, false)
  }

  /** Runs `action` after a link's delay. An action that gives `false` has set off nothing. */
  later(action: () => unknown): void {
    const { min, max } = this.options.delayMs
    this.options.timers.after(min + this.options.fraction() * (max - min), action)
  }

  wire(from: string, to: string): Wire {
    const wire: Wire = new Wire(this, [from, to], () => this.#wires.delete(wire))
    this.#wires.add(wire)
    return wire
  }

  /** Who is left with too few neighbours dials another whose address it has learned. */
  #relink(nodeId: string): void {
    const { degree, fraction } = this.options
    const links = this.#links.get(nodeId)
    if (degree === undefined || links === undefined || links.size >= degree) return
    const others = [...this.#stations.keys()].filter((other) => other !== nodeId && !links.has(other))
    const other = others[Math.floor(fraction() * others.length)]
    if (other !== undefined) this.#link(nodeId, other)
  }

  #link(left: string, right: string): void {
    this.#links.get(left)?.add(right)
    this.#links.get(right)?.add(left)
    for (const [node, other] of [
      [left, right],
      [right, left],
    ] as const) {
      this.later(() => {
        if (this.connected(node, other)) this.#stations.get(node)?.net.announce(other, true)
      })
    }
  }
}

class MemoryNet implements Net {
  readonly nodeId: string
  readonly #network: MemoryNetwork
  readonly #listeners = new Set<(nodeId: string, connected: boolean) => void>()
  readonly #topics = new Map<string, (message: Uint8Array, from: string) => Verdict | Promise<Verdict>>()
  readonly #protocols = new Map<string, (channel: Channel) => Promise<void>>()

  constructor(network: MemoryNetwork, nodeId: string) {
    this.#network = network
    this.nodeId = nodeId
  }

  addresses(): string[] {
    return [`/memory/${this.nodeId}`]
  }

  peers(): string[] {
    return this.#isGone() ? [] : this.#network.neighbours(this.nodeId)
  }

  onPeer(listener: (nodeId: string, connected: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  announce(nodeId: string, connected: boolean): void {
    for (const listener of this.#listeners) listener(nodeId, connected)
  }

  async publish(topic: string, message: Uint8Array): Promise<void> {
    this.#spread({ topic, message, seenBy: new Set<MemoryNet>([this]) }, this.nodeId)
  }

  subscribe(topic: string, judge: (message: Uint8Array, from: string) => Verdict | Promise<Verdict>): void {
    this.#topics.set(topic, judge)
  }

  learn(): void {
    // Links are made by the network.
  }

  async open(nodeId: string, protocol: string): Promise<Channel> {
    await new Promise<void>((resolve) => this.#network.later(resolve))
    if (this.#isGone()) throw new Error('this node is gone')
    const take = this.#network.netOf(nodeId)?.taker(protocol)
    if (!take || !this.#network.connected(this.nodeId, nodeId)) {
      throw new TiramiError('PEER_UNREACHABLE', 'The other host cannot be reached.', {
        nextStep: 'Ask again: another host may serve the model.',
        httpStatus: 502,
      })
    }
    const wire = this.#network.wire(this.nodeId, nodeId)
    const theirs = wire.end(1)
    void take(theirs).catch(() => theirs.abort())
    return wire.end(0)
  }

  handle(protocol: string, take: (channel: Channel) => Promise<void>): void {
    this.#protocols.set(protocol, take)
  }

  async disconnect(nodeId: string): Promise<void> {
    this.#network.unlink(this.nodeId, nodeId)
  }

  async close(): Promise<void> {
    this.#network.crash(this.nodeId)
  }

  taker(protocol: string): ((channel: Channel) => Promise<void>) | undefined {
    return this.#protocols.get(protocol)
  }

  /** What is left of a process that has crashed says nothing in the name of the one that was started after it. */
  #isGone(): boolean {
    return this.#network.netOf(this.nodeId) !== this
  }

  async hear(packet: Packet, from: string): Promise<void> {
    const judge = this.#topics.get(packet.topic)
    if (!judge) return
    packet.seenBy.add(this)
    if ((await judge(packet.message, from)) === 'accept') this.#spread(packet, from)
  }

  #spread(packet: Packet, except: string): void {
    const network = this.#network
    const wants = (there: MemoryNet | undefined) => there !== undefined && !packet.seenBy.has(there)
    for (const other of this.peers()) {
      if (other === except || !wants(network.netOf(other))) continue
      if (network.options.fraction() < network.options.loss) continue
      network.later(() => {
        const there = network.netOf(other)
        if (!there || !wants(there) || !network.connected(this.nodeId, other)) return false
        void there.hear(packet, this.nodeId)
      })
    }
  }
}

/** What one end has received and nobody has read. */
interface Inbox {
  waiting: Uint8Array[]
  state: 'open' | 'ended' | 'broken'
  wake: () => void
  /** Messages on their way, in order. */
  arrival: Promise<void>
}

/** Two ends; what is sent arrives in order, or the wire breaks. */
class Wire {
  readonly ends: readonly [string, string]
  readonly #network: MemoryNetwork
  readonly #onGone: () => void
  readonly #inboxes: [Inbox, Inbox] = [newInbox(), newInbox()]
  #broken = false

  constructor(network: MemoryNetwork, ends: readonly [string, string], onGone: () => void) {
    this.#network = network
    this.ends = ends
    this.#onGone = onGone
  }

  end(side: 0 | 1): Channel {
    const inbox = this.#inboxes[side]
    const other = this.#inboxes[side === 0 ? 1 : 0]
    let closed = false
    return {
      peer: this.ends[side === 0 ? 1 : 0],
      send: async (message) => {
        if (this.#broken || closed) throw new Error('the connection broke')
        if (this.#network.options.breaks()) {
          this.break()
          throw new Error('the connection broke')
        }
        this.#deliver(other, () => void other.waiting.push(Uint8Array.from(message)))
      },
      messages: () => read(inbox),
      close: async () => {
        if (closed) return
        closed = true
        this.#deliver(other, () => {
          if (other.state === 'open') other.state = 'ended'
          if (this.#inboxes.every(({ state }) => state !== 'open')) this.#onGone()
        })
      },
      abort: () => this.break(),
    }
  }

  break(): void {
    if (this.#broken) return
    this.#broken = true
    this.#onGone()
    for (const inbox of this.#inboxes) {
      inbox.state = 'broken'
      inbox.wake()
    }
  }

  #deliver(inbox: Inbox, action: () => void): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#network.later(resolve)
    inbox.arrival = inbox.arrival
      .then(() => promise)
      .then(() => {
        if (this.#broken) return
        action()
        inbox.wake()
      })
  }
}

const newInbox = (): Inbox => ({
  waiting: [],
  state: 'open',
  wake: () => undefined,
  arrival: Promise.resolve(),
})

async function* read(inbox: Inbox): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const message = inbox.waiting.shift()
    if (message) {
      yield message
      continue
    }
    if (inbox.state === 'broken') throw new Error('the connection broke')
    if (inbox.state === 'ended') return
    await new Promise<void>((resolve) => {
      inbox.wake = resolve
    })
  }
}
