import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostMarket, HostServices } from '../../host/index.ts'
import { prefillFlop } from '../../inference/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { type Authorise, parseBody } from '../requests.ts'
import { PROTOCOL_VERSION } from './routes.ts'

const Model = z.string().min(1).max(64)
const Tokens = z.coerce.number().int().min(1).max(131_072)
const ScheduleBody = z.strictObject({
  model_id: Model,
  max_tokens: Tokens,
  /** Named by the original; the account behind the key asks. */
  consumer: z.string().optional(),
})
const RouteQuery = z.strictObject({
  model: Model,
  max_cu: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  mode: z.enum(['cost', 'balanced', 'quality']).default('balanced'),
  max_tokens: Tokens.default(1_000),
})
const TradesQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20) })
const AllowBody = z.strictObject({ consumer: z.string().regex(/^[0-9a-f]{64}$/), allowed: z.boolean() })

const PROVIDERS_MAX = 50
const MESH_IS_OFF = 'This host does not take part in the market of other hosts.'

/** Other hosts (spec sections 1.3 and 1.4): who there is, who serves what, at which price. */
export function registerMesh(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  const { economy, ledger } = services
  // It can be joined and left while the host runs.
  const view = () => services.mesh?.view() ?? null

  app.get('/v1/tirami/peers', async (request) => {
    authorise(request, 'ledger.read')
    const peers = services.mesh?.node.peers() ?? []
    const shown = new Map(view()?.peers.map((peer) => [peer.nodeId, peer]))
    return {
      count: peers.length,
      peers: peers.map(({ nodeId, signal, latencyEmaMs, lastSeenMs, verifiedTrades }) => ({
        node_id: nodeId,
        protocol_version: PROTOCOL_VERSION,
        features: signal.features,
        price_multiplier: Number(signal.price.multiplierMicro) / 1e6,
        available_slots: Math.max(0, signal.load.slots - signal.load.running - signal.load.queued),
        models: signal.models.map(({ id }) => id),
        latency_hint_ms: signal.latencyHintMs,
        latency_ema_ms: latencyEmaMs,
        last_seen: lastSeenMs,
        audit_tier: shown.get(nodeId)?.auditTier ?? 'unverified',
        verified_trades: verifiedTrades,
        connected: shown.get(nodeId)?.connected ?? false,
        reputation: economy.reputation.of(nodeId),
        http_endpoint: null,
      })),
    }
  })

  app.get('/v1/tirami/providers', async (request) => {
    authorise(request, 'ledger.read')
    const offering = (view()?.peers ?? []).filter(({ models }) => models.length > 0)
    const providers = offering.map(({ nodeId, reputation, priceMultiplier, models }) => ({
      node_id: nodeId,
      contributed_cu: Number(ledger.balance(nodeId).contributedTrm),
      reputation,
      base_trm_per_token: priceMultiplier,
      models: models.map(({ id, trmPer1000Tokens }) => ({
        model_id: id,
        trm_per_1000_tokens: Number(trmPer1000Tokens),
      })),
    }))
    const best = providers.sort((a, b) => b.contributed_cu - a.contributed_cu).slice(0, PROVIDERS_MAX)
    return { count: best.length, providers: best }
  })

  app.post('/v1/tirami/schedule', async (request) => {
    authorise(request, 'ledger.read')
    const { model_id, max_tokens } = parseBody(ScheduleBody, request.body)
    const [best] = market(services.mesh).rank({ model: model_id, maxTokens: max_tokens, mode: 'balanced' })
    if (!best) throw noProvider(model_id)
    return {
      provider: best.peer.nodeId,
      estimated_trm_cost: Number(best.costTrm),
      model_id,
      max_tokens,
    }
  })

  app.get('/v1/tirami/route', async (request) => {
    authorise(request, 'ledger.read')
    const { model, max_cu, mode, max_tokens } = parseBody(RouteQuery, request.query)
    const maxCostTrm = max_cu === undefined ? undefined : BigInt(max_cu)
    const [best] = market(services.mesh).rank({ model, maxTokens: max_tokens, mode, maxCostTrm })
    if (!best) throw noProvider(model)
    return {
      provider: best.peer.nodeId,
      model,
      estimated_cu: Number(best.costTrm),
      provider_reputation: best.reputation,
      score: best.score,
    }
  })

  const topology = () => {
    const own = services.model()
    const shown = view()
    return {
      status: services.status().state,
      model: own?.served.id ?? null,
      local_capability: {
        node_id: services.nodeId,
        offered_models: shown?.standing.offered ?? [],
        not_offering: shown === null ? MESH_IS_OFF : (shown.standing.notOffering?.message ?? null),
        flop_per_token: own ? Number(prefillFlop(own.served.cost, 1)) : null,
        addresses: shown?.addresses ?? [],
      },
      connected_peers: (shown?.peers ?? []).filter(({ connected }) => connected).map(({ nodeId }) => nodeId),
      known_peers: shown?.peers.length ?? 0,
      // A model is served by one host as a whole; nothing is split over several.
      planned_topology: null,
      advertised_topology: null,
    }
  }
  app.get('/v1/tirami/topology', async (request) => {
    authorise(request, 'ledger.read')
    return topology()
  })

  app.get('/v1/tirami/mesh/trades', async (request) => {
    authorise(request, 'ledger.read')
    const { limit } = parseBody(TradesQuery, request.query)
    const observed = services.mesh?.node.observed(limit) ?? []
    return {
      count: observed.length,
      trades: observed.map(({ tradeId, trade: { terms, ...signed }, firstSeenMs }) => ({
        trade_id: tradeId,
        provider: terms.provider,
        consumer: terms.consumer,
        trm_amount: Number(terms.amountTrm),
        tokens_processed: Number(terms.tokensProcessed),
        timestamp: Number(terms.timestampMs),
        model_id: terms.modelId,
        nonce: Buffer.from(terms.nonce).toString('hex'),
        provider_sig: Buffer.from(signed.providerSignature).toString('hex'),
        consumer_sig: Buffer.from(signed.consumerSignature).toString('hex'),
        first_seen: firstSeenMs,
      })),
    }
  })

  app.get('/v1/tirami/mesh/disputes', async (request) => {
    authorise(request, 'ledger.read')
    const disputes = view()?.disputes ?? []
    return { count: disputes.length, disputes }
  })

  app.post('/v1/tirami/mesh/allow', async (request) => {
    authorise(request, 'host.write')
    const { consumer, allowed } = parseBody(AllowBody, request.body)
    await market(services.mesh).allowKey(consumer, allowed)
    return { ok: true, consumer, allowed }
  })
}

/** @throws TiramiError MESH_OFF (503) */
function market(mesh: HostMarket | null): HostMarket {
  if (mesh) return mesh
  throw new TiramiError('MESH_OFF', MESH_IS_OFF, {
    nextStep: 'Turn it on: on the page Market, or with --mesh-port.',
    httpStatus: 503,
  })
}

function noProvider(model: string): TiramiError {
  return new TiramiError('NO_PROVIDER', `No host offers “${model.slice(0, 64)}” at that price now.`, {
    nextStep: 'Ask again later, for another model, or for a higher price.',
    httpStatus: 404,
  })
}
