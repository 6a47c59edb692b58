import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { parseBody } from '../requests.ts'
import { type EconomyRoutes, NodeIdHex } from './economy-http.ts'

const HexPath = z.object({ hex: NodeIdHex })

/** What is known about nodes' conduct (spec section 1.4). */
export function registerReputation(app: FastifyInstance, { economy, authorise }: EconomyRoutes): void {
  const { reputation } = economy

  app.get('/v1/tirami/collusion/:hex', async (request) => {
    authorise(request, 'ledger.read')
    const report = reputation.collusion(parseBody(HexPath, request.params).hex)
    return {
      subject: report.subject,
      trades_in_window: report.tradesInWindow,
      unique_counterparties: report.uniqueCounterparties,
      tight_cluster_score: report.tightClusterScore,
      volume_spike_score: report.volumeSpikeScore,
      steadiness_score: report.steadinessScore,
      round_robin_score: report.roundRobinScore,
      trust_penalty: report.trustPenalty,
      flags: report.flags,
    }
  })

  app.get('/v1/tirami/reputation/:hex', async (request) => {
    authorise(request, 'ledger.read')
    const { hex } = parseBody(HexPath, request.params)
    const observations = reputation.observations().find(([subject]) => subject === hex)?.[1] ?? []
    const complaints = reputation.complaints().find(([subject]) => subject === hex)?.[1] ?? []
    return {
      node_id: hex,
      reputation: reputation.of(hex),
      collusion_penalty: reputation.collusion(hex).trustPenalty,
      faults: reputation.slashes().filter(({ node }) => node === hex).length,
      observations: observations.map((seen) => ({
        observer: seen.observer,
        reputation: seen.reputation,
        trade_count: Number(seen.tradeCount),
        // What this host can see of them; age takes from it.
        shown_trades: Number(reputation.shownTrades(seen.observer, hex)),
        timestamp_ms: seen.timestampMs,
      })),
      complaints: complaints.map(({ complainant, cause, timestampMs }) => ({
        complainant,
        cause,
        timestamp_ms: timestampMs,
      })),
    }
  })

  app.get('/v1/tirami/slash-events', async (request) => {
    authorise(request, 'ledger.read')
    const slashes = reputation.slashes()
    return {
      total: slashes.length,
      total_burned_trm: Number(slashes.reduce((sum, { burnedTrm }) => sum + burnedTrm, 0n)),
      events: slashes.map((slash) => ({
        node_id: slash.node,
        trust_penalty: slash.trustPenalty,
        burned_trm: Number(slash.burnedTrm),
        timestamp_ms: slash.atMs,
        reason: slash.reason,
      })),
    }
  })

  app.get('/v1/tirami/reputation-gossip-status', async (request) => {
    authorise(request, 'ledger.read')
    const subjects = reputation.observations()
    return {
      subjects: Object.fromEntries(
        subjects.map(([subject, observations]) => [
          subject,
          observations.map((seen) => ({
            observer: seen.observer,
            reputation: seen.reputation,
            trade_count: Number(seen.tradeCount),
            total_trm_volume: Number(seen.volumeTrm),
            timestamp_ms: seen.timestampMs,
          })),
        ]),
      ),
      total_subjects: subjects.length,
    }
  })
}
