import type { ModelOffer, Tariff } from './offer.ts'
import type { Peer } from './registry.ts'
import { type AuditStanding, auditTier } from './tiers.ts'

export type RoutingMode = 'cost' | 'balanced' | 'quality'

/** Exponents of reputation and of price: 1 and 1 is Tirami's select_provider (spec section 2.9). */
const WEIGHTS: Record<RoutingMode, { reputation: number; price: number }> = {
  cost: { reputation: 0.6, price: 1.4 },
  balanced: { reputation: 1, price: 1 },
  quality: { reputation: 1.4, price: 0.6 },
}

export interface Candidate {
  peer: Peer
  offer: ModelOffer
  /** The most that the job can cost there. */
  costTrm: bigint
  reputation: number
  /** Higher is better. */
  score: number
}

export interface SelectQuery {
  model: string
  promptTokens: number
  maxTokens: number
  mode: RoutingMode
  nowMs: number
  /** Whoever costs more is no candidate. */
  maxCostTrm?: bigint | undefined
  reputationOf(nodeId: string): number
  auditsOf(nodeId: string): AuditStanding
  tariff: Tariff
}

/**
 * Hosts that serve the model, best first: reputation × price of the cheapest / price × 1 / (1 + latency in s) × free
 * share of its slots × weight of its audit tier, reputation and price weighed by the mode. Equal scores are ordered by
 * node id. Whoever failed its last audit of this very file is no candidate; whoever is suspected of it comes after all others.
 */
export function rankProviders(peers: readonly Peer[], query: SelectQuery): Candidate[] {
  const { model, tariff, promptTokens, maxTokens, maxCostTrm, mode } = query
  const offers = peers.flatMap((peer) => {
    const offer = peer.signal.models.find(({ id }) => id === model)
    if (!offer || peer.signal.expiresAtMs <= query.nowMs) return []
    const audits = query.auditsOf(peer.nodeId)
    if (offer.weights !== null && audits.failedWeights.includes(offer.weights)) return []
    const tokens = Math.min(maxTokens, offer.contextTokens)
    const costTrm = tariff.costTrm(offer.cost, peer.signal.price, promptTokens, tokens)
    if (maxCostTrm !== undefined && costTrm > maxCostTrm) return []
    const { weight } = auditTier(peer.verifiedTrades, audits)
    const suspected = offer.weights !== null && audits.suspectedWeights.includes(offer.weights)
    return [{ peer, offer, costTrm, suspected, reputation: query.reputationOf(peer.nodeId), weight }]
  })
  const cheapestTrm = Math.max(1, Math.min(...offers.map(({ costTrm }) => Number(costTrm))))
  const weights = WEIGHTS[mode]
  return offers
    .map(({ weight, suspected, ...candidate }) => {
      const { peer, costTrm, reputation } = candidate
      const { slots, running, queued } = peer.signal.load
      const free = Math.max(1, slots) / (Math.max(1, slots) + running + queued)
      const price = cheapestTrm / Math.max(1, Number(costTrm))
      const quick = 1 / (1 + peer.latencyEmaMs / 1000)
      const score = reputation ** weights.reputation * price ** weights.price * quick * free * weight
      return { suspected, candidate: { ...candidate, score } }
    })
    .sort((a, b) => Number(a.suspected) - Number(b.suspected) || better(a.candidate, b.candidate))
    .map(({ candidate }) => candidate)
}

const better = (a: Candidate, b: Candidate): number =>
  b.score - a.score || (a.peer.nodeId < b.peer.nodeId ? -1 : 1)
