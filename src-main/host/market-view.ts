import type { MeshOffer, MeshPeer, MeshTrade, MeshView } from '../../src-preload/contract/index.ts'
import { hexFromBytes, type KeyPair } from '../kernel/index.ts'
import { type SignedTrade, tradeLeafHash } from '../ledger/index.ts'
import {
  type AuditStanding,
  auditTier,
  type MarketNode,
  type ModelOffer,
  type Peer,
  type Price,
} from '../market/index.ts'
import type { Net } from '../mesh/index.ts'
import type { EconomyService } from './economy-service.ts'
import { flopOf, priceOf } from './market-tariff.ts'
import type { MeshRules } from './mesh-rules.ts'

interface ViewPorts {
  serving: { node: Pick<KeyPair, 'publicKeyHex'>; economy: EconomyService }
  rules: MeshRules
  sendsPrompts(): boolean
  auditsOf?(nodeId: string): AuditStanding
}

export type NotOffering = NonNullable<MeshView['standing']['notOffering']>

const PEERS_SHOWN = 1_000
const TRADES_SHOWN = 200
const DISPUTES_SHOWN = 50
const OPINIONS_SHOWN = 50
/** Latest trades that were heard of, from which the picture of the mesh is drawn, and the lines that it can bear. */
const LINKED_TRADES = 2_000
const LINKS_SHOWN = 24
const SAMPLE_PROMPT_TOKENS = 100
const SAMPLE_TOKENS = 1_000
const UNCOUNTED_SHOWN = 100
const MESH_IS_OFF: NotOffering = {
  code: 'MESH_OFF',
  message: 'This host does not take part in the market of other hosts.',
  nextStep: 'Switch it on on the page Market.',
}

/** This host among others, for its owner. */
export function meshView(
  ports: ViewPorts,
  now: {
    market: MarketNode
    net: Net
    /** What it says of itself to others. */
    presented: { price: Price; models: ModelOffer[] }
    notOffering: NotOffering | null
    /** What was heard and does not count here, newest first. */
    uncounted: MeshView['uncounted']
  },
): MeshView {
  const { market, net, presented, notOffering, uncounted } = now
  const connected = new Set(net.peers())
  const { undelivered } = market.counts()
  const known = market.peers()
  const peers = known
    .map((peer) => {
      const { nodeId } = peer
      const reputation = ports.serving.economy.reputation.of(nodeId)
      return peerView(peer, connected.has(nodeId), reputation, ports.auditsOf?.(nodeId))
    })
    .sort((a, b) => Number(b.connected) - Number(a.connected))
  const off = meshOff(ports)
  const others = market
    .observed(LINKED_TRADES)
    .filter(({ trade: { terms } }) => terms.provider !== off.nodeId && terms.consumer !== off.nodeId)
  const offers = presented.models.map((model) => offerView(model, presented.price))
  return {
    ...off,
    enabled: true,
    addresses: net.addresses(),
    peers: peers.slice(0, PEERS_SHOWN),
    peersKnown: known.length,
    links: linksOf(others),
    standing: {
      ...off.standing,
      offered: offers.map(({ id }) => id),
      offers,
      notOffering,
      unconfirmedTrades: undelivered,
    },
    observedTrades: others.length,
    banned: market.banned(),
    uncounted: uncounted.slice(0, UNCOUNTED_SHOWN),
  }
}

