import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { keyPairFromSeed, systemTimers, utf8 } from '../kernel/index.ts'
import { createLibp2pNet, type Libp2pOptions } from './libp2p-net.ts'
import { MemoryNetwork } from './memory-net.ts'
import type { Net } from './net.ts'

const seedOf = (index: number) => new Uint8Array(32).fill(index + 1)
const idOf = (index: number) => keyPairFromSeed(seedOf(index)).publicKeyHex
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

interface World {
  nets: Net[]
  banned: Set<string>
}

async function memoryWorld(count: number): Promise<World> {
  const banned = new Set<string>()
  const network = new MemoryNetwork({
    timers: systemTimers,
    fraction: Math.random,
    delayMs: { min: 0, max: 2 },
    loss: 0,
    breaks: () => false,
  })
  return {
    banned,
    nets: Array.from({ length: count }, (_, i) => network.join(idOf(i), (id) => banned.has(id))),
  }
}

const libp2pNet = (options: Pick<Libp2pOptions, 'seed' | 'network'> & Partial<Libp2pOptions>) =>
  createLibp2pNet({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    localDiscovery: false,
    natTraversal: false,
    maxConnections: 50,
    isBanned: () => false,
    score: () => 0,
    ...options,
  })
const freshName = () => `test-${randomBytes(6).toString('hex')}`

/** A line: each node knows the one before it only. */
async function libp2pWorld(count: number): Promise<World> {
  const banned = new Set<string>()
  const network = freshName()
  const nets: Net[] = []
  for (let index = 0; index < count; index++) {
    const bootstrap = nets.at(-1)?.addresses().slice(0, 1) ?? []
    nets.push(await libp2pNet({ seed: seedOf(index), network, bootstrap, isBanned: (id) => banned.has(id) }))
  }
  return { nets, banned }
}

async function eventually(probe: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await probe()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('it did not happen')
}

/** A protocol is known to the other side a moment after it was registered. */
const reachable = (near: Net, far: Net, protocol: string) =>
  eventually(async () => {
    const channel = await near.open(far.nodeId, protocol).catch(() => null)
    channel?.abort()
    return channel !== null
  })

const open: World[] = []
afterEach(async () => {
  for (const { nets } of open.splice(0)) await Promise.all(nets.map((net) => net.close()))
})
const worldOf = async (make: (count: number) => Promise<World>, count: number) => {
  const world = await make(count)
  open.push(world)
  await eventually(() => world.nets.every((net) => net.peers().length > 0))
  return world
}

describe.each([
  ['in memory', memoryWorld],
  ['libp2p over TCP', libp2pWorld],
])('a network %s', (_name, make) => {
  it('knows nodes by their Ed25519 key', async () => {
    const { nets } = await worldOf(make, 3)
    expect(nets.map(({ nodeId }) => nodeId)).toEqual([0, 1, 2].map(idOf))
    expect(nets[1]?.peers()).toEqual(expect.arrayContaining([idOf(0), idOf(2)]))
  })

  it('carries a message to everybody, over several hops', async () => {
    const { nets } = await worldOf(make, 4)
    const heard = nets.map(() => new Set<string>())
    nets.forEach((net, index) => {
      net.subscribe('news', (message) => {
        heard[index]?.add(text(message))
        return 'accept'
      })
    })
    let round = 0
    await eventually(async () => {
      // Until the meshes have formed, a message may get lost: that is gossip.
      await nets[0]?.publish('news', utf8(`news ${round++}`))
      return heard.slice(1).every((messages) => messages.size > 0)
    })
  })

  it('opens channels with messages in order, both ways, of every length', async () => {
    const { nets } = await worldOf(make, 2)
    const [near, far] = nets
    if (!near || !far) throw new Error('two nodes')
    far.handle('echo/1', async (channel) => {
      expect(channel.peer).toBe(near.nodeId)
      for await (const message of channel.messages()) await channel.send(message)
      await channel.close()
    })
    await reachable(near, far, 'echo/1')
    const channel = await near.open(far.nodeId, 'echo/1')
    const lengths = [1, 2, 127, 128, 70_000, 500_000, 3]
    const answers: number[] = []
    const reading = (async () => {
      for await (const message of channel.messages()) answers.push(message.length)
    })()
    for (const length of lengths) await channel.send(new Uint8Array(length).fill(length % 256))
    await channel.close()
    await reading
    expect(answers).toEqual(lengths)
  })

  it('tells the reader when the other side breaks off', async () => {
    const { nets } = await worldOf(make, 2)
    const [near, far] = nets
    if (!near || !far) throw new Error('two nodes')
    far.handle('rude/1', async (channel) => {
      for await (const _ of channel.messages()) channel.abort()
    })
    await reachable(near, far, 'rude/1')
    const channel = await near.open(far.nodeId, 'rude/1')
    await channel.send(utf8('x'))
    const read = async () => {
      for await (const _ of channel.messages());
    }
    await expect(read()).rejects.toThrow()
  })

  it('opens nothing to or from a banned node', async () => {
    const { nets, banned } = await worldOf(make, 2)
    const [near, far] = nets
    if (!near || !far) throw new Error('two nodes')
    far.handle('echo/1', async () => undefined)
    banned.add(near.nodeId)
    await far.disconnect(near.nodeId)
    await eventually(() => far.peers().length === 0)
    await expect(near.open(far.nodeId, 'echo/1')).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
  })
})

describe('two nodes that nobody can connect to', () => {
  it('reach each other through a third that relays, with channels and messages to everybody', async () => {
    const network = freshName()
    const relay = await libp2pNet({ seed: seedOf(0), network, natTraversal: true })
    const bootstrap = relay.addresses().slice(0, 1)
    const homes = await Promise.all(
      [1, 2].map((index) =>
        libp2pNet({ seed: seedOf(index), network, listen: [], bootstrap, natTraversal: true }),
      ),
    )
    open.push({ nets: [relay, ...homes], banned: new Set() })
    const [near, far] = homes as [Net, Net]
    await eventually(() => far.addresses().some((address) => address.includes('/p2p-circuit')))
    far.handle('echo/1', async (channel) => {
      for await (const message of channel.messages()) await channel.send(message)
      await channel.close()
    })
    near.learn(far.nodeId, far.addresses())
    const channel = await near.open(far.nodeId, 'echo/1')
    // More than libp2p's own limit of a relayed connection.
    const lengths = [1, 200_000, 2]
    const answers: number[] = []
    const reading = (async () => {
      for await (const message of channel.messages()) answers.push(message.length)
    })()
    for (const length of lengths) await channel.send(new Uint8Array(length))
    await channel.close()
    await reading
    expect(answers).toEqual(lengths)
    const heard = new Set<string>()
    for (const net of [near, relay, far]) {
      net.subscribe('news', (message) => {
        if (net === far) heard.add(text(message))
        return 'accept'
      })
    }
    await eventually(async () => {
      await near.publish('news', utf8('fresh'))
      return heard.has('fresh')
    })
  })
})
