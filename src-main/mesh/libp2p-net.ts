import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { bootstrap } from '@libp2p/bootstrap'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { dcutr } from '@libp2p/dcutr'
import { type GossipSub, gossipsub, type Message, TopicValidatorResult } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p, PeerId, Stream } from '@libp2p/interface'
import { kadDHT, passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { uPnPNAT } from '@libp2p/upnp-nat'
import { multiaddr } from '@multiformats/multiaddr'
import * as lengthPrefixed from 'it-length-prefixed'
import { createLibp2p } from 'libp2p'
import { bytesFromHex, hexFromBytes, TiramiError } from '../kernel/index.ts'
import {
  CHANNEL_MESSAGE_BYTES_MAX,
  type Channel,
  GOSSIP_MESSAGE_BYTES_MAX,
  type Net,
  type Verdict,
} from './net.ts'

export interface Libp2pOptions {
  /** 32 bytes: the seed of the node's Ed25519 key. */
  seed: Uint8Array
  /** Hosts of one network find each other; others are not heard. Lower-case letters, digits and `-`. */
  network: string
  listen: readonly string[]
  /** Multiaddresses with a peer id, to begin with. */
  bootstrap: readonly string[]
  /** Finds hosts on the local network by multicast DNS. */
  localDiscovery: boolean
  /** Through relays of others, hole punching and port mapping: for homes behind NAT. */
  natTraversal: boolean
  maxConnections: number
  isBanned(nodeId: string): boolean
  /** 0 for no complaint, down to −100; moves gossipsub's score. */
  score(nodeId: string): number
}

/** Opened at once by one node, for one protocol. */
const STREAMS_PER_PEER = 16
const DIAL_TIMEOUT_MS = 5_000
/** Connections that are sought; others may open more. */
const WANTED_PEERS = 32
const SEEK_INTERVAL_MS = 20_000
/**
 * Of a connection that this host relays for two others: a long answer, with both signatures under each of its pieces.
 * libp2p's own 128 KiB and two minutes end most answers half-way.
 */
const RELAYED = { bytes: 4n * 1024n * 1024n, durationMs: 30 * 60_000, hostsMax: 32 }
/** A whole request may wait to be sent. */
const SEND_BUFFER_BYTES = 2 * CHANNEL_MESSAGE_BYTES_MAX

/** @throws TiramiError MESH_PORT_IN_USE, MESH_ADDRESS_INVALID */
export async function createLibp2pNet(options: Libp2pOptions): Promise<Net> {
  for (const address of options.bootstrap) assertAddress(address)
  const node = await startNode(options)
  return new Libp2pNet(node, options)
}

type Node = Libp2p<{ pubsub: GossipSub }>

async function startNode(options: Libp2pOptions): Promise<Node> {
  const { network, isBanned, natTraversal } = options
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed)
  const deny = (peer: PeerId) => {
    const nodeId = nodeIdOf(peer)
    return nodeId === null || isBanned(nodeId)
  }
  try {
    const node = await createLibp2p({
      privateKey,
      nodeInfo: { name: 'tirami-host', userAgent: 'tirami-host' },
      addresses: { listen: [...options.listen, ...(natTraversal ? ['/p2p-circuit'] : [])] },
      transports: [
        tcp({ maxConnections: options.maxConnections }),
        ...(natTraversal ? [circuitRelayTransport()] : []),
      ],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionManager: {
        maxConnections: options.maxConnections,
        maxIncomingPendingConnections: 16,
        inboundConnectionThreshold: 20,
        dialTimeout: DIAL_TIMEOUT_MS,
        reconnectRetries: 5,
      },
      connectionGater: {
        denyDialPeer: deny,
        denyInboundEncryptedConnection: deny,
        denyOutboundEncryptedConnection: deny,
        // The default refuses addresses of the local network when they come from elsewhere; hosts live there.
        denyDialMultiaddr: () => false,
      },
      peerDiscovery: [
        ...(options.bootstrap.length > 0 ? [bootstrap({ list: [...options.bootstrap], timeout: 0 })] : []),
        ...(options.localDiscovery ? [mdns({ serviceTag: `_tirami-${network}._udp.local` })] : []),
      ],
      services: {
        identify: identify({ protocolPrefix: `tirami-${network}` }),
        ping: ping({ protocolPrefix: `tirami-${network}` }),
        dht: kadDHT({
          protocol: `/tirami/${network}/kad/1.0.0`,
          clientMode: false,
          peerInfoMapper: options.localDiscovery ? passthroughMapper : removePrivateAddressesMapper,
        }),
        pubsub: gossipsub({
          allowPublishToZeroTopicPeers: true,
          ignoreDuplicatePublishError: true,
          emitSelf: false,
          globalSignaturePolicy: 'StrictSign',
          maxInboundDataLength: GOSSIP_MESSAGE_BYTES_MAX,
          runOnLimitedConnection: true,
          scoreParams: {
            appSpecificScore: (peer) => scoreOf(peer, options),
            appSpecificWeight: 1,
            // Hosts of one home share an address; so do those on the loopback.
            IPColocationFactorWhitelist: new Set(['127.0.0.1', '::1']),
          },
          // Who is not heard at all can do no more wrong, and would never be banned: that is for `isBanned`, at −100.
          scoreThresholds: { gossipThreshold: -20, publishThreshold: -40, graylistThreshold: -100 },
        }),
        ...(natTraversal
          ? { dcutr: dcutr(), upnp: uPnPNAT({ autoConfirmAddress: true }), relay: relayForOthers() }
          : {}),
      },
    })
    return node as unknown as Node
  } catch (error) {
    throw startFailure(error)
  }
}