/** What is left of it while the mesh is off: what the ledger says. */
export function meshOff({ serving, rules, sendsPrompts }: ViewPorts): MeshView {
  const { economy, node } = serving
  const nodeId = node.publicKeyHex
  const { reputation } = economy
  const seenBy = reputation
    .observations()
    .flatMap(([subject, observations]) => (subject === nodeId ? observations : []))
    .map(({ observer, reputation: seen, tradeCount, timestampMs }) => ({
      observer,
      reputation: seen,
      trades: Number(tradeCount),
      atMs: timestampMs,
    }))
    .sort((a, b) => b.atMs - a.atMs)
  return {
    nodeId,
    enabled: false,
    addresses: [],
    peers: [],
    peersKnown: 0,
    links: [],
    standing: {
      offered: [],
      offers: [],
      priceMultiplier: Number(economy.priceTerms().multiplierMicro) / 1e6,
      notOffering: MESH_IS_OFF,
      gate: gateOf(economy),
      reputation: reputation.of(nodeId),
      stakedTrm: String(economy.staking.view(nodeId).stakedTrm),
      seenBy: seenBy.slice(0, OPINIONS_SHOWN),
      trades: rules.head().size,
      unconfirmedTrades: 0,
      sendsPrompts: sendsPrompts(),
      allowedKeys: rules.allowed(),
    },
    trades: rules.latest(TRADES_SHOWN).map((trade) => tradeView(trade, nodeId)),
    observedTrades: 0,
    banned: [],
    disputes: rules
      .disputes()
      .slice(0, DISPUTES_SHOWN)
      .map(({ atMs, provider, consumer, model, reason, sentence }) => ({
        atMs,
        provider,
        consumer,
        model,
        reason,
        sentence,
      })),
    uncounted: [],
  }
}

/** Without a stake and without a welcome loan there is a limit, also once it is reached. */
function gateOf(economy: EconomyService): MeshView['standing']['gate'] {
  const { eligibility } = economy.standing()
  const { STAKELESS_EARN_CAP_TRM: capTrm, MIN_PROVIDER_STAKE_TRM: stakeTrm } = economy.parameters()
  const limited = eligibility === 'bootstrap-window' || eligibility === 'stake-required'
  return {
    capTrm: limited ? String(capTrm) : null,
    earnedTrm: String(economy.income().fromOthersTrm),
    stakeTrm: String(stakeTrm),
  }
}

function peerView(
  peer: Peer,
  connected: boolean,
  reputation: number,
  audits: AuditStanding | undefined,
): MeshPeer {
  const { signal, verifiedTrades, latencySamples, latencyEmaMs } = peer
  return {
    nodeId: peer.nodeId,
    connected,
    reputation,
    latencyMs: latencySamples === 0 ? null : latencyEmaMs,
    lastSeenMs: peer.lastSeenMs,
    auditTier: auditTier(verifiedTrades, audits).tier,
    verifiedTrades,
    priceMultiplier: Number(signal.price.multiplierMicro) / 1e6,
    load: signal.load,
    models: signal.models.map((model) => offerView(model, signal.price)),
  }
}

function offerView({ id, contextTokens, demonstration, cost }: ModelOffer, price: Price): MeshOffer {
  const flop = flopOf(cost, SAMPLE_PROMPT_TOKENS, SAMPLE_TOKENS)
  return { id, contextTokens, demonstration, trmPer1000Tokens: String(priceOf(flop, price)) }
}

function tradeView({ terms }: SignedTrade, nodeId: string): MeshTrade {
  const sold = terms.provider === nodeId
  return {
    tradeId: hexFromBytes(tradeLeafHash(terms)),
    role: sold ? 'sold' : 'bought',
    other: sold ? terms.consumer : terms.provider,
    model: terms.modelId,
    amountTrm: String(terms.amountTrm),
    tokens: Number(terms.tokensProcessed),
    atMs: Number(terms.timestampMs),
  }
}

/** Who trades with whom, beside this host. */
function linksOf(others: ReturnType<MarketNode['observed']>): MeshView['links'] {
  const counts = new Map<string, { a: string; b: string; trades: number }>()
  for (const { trade } of others) {
    const [a = '', b = ''] = [trade.terms.provider, trade.terms.consumer].sort()
    const link = counts.get(`${a} ${b}`) ?? { a, b, trades: 0 }
    counts.set(`${a} ${b}`, { ...link, trades: link.trades + 1 })
  }
  return [...counts.values()].sort((x, y) => y.trades - x.trades).slice(0, LINKS_SHOWN)
}
