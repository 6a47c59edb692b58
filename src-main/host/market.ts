import { join } from 'node:path'
import { z } from 'zod'
import type { MeshView } from '../../src-preload/contract/index.ts'
import type { JobRequest } from '../inference/index.ts'
import {
  hexFromBytes,
  readClockMs,
  systemTimers,
  type Timers,
  TiramiError,
  toPublicError,
} from '../kernel/index.ts'
import { type SignedTrade, tradeLeafHash } from '../ledger/index.ts'
import {
  type AuditStanding,
  type Candidate,
  type Dispute,
  MarketNode,
  type ModelOffer,
  type RoutingMode,
  type SavedMarket,
} from '../market/index.ts'
import { createLibp2pNet, type Net } from '../mesh/index.ts'
import type { Audits } from './audits.ts'
import type { EconomyService } from './economy-service.ts'
import { readSecretFile, writeFileAtomically } from './files.ts'
import type { Consumer } from './keys.ts'
import { type BuyingPorts, serveFromMesh } from './market-buy.ts'
import { createMarketLoans, loanBooks, type MarketLoans } from './market-loans.ts'
import { sellToHost } from './market-sell.ts'
import { modelCost, tariff } from './market-tariff.ts'
import { meshView, type NotOffering } from './market-view.ts'
import type { MeshRules } from './mesh-rules.ts'
import { createMeshStatements, type MeshStatements } from './mesh-statements.ts'
import type { ServeEvent, ServeOptions, ServingPorts } from './serving.ts'

/** How this host joins others; absent: it does not. */
export interface MeshChoice {
  /** TCP port; 0 picks a free one. */
  port: number
  /** Multiaddresses with a peer id. */
  bootstrap: string[]
  /** Hosts of one name find each other. */
  network: string
  /** Listens beyond the loopback, and finds hosts of the local network. */
  local: boolean
  /** Relays, hole punching and port mapping. */
  natTraversal: boolean
}

export interface HostMarket {
  node: MarketNode
  addresses(): string[]
  view(): MeshView
  /** The model as others offer it to this consumer; null: nobody does, or his questions may not leave this machine. */
  offer(consumer: Consumer, model: string): ModelOffer | null
  /** What others offer to this consumer. */
  offers(consumer: Consumer): ModelOffer[]
  serve(
    consumer: Consumer,
    model: string,
    request: JobRequest,
    signal: AbortSignal,
    options?: ServeOptions,
  ): AsyncGenerator<ServeEvent, void, void>
  rank(query: {
    model: string
    maxTokens: number
    mode: RoutingMode
    maxCostTrm?: bigint | undefined
  }): Candidate[]
  /** Whether questions of a guest's key may be answered by others. */
  allowKey(consumer: string, allowed: boolean): Promise<void>
  loans: MarketLoans
  statements: Pick<MeshStatements, 'uncounted' | 'uncountedVotes'>
  close(): Promise<void>
}

export interface HostMarketPorts {
  serving: ServingPorts & { economy: EconomyService }
  rules: MeshRules
  safety: BuyingPorts['safety']
  /** Why the owner's rules let nobody in now; null: they do. */
  closedBecause(): string | null
  /** @throws TiramiError when the host is shutting down */
  assertRunning(): void
  /** What this host can be asked for now. */
  model(): {
    id: string
    contextTokens: number
    toolCallFormat: ModelOffer['toolCallFormat']
    demonstration: boolean
    /** SHA-256 of its file; absent or null: not known (yet). */
    weights?: string | null
  } | null
  load(): { running: number; queued: number; slots: number }
  sendsPrompts(): boolean
  mode(): RoutingMode
  /** Hosts that ask for more are not asked, in millionths of a TRM for 10⁹ FLOP; null: no limit. */
  maxPriceMicro(): bigint | null
  /** What audits have shown of another host; absent: none are made. */
  auditsOf?(nodeId: string): AuditStanding
  audits?: Pick<Audits, 'hear' | 'onEvidence'>
  onChange(): void
}

const STATE_FILE = 'mesh.json'
const MAX_CONNECTIONS = 200
const FEATURES = ['market:price-signals', 'market:remote-work', 'ledger:dual-signed', 'ledger:rfc6962-proofs']
/** Nobody has been asked yet: what a chat takes to begin on most machines. */
const LATENCY_HINT_MS = 500
/** A debt that this host has signed is booked, however large. */
const SIGNED_DEBT_LIMIT_TRM = 1n << 62n
const ADOPTED_TTL_MS = 60_000