const relayForOthers = () =>
  circuitRelayServer({
    reservations: {
      maxReservations: RELAYED.hostsMax,
      defaultDataLimit: RELAYED.bytes,
      defaultDurationLimit: RELAYED.durationMs,
    },
  })

/** Node ids by peer id text: gossipsub asks for scores often. */
const knownPeers = new Map<string, string>()
const KNOWN_PEERS_MAX = 10_000

function scoreOf(peer: string, options: Libp2pOptions): number {
  const nodeId = knownPeers.get(peer)
  return nodeId === undefined ? 0 : options.score(nodeId)
}

/** @returns null for a key that is not Ed25519 */
function nodeIdOf(peer: PeerId): string | null {
  if (peer.type !== 'Ed25519') return null
  const text = peer.toString()
  const known = knownPeers.get(text)
  if (known !== undefined) return known
  const nodeId = hexFromBytes(peer.publicKey.raw)
  if (knownPeers.size >= KNOWN_PEERS_MAX) knownPeers.clear()
  knownPeers.set(text, nodeId)
  return nodeId
}

function peerOf(nodeId: string): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(bytesFromHex(nodeId)))
}

const VERDICTS: Record<Verdict, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}

class Libp2pNet implements Net {
  readonly nodeId: string
  readonly #node: Node
  readonly #options: Libp2pOptions
  readonly #listeners = new Set<(nodeId: string, connected: boolean) => void>()
  readonly #seeking: NodeJS.Timeout
  readonly #found = new Set<string>()

