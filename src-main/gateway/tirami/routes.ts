import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { FREE_TIER_TRM, type HostServices, type Income } from '../../host/index.ts'
import { prefillFlop } from '../../inference/index.ts'
import { FLOP_PER_TRM } from '../../kernel/index.ts'
import { ANCHOR_NETWORKS, anchorScript } from '../../ledger/index.ts'
import { type Authorise, parseBody } from '../requests.ts'
import { NoBody } from './economy-http.ts'

/** Version of Tirami's protocol that paths and field names follow (spec section 0). */
export const PROTOCOL_VERSION = 1

const AnchorQuery = z.object({ network: z.enum(ANCHOR_NETWORKS).default('testnet') })
const TradesQuery = z.object({ limit: z.coerce.number().int().min(1).max(100).default(20) })

/** Spec section 2.4; a vote may only raise it. */
const PROOF_POLICIES = ['disabled', 'optional', 'recommended', 'required']

function incomeJson({ fromOthersTrm, onCreditTrm, ownUseTrm, passedOnTrm }: Income) {
  return {
    from_others: Number(fromOthersTrm),
    on_credit: Number(onCreditTrm),
    own_use: Number(ownUseTrm),
    passed_on: Number(passedOnTrm),
  }
}

const round6 = (value: number) => Math.round(value * 1e6) / 1e6

/** Ledger reads of the Tirami economy API (spec section 1.4), field names kept. */
export function registerTirami(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  const { ledger, economy } = services

  app.get('/v1/tirami/balance', async (request) => {
    const { consumer: caller } = authorise(request, 'account.read')
    const balance = ledger.balance(services.nodeId)
    const spent = ledger.balance(caller.publicKeyHex)
    const net = balance.contributedTrm - balance.consumedTrm
    const income = economy.income()
    return {
      node_id: services.nodeId,
      // What guests paid and this host paid on is in neither.
      contributed: Number(balance.contributedTrm - income.passedOnTrm),
      consumed: Number(balance.consumedTrm - income.passedOnTrm),
      reserved: Number(balance.reservedTrm),
      net_balance: Number(net),
      effective_balance: Number(net + FREE_TIER_TRM),
      reputation: economy.reputation.of(services.nodeId),
      caller: {
        node_id: caller.publicKeyHex,
        net_balance: Number(spent.contributedTrm - spent.consumedTrm),
        reserved: Number(spent.reservedTrm),
        credit_limit: Number(caller.creditLimitTrm),
      },
      income: incomeJson(income),
    }
  })

  app.get('/v1/tirami/trades', async (request) => {
    authorise(request, 'ledger.read')
    const { limit } = parseBody(TradesQuery, request.query)
    const trades = await ledger.listTrades({ limit })
    return {
      count: trades.length,
      trades: trades.map((trade) => ({
        trade_id: trade.tradeId,
        provider: trade.provider,
        consumer: trade.consumer,
        trm_amount: Number(trade.amountTrm),
        tokens_processed: trade.promptTokens + trade.completionTokens,
        timestamp: trade.timestampMs,
        model_id: trade.modelId,
        flops_estimated: Number(trade.flop),
        passed_on: Number(trade.passedOnTrm ?? 0),
        provider_signed: trade.providerSigned,
        consumer_signed: trade.consumerSigned,
      })),
    }
  })

  app.get('/v1/tirami/network', async (request) => {
    authorise(request, 'ledger.read')
    const totals = ledger.network()
    return {
      total_nodes: totals.nodes,
      total_contributed_cu: Number(totals.contributedTrm),
      total_consumed_cu: Number(totals.consumedTrm),
      total_trades: totals.trades,
      avg_reputation: economy.reputation.average(),
      merkle_root: ledger.merkleRootHex(),
    }
  })

  app.get('/v1/tirami/anchor', async (request) => {
    authorise(request, 'ledger.read')
    const { network } = parseBody(AnchorQuery, request.query)
    const merkleRootHex = ledger.merkleRootHex()
    const { payloadHex, scriptHex } = anchorScript(merkleRootHex, network)
    return {
      merkle_root_hex: merkleRootHex,
      script_hex: scriptHex,
      payload_hex: payloadHex,
      network,
      payload_len: payloadHex.length / 2,
    }
  })

  // Nothing waits to be saved: what was answered is on the disk. This says how far, and whether that still holds.
  app.post('/v1/tirami/admin/save-state', async (request) => {
    authorise(request, 'host.write')
    parseBody(NoBody, request.body)
    const { writable, journalRecords, headHash } = services.status().ledger
    return {
      ok: writable,
      saved: writable ? ['journal'] : [],
      errors: writable ? [] : ['journal: a write has failed; restart the host'],
      journal_records: journalRecords,
      head_hash: headHash,
    }
  })

  // The bytes are made here, but nothing is ever sent to a chain.
  app.get('/v1/tirami/anchors', async (request) => {
    authorise(request, 'ledger.read')
    return { count: 0, anchors: [] }
  })

  app.get('/v1/tirami/protocol', async (request) => {
    authorise(request, 'ledger.read')
    return {
      protocol_version: PROTOCOL_VERSION,
      min_protocol_version: PROTOCOL_VERSION,
      // What this host really does; proofs of computation are not there yet.
      features: [
        'api:bearer-auth',
        'api:scoped-tokens',
        'ledger:dual-signed',
        'ledger:rfc6962-proofs',
        ...(services.mesh ? ['market:price-signals', 'market:remote-work'] : []),
      ],
      proof_policy: PROOF_POLICIES[economy.governance.proofPolicy()] ?? 'optional',
      zkml_backend: null,
      zkml_strength: 'none',
      transport: services.mesh ? 'libp2p-tcp-noise-yamux' : null,
      wire_codec: services.mesh ? 'json-in-signed-envelope' : null,
      price_signal: services.mesh
        ? { schema: 'tirami-mesh-v1', http_endpoint_advertised: false, http_endpoint: null }
        : null,
      compatibility: null,
    }
  })

  app.get('/v1/tirami/pricing', async (request) => {
    authorise(request, 'ledger.read')
    const model = services.model()
    const price = economy.pricing()
    const tokenFlop = model ? prefillFlop(model.served.cost, 1) : 0n
    const costTrm = economy.jobPrice()
    return {
      trm_per_token: round6((Number(tokenFlop) / Number(FLOP_PER_TRM)) * price.trmPerToken),
      supply_factor: round6(price.supplyFactor),
      demand_factor: round6(price.demandFactor),
      cu_purchasing_power: round6(price.purchasingPower),
      deflation_factor: round6(price.deflationFactor),
      total_trades_ever: ledger.tradeCount(),
      estimated_cost_100_tokens: Number(costTrm(tokenFlop * 100n)),
      estimated_cost_1000_tokens: Number(costTrm(tokenFlop * 1_000n)),
    }
  })
}