/** Opens the network and takes this host's place in the market. @throws TiramiError MESH_PORT_IN_USE */
export async function openHostMarket(
  ports: HostMarketPorts,
  choice: MeshChoice,
  dataDirectory: string,
  seed: Uint8Array,
): Promise<HostMarket> {
  const statePath = join(dataDirectory, STATE_FILE)
  const interfaces = choice.local ? '0.0.0.0' : '127.0.0.1'
  // The network asks about bans before the market is there.
  let market: MarketNode | null = null
  const net = await createLibp2pNet({
    seed,
    network: choice.network,
    listen: [`/ip4/${interfaces}/tcp/${choice.port}`],
    bootstrap: choice.bootstrap,
    localDiscovery: choice.local,
    natTraversal: choice.natTraversal,
    maxConnections: MAX_CONNECTIONS,
    isBanned: (nodeId) => market?.isBanned(nodeId) ?? false,
    score: (nodeId) => market?.score(nodeId) ?? 0,
  })
  const saved = readState(statePath)
  const opened = createHostMarket(ports, net, {
    ...(saved ? { saved } : {}),
    save: (state) => writeState(statePath, state),
  })
  market = opened.node
  return opened
}

/** The same over any network: the whole host in a simulation. */
export function createHostMarket(
  ports: HostMarketPorts,
  net: Net,
  {
    timers = systemTimers,
    ...state
  }: { saved?: SavedMarket; save(state: SavedMarket): void; timers?: Timers },
): HostMarket {
  const { serving, rules } = ports
  const { ledger, economy, clock, rng, node: key } = serving
  const nowMs = () => readClockMs(clock)
  let opened: MarketNode | null = null
  const statements = createMeshStatements({
    key,
    economy,
    nowMs,
    partners: () => rules.partners(key.publicKeyHex),
    ...(ports.audits ? { audits: ports.audits } : {}),
    market: () => opened,
  })
  const market = new MarketNode({
    net,
    key,
    timers,
    rng,
    tariff,
    nowMs,
    present: () => present(ports),
    log: {
      head: () => rules.head(),
      page: (from, limit) => logPage(ports, from, limit),
      booked: (trade) => booked(ports, trade),
      tradesWith: (nodeId) => rules.tradesWith(nodeId),
    },
    sell: (sale) => sellToHost(serving, sale),
    adopt: (trade) => adopt(ports, trade),
    disputed: (dispute) => {
      recordDispute(ports, dispute)
      statements.unsigned(dispute)
    },
    forked: (heads) => statements.forked(heads),
    statements,
    loans: loanBooks(economy.peerLending, statements),
    onBeat: () => statements.beat(),
    reputationOf: (nodeId) => economy.reputation.of(nodeId),
    ...(ports.auditsOf ? { auditsOf: ports.auditsOf } : {}),
    ...state,
    onChange: ports.onChange,
  })
  opened = market
  rules.onTrade((trade) => market.booked(trade))
  economy.reputation.heed((one, other) => market.tradesBetween(one, other))
  const stopActing = economy.governance.onAct(statements)
  ports.audits?.onEvidence((evidence) => statements.auditFailed(evidence))
  statements.recall()
  const buying: BuyingPorts = {
    market,
    ledger,
    node: key,
    clock,
    rng,
    safety: ports.safety,
    economy,
    mode: ports.mode,
    maxPriceMicro: ports.maxPriceMicro,
    assertRunning: ports.assertRunning,
  }
  const mayLeave = (consumer: Consumer) =>
    consumer.ownKey ? ports.sendsPrompts() : rules.isAllowed(consumer.publicKeyHex)
  const offers = (consumer: Consumer) => (mayLeave(consumer) ? market.models() : [])
  return {
    node: market,
    addresses: () => net.addresses(),
    view: () =>
      meshView(ports, {
        market,
        net,
        presented: present(ports),
        notOffering: notOffering(ports),
        uncounted: statements.uncounted(),
      }),
    offers,
    offer: (consumer, model) => offers(consumer).find(({ id }) => id === model) ?? null,
    serve: (consumer, model, request, signal, options = {}) =>
      serveFromMesh(buying, { consumer, model, request, signal, options }),
    rank: (query) => market.rank({ ...query, promptTokens: 0 }),
    allowKey: (consumer, allowed) =>
      ledger.post([{ kind: 'mesh.key-allowed', atMs: nowMs(), consumer, allowed } as { kind: string }]),
    loans: createMarketLoans(economy.peerLending, market.loans, statements),
    statements,
    close: async () => {
      await market.close()
      stopActing()
      rules.onTrade(() => undefined)
      await net.close()
    },
  }
}

/** What is not at hand any more is read from the ledger. */
async function logPage({ rules, serving }: HostMarketPorts, from: number, limit: number) {
  const page = rules.page(from, limit)
  return page.length > 0 || from >= rules.head().size ? page : serving.ledger.remoteTrades(from, limit)
}