  constructor(node: Node, options: Libp2pOptions) {
    this.#node = node
    this.#options = options
    this.nodeId = nodeIdOf(node.peerId) ?? ''
    node.addEventListener('peer:connect', ({ detail }) => this.#announce(detail, true))
    node.addEventListener('peer:disconnect', ({ detail }) => this.#announce(detail, false))
    node.addEventListener('peer:discovery', ({ detail }) => this.#seek(detail.id))
    this.#seeking = setInterval(() => void this.#seekMore(), SEEK_INTERVAL_MS)
    this.#seeking.unref()
  }

  addresses(): string[] {
    return this.#node.getMultiaddrs().map(String)
  }

  peers(): string[] {
    return this.#node.getPeers().flatMap((peer) => nodeIdOf(peer) ?? [])
  }

  onPeer(listener: (nodeId: string, connected: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async publish(topic: string, message: Uint8Array): Promise<void> {
    await this.#node.services.pubsub.publish(this.#named(topic), message).catch(() => undefined)
  }

  subscribe(topic: string, judge: (message: Uint8Array, from: string) => Verdict | Promise<Verdict>): void {
    const { pubsub } = this.#node.services
    const name = this.#named(topic)
    pubsub.topicValidators.set(name, async (source: PeerId, { data }: Message) => {
      const from = nodeIdOf(source)
      return VERDICTS[from === null ? 'reject' : await judge(data, from)]
    })
    pubsub.subscribe(name)
  }

  learn(nodeId: string, addresses: readonly string[]): void {
    const multiaddrs = addresses.flatMap((address) => {
      try {
        return multiaddr(address)
      } catch {
        return []
      }
    })
    // Who answers there has to prove that it holds the key, whatever was said.
    this.#node.peerStore.merge(peerOf(nodeId), { multiaddrs }).catch(() => undefined)
  }

  async open(nodeId: string, protocol: string, signal?: AbortSignal): Promise<Channel> {
    const timeout = AbortSignal.timeout(DIAL_TIMEOUT_MS)
    try {
      const stream = await this.#node.dialProtocol(peerOf(nodeId), this.#protocol(protocol), {
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        maxOutboundStreams: STREAMS_PER_PEER * 4,
        runOnLimitedConnection: true,
      })
      return channelOver(stream, nodeId)
    } catch (cause) {
      throw unreachable(cause)
    }
  }

  handle(protocol: string, take: (channel: Channel) => Promise<void>): void {
    const onStream = async (stream: Stream, { remotePeer }: { remotePeer: PeerId }) => {
      const nodeId = nodeIdOf(remotePeer)
      if (nodeId === null || this.#options.isBanned(nodeId)) return stream.abort(new Error('banned'))
      const channel = channelOver(stream, nodeId)
      await take(channel).catch(() => channel.abort())
    }
    void this.#node.handle(this.#protocol(protocol), onStream, {
      maxInboundStreams: STREAMS_PER_PEER,
      runOnLimitedConnection: true,
    })
  }

  async disconnect(nodeId: string): Promise<void> {
    await this.#node.hangUp(peerOf(nodeId)).catch(() => undefined)
  }

  async close(): Promise<void> {
    clearInterval(this.#seeking)
    await this.#node.stop()
  }

  #named(topic: string): string {
    return `tirami/${this.#options.network}/${topic}`
  }

  #protocol(protocol: string): string {
    return `/tirami/${this.#options.network}/${protocol}`
  }

  #announce(peer: PeerId, connected: boolean): void {
    const nodeId = nodeIdOf(peer)
    if (nodeId === null) return
    for (const listener of this.#listeners) listener(nodeId, connected)
  }

  /** libp2p tells of nodes and leaves it to us to connect. */
  #seek(peer: PeerId): void {
    const key = peer.toString()
    if (this.#found.has(key) || this.#node.getPeers().length >= WANTED_PEERS) return
    this.#found.add(key)
    const done = () => void this.#found.delete(key)
    this.#node.dial(peer, { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) }).then(done, done)
  }

  async #seekMore(): Promise<void> {
    if (this.#node.getPeers().length >= WANTED_PEERS) return
    for (const { id } of await this.#node.peerStore.all()) {
      if (!id.equals(this.#node.peerId) && this.#node.getConnections(id).length === 0) this.#seek(id)
    }
  }
}

function channelOver(stream: Stream, peer: string): Channel {
  stream.maxWriteBufferLength = SEND_BUFFER_BYTES
  return {
    peer,
    send: async (message) => {
      if (message.length > CHANNEL_MESSAGE_BYTES_MAX) throw new RangeError('the message is too long')
      if (!stream.send(lengthPrefixed.encode.single(message))) await stream.onDrain()
    },
    messages: () => messagesOf(stream),
    close: () => stream.close(),
    abort: () => stream.abort(new Error('aborted')),
  }
}

async function* messagesOf(stream: Stream): AsyncGenerator<Uint8Array, void, void> {
  for await (const message of lengthPrefixed.decode(stream, { maxDataLength: CHANNEL_MESSAGE_BYTES_MAX })) {
    yield message.slice()
  }
  if (stream.status === 'aborted' || stream.status === 'reset') throw new Error('the connection broke')
}

/** @throws TiramiError MESH_ADDRESS_INVALID for anything but an address with the id of the host behind it */
function assertAddress(address: string): void {
  try {
    if (
      multiaddr(address)
        .getComponents()
        .some(({ name }) => name === 'p2p')
    )
      return
  } catch {
    // Said below.
  }
  throw new TiramiError('MESH_ADDRESS_INVALID', `“${address.slice(0, 200)}” is not the address of a host.`, {
    nextStep: 'Give it as the other host prints it, such as /ip4/10.0.0.5/tcp/4001/p2p/12D3….',
  })
}

function startFailure(error: unknown): unknown {
  if (isPortInUse(error)) {
    return new TiramiError('MESH_PORT_IN_USE', 'Another program uses the port of the mesh.', {
      nextStep: 'Choose another one with --mesh-port, or 0 for a free one.',
      cause: error,
    })
  }
  return error
}

function isPortInUse(error: unknown): boolean {
  const { cause, errors } = error as { cause?: unknown; errors?: unknown[] }
  return [error, cause, ...(errors ?? [])].some((one) => String(one).includes('EADDRINUSE'))
}

function unreachable(cause: unknown): TiramiError {
  return new TiramiError('PEER_UNREACHABLE', 'The other host cannot be reached.', {
    nextStep: 'Ask again: another host may serve the model.',
    httpStatus: 502,
    cause,
  })
}
