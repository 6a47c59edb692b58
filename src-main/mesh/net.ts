/**
 * The network as the rest of the host sees it: nodes that are known by their key, messages that reach everybody, and
 * channels to one node. `libp2p-net.ts` is the real one, `memory-net.ts` a seeded one for simulations.
 */
export interface Net {
  /** 64 lower-case hex digits of this node's Ed25519 public key. */
  readonly nodeId: string
  /** Where others can reach this node, as multiaddresses. */
  addresses(): string[]
  /** Nodes with an open connection. */
  peers(): string[]
  /** @returns a function that ends it */
  onPeer(listener: (nodeId: string, connected: boolean) => void): () => void
  /** To everybody who listens to `topic`, over several hops. Never rejects: nobody may be there. */
  publish(topic: string, message: Uint8Array): Promise<void>
  /** One listener per topic. @param judge decides whether the message is handed on to others */
  subscribe(topic: string, judge: (message: Uint8Array, from: string) => Verdict | Promise<Verdict>): void
  /** Where a node says that it can be reached; what makes no sense is passed over. */
  learn(nodeId: string, addresses: readonly string[]): void
  /** @throws TiramiError PEER_UNREACHABLE (502) */
  open(nodeId: string, protocol: string, signal?: AbortSignal): Promise<Channel>
  /** Takes channels that others open. */
  handle(protocol: string, take: (channel: Channel) => Promise<void>): void
  /** Closes all connections with a node; while it is banned none is opened again. */
  disconnect(nodeId: string): Promise<void>
  close(): Promise<void>
}

/** `reject` counts against the node that handed it on; `ignore` does not. */
export type Verdict = 'accept' | 'ignore' | 'reject'

/** Messages in order between two nodes, each of at most `CHANNEL_MESSAGE_BYTES_MAX` bytes. */
export interface Channel {
  /** The other side: the transport has proved that it holds the key. */
  readonly peer: string
  /** Resolves when there is room for more. @throws Error when the channel is broken or closed */
  send(message: Uint8Array): Promise<void>
  /** Ends when the other side has closed in order; throws when the connection broke. To be read once. */
  messages(): AsyncIterable<Uint8Array>
  /** No more is sent; what was sent arrives. */
  close(): Promise<void>
  /** Everything at once, in both directions. */
  abort(): void
}

/** Longest message of a channel: a request with its whole conversation. */
export const CHANNEL_MESSAGE_BYTES_MAX = 512 * 1024
/** Longest message to everybody. */
export const GOSSIP_MESSAGE_BYTES_MAX = 32 * 1024