/** Whether the job of this trade is booked: as this trade, as another one, or not at all. */
async function booked({ rules, serving: { ledger } }: HostMarketPorts, { terms }: SignedTrade) {
  const tradeId = hexFromBytes(tradeLeafHash(terms))
  const recent = rules.bookedAs(terms)
  if (recent !== null) return recent === tradeId ? 'this' : 'another'
  if (!ledger.sawNonce(terms)) return null
  try {
    await ledger.proveTrade(tradeId)
    return 'this'
  } catch (error) {
    // A ledger that cannot be asked accuses nobody.
    return error instanceof TiramiError && error.code === 'TRADE_NOT_FOUND' ? 'another' : 'this'
  }
}

function present(ports: HostMarketPorts) {
  const { economy } = ports.serving
  const model = notOffering(ports) === null ? ports.model() : null
  const served = ports.serving.model()
  return {
    features: FEATURES,
    price: economy.priceTerms(),
    models:
      model && served?.id === model.id
        ? [{ ...model, weights: model.weights ?? null, cost: modelCost(served.cost) }]
        : [],
    load: ports.load(),
    latencyHintMs: LATENCY_HINT_MS,
  }
}

/** Why this host sells nothing to others now. */
function notOffering({ serving, model, safety, closedBecause }: HostMarketPorts): NotOffering | null {
  const closed = closedBecause()
  if (closed !== null) return { code: 'HOST_RESTING', message: closed, nextStep: 'Look at the page Home.' }
  try {
    serving.stewardship.assertMayServe()
    safety.assertNotKilled()
    serving.economy.assertMayProvide({ ownKey: false })
  } catch (error) {
    return toPublicError(error)
  }
  return model()
    ? null
    : { code: 'NO_MODEL_LOADED', message: 'No model is loaded.', nextStep: 'Load one on the page Models.' }
}

/** @throws TiramiError of the ledger: booked before, or too old */
async function adopt({ serving }: HostMarketPorts, trade: SignedTrade): Promise<void> {
  const { ledger, clock, node } = serving
  const { provider, consumer, amountTrm, tokensProcessed } = trade.terms
  const other = provider === node.publicKeyHex ? consumer : provider
  const reservation = ledger.reserve({
    consumer,
    provider,
    amountTrm,
    expiresAtMs: readClockMs(clock) + ADOPTED_TTL_MS,
    creditLimitTrm: SIGNED_DEBT_LIMIT_TRM,
  })
  try {
    await ledger.settle(reservation, trade, {
      // What is known of the job died with the process that ran it.
      flop: 0n,
      promptTokens: 0,
      completionTokens: Number(tokensProcessed),
      latencyMs: 0,
      consumerLabel: consumer === node.publicKeyHex ? 'This host' : `Host ${other.slice(0, 8)}`,
      ownKey: false,
      remote: true,
    })
  } catch (error) {
    ledger.void(reservation, error instanceof TiramiError ? error.code : 'INTERNAL')
    throw error
  }
}

/** Who is to blame, by what this host has seen itself; null: that is not known. */
function culpritOf({ reason, provider, consumer }: Dispute) {
  if (reason === 'not-countersigned') return { node: consumer, cause: 'not-countersigned' } as const
  return reason === 'settled-late' ? null : ({ node: provider, cause: 'word-broken' } as const)
}

/** In one record with what it takes from the culprit's reputation. */
function recordDispute({ serving }: HostMarketPorts, { unsigned: _, ...dispute }: Dispute): void {
  const event = { kind: 'mesh.disputed', atMs: readClockMs(serving.clock), ...dispute }
  const culprit = culpritOf(dispute)
  const lowered = culprit ? [serving.economy.reputation.changedBy(culprit)] : []
  try {
    serving.ledger.post([event, ...lowered]).catch((error) => process.emitWarning(`mesh: ${String(error)}`))
  } catch (error) {
    process.emitWarning(`mesh: a dispute could not be written: ${String(error)}`)
  }
}

const SavedState = z.object({
  conduct: z.array(
    z.tuple([
      z.string(),
      z.object({ points: z.number(), atMs: z.number(), bans: z.number(), bannedUntilMs: z.number() }),
    ]),
  ),
  heard: z.array(z.tuple([z.string(), z.number()])),
})

/** A missing or damaged file counts as empty: bans are lost, nothing else. */
function readState(path: string): SavedMarket | undefined {
  try {
    return SavedState.parse(JSON.parse(readSecretFile(path) ?? ''))
  } catch {
    return undefined
  }
}

function writeState(path: string, state: SavedMarket): void {
  try {
    writeFileAtomically(path, JSON.stringify(state))
  } catch (error) {
    process.emitWarning(`mesh: ${String(error)}`)
  }
}
