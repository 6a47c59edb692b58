import type { PriceSignal } from './offer.ts'

/** What this host knows of another one. */
export interface Peer {
  nodeId: string
  signal: PriceSignal
  /** When it was signed, by the peer's clock. */
  signedAtMs: number
  /** The signed signal as it came: evidence of the price. */
  signalBytes: Uint8Array
  /** Exponential mean of the time to the first token, as measured here. */
  latencyEmaMs: number
  /** What that mean is of; at 0 it is a guess. */
  latencySamples: number
  lastSeenMs: number
  /** Trades with this host that both sides signed. */
  verifiedTrades: number
}

/** Spec section 2.9. */
export const PEERS_MAX = 10_000
const LATENCY_START_MS = 500
const LATENCY_ALPHA = 0.2

/** The hosts that were heard of, least recently heard first out. */
export class PeerRegistry {
  readonly #peers = new Map<string, Peer>()
  readonly #max: number

  constructor(max = PEERS_MAX) {
    this.#max = max
  }

  /**
   * @param tradesBefore with a host that was not known, from the ledger
   * @returns false for a signal that is not newer than the known one
   */
  hear(
    heard: Pick<Peer, 'nodeId' | 'signal' | 'signedAtMs' | 'signalBytes'>,
    nowMs: number,
    tradesBefore = 0,
  ): boolean {
    const known = this.#peers.get(heard.nodeId)
    if (known && known.signedAtMs >= heard.signedAtMs) return false
    const { latencyEmaMs = LATENCY_START_MS, latencySamples = 0, verifiedTrades = tradesBefore } = known ?? {}
    this.#peers.delete(heard.nodeId)
    const measured = { latencyEmaMs, latencySamples, verifiedTrades }
    this.#peers.set(heard.nodeId, { ...heard, ...measured, lastSeenMs: nowMs })
    const [longest] = this.#peers.keys()
    if (this.#peers.size > this.#max && longest !== undefined) this.#peers.delete(longest)
    return true
  }

  get(nodeId: string): Peer | undefined {
    return this.#peers.get(nodeId)
  }

  /** Most recently heard first. */
  all(): Peer[] {
    return [...this.#peers.values()].reverse()
  }

  /** Whose signal still holds and names the model. */
  serving(model: string, nowMs: number): Peer[] {
    return this.all().filter(
      ({ signal }) => signal.expiresAtMs > nowMs && signal.models.some(({ id }) => id === model),
    )
  }

  measured(nodeId: string, latencyMs: number): void {
    const peer = this.#peers.get(nodeId)
    if (!peer) return
    peer.latencyEmaMs += LATENCY_ALPHA * (latencyMs - peer.latencyEmaMs)
    peer.latencySamples++
  }

  traded(nodeId: string): void {
    const peer = this.#peers.get(nodeId)
    if (peer) peer.verifiedTrades++
  }

  forget(nodeId: string): void {
    this.#peers.delete(nodeId)
  }
}
