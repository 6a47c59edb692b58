import { hexFromBytes, MerkleLog } from '../kernel/index.ts'
import { statementInvalid } from './errors.ts'
import { Decimal, exactJson } from './exact-json.ts'
import { tradeLeafHash } from './trade.ts'
import type { JobFacts, SignedTrade } from './types.ts'

const DAY_MS = 86_400_000

/** Both ends belong to it; signed timestamps count, in milliseconds since the Unix epoch. */
export interface Window {
  startMs: number
  endMs: number
}

/** A trade as a statement needs it. */
export type StatementTrade = SignedTrade & {
  facts: Pick<JobFacts, 'flop' | 'ownKey' | 'remote' | 'passedOnTrm'>
}

interface NodeLine {
  nodeId: string
  grossEarnedTrm: bigint
  grossSpentTrm: bigint
  /** Part of both gross figures: paid by guests, and paid on to the hosts that answered them. */
  passedOnTrm: bigint
  netTrm: bigint
  tradeCount: number
  /** Net × reference price, exact; null without a price. */
  estimatedPayoutValue: Decimal | null
}

/** Settlement statement of spec section 1.3, with the Merkle root over the trades of the window. */
export interface Statement {
  generatedAtMs: number
  window: Window
  totalTrm: bigint
  referencePrice: Decimal | null
  /** Spec section 2.6 over `trades` in their order; null when there are none. */
  merkleRootHex: string | null
  /** By net, highest first, then by node id. */
  nodes: NodeLine[]
  /** In the order of the journal. */
  trades: StatementTrade[]
}

function instantMs(text: string): number {
  const day = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(text)?.[1]
  const [atMs, midnightMs] = [Date.parse(text), Date.parse(`${day}T00:00Z`)]
  const parsed = day !== undefined && !Number.isNaN(atMs) && !Number.isNaN(midnightMs)
  // Date.parse turns 30 February into 2 March.
  if (!parsed || !new Date(midnightMs).toISOString().startsWith(day)) {
    throw statementInvalid(`“${text}” is not a date, or a time with its zone, in ISO 8601`)
  }
  return atMs
}

/**
 * A date alone is the whole day in UTC. Without `from` the window starts at 1970, without `to` it ends at `nowMs`.
 * @throws TiramiError STATEMENT_INVALID
 */
export function parseWindow(from: string | undefined, to: string | undefined, nowMs: number): Window {
  const startMs = from === undefined ? 0 : instantMs(from)
  const wholeDay = to !== undefined && !to.includes('T')
  const endMs = to === undefined ? nowMs : instantMs(to) + (wholeDay ? DAY_MS - 1 : 0)
  if (startMs > endMs) throw statementInvalid('it would start after its end')
  return { startMs, endMs }
}

/** @throws TiramiError STATEMENT_INVALID */
export function parsePrice(text: string | undefined): Decimal | null {
  if (text === undefined) return null
  const price = Decimal.parse(text)
  if (!price) throw statementInvalid(`“${text}” is not a price`)
  return price
}

export function isWithin({ startMs, endMs }: Window, { terms }: SignedTrade): boolean {
  return terms.timestampMs >= BigInt(startMs) && terms.timestampMs <= BigInt(endMs)
}

/** @param options.trades those of the window, in the order of the journal */
export function settlementStatement(options: {
  trades: StatementTrade[]
  window: Window
  referencePrice: Decimal | null
  generatedAtMs: number
}): Statement {
  const { trades, window, referencePrice, generatedAtMs } = options
  const tree = new MerkleLog()
  const nodes = new Map<string, NodeLine>()
  let totalTrm = 0n
  const line = (nodeId: string): NodeLine => {
    const empty = { grossEarnedTrm: 0n, grossSpentTrm: 0n, passedOnTrm: 0n, netTrm: 0n, tradeCount: 0 }
    const found = nodes.get(nodeId) ?? { nodeId, ...empty, estimatedPayoutValue: null }
    nodes.set(nodeId, found)
    found.tradeCount++
    return found
  }
  for (const { terms, facts } of trades) {
    tree.append(tradeLeafHash(terms))
    totalTrm += terms.amountTrm
    line(terms.provider).grossEarnedTrm += terms.amountTrm
    const consumer = line(terms.consumer)
    consumer.grossSpentTrm += terms.amountTrm
    if (facts.remote) consumer.passedOnTrm += facts.passedOnTrm ?? 0n
  }
  for (const node of nodes.values()) {
    node.netTrm = node.grossEarnedTrm - node.grossSpentTrm
    node.estimatedPayoutValue = referencePrice?.times(node.netTrm) ?? null
  }
  return {
    generatedAtMs,
    window,
    totalTrm,
    referencePrice,
    merkleRootHex: trades.length === 0 ? null : hexFromBytes(tree.root()),
    nodes: [...nodes.values()].sort(byNetThenId),
    trades,
  }
}

function byNetThenId(left: NodeLine, right: NodeLine): number {
  if (left.netTrm !== right.netTrm) return left.netTrm > right.netTrm ? -1 : 1
  return left.nodeId < right.nodeId ? -1 : 1
}

function nodeFields(node: NodeLine) {
  return {
    node_id: node.nodeId,
    gross_earned_cu: node.grossEarnedTrm,
    gross_spent_cu: node.grossSpentTrm,
    net_cu: node.netTrm,
    trade_count: node.tradeCount,
    estimated_payout_value: node.estimatedPayoutValue,
  }
}

/** With what the signatures cover, so that whoever gets the statement can check every trade and the root. */
function tradeFields({ terms, facts, providerSignature, consumerSignature }: StatementTrade) {
  return {
    trade_id: hexFromBytes(tradeLeafHash(terms)),
    provider: terms.provider,
    consumer: terms.consumer,
    trm_amount: terms.amountTrm,
    tokens_processed: terms.tokensProcessed,
    timestamp: terms.timestampMs,
    model_id: terms.modelId,
    flops_estimated: facts.flop,
    passed_on_cu: facts.passedOnTrm ?? 0n,
    nonce: hexFromBytes(terms.nonce),
    provider_sig: hexFromBytes(providerSignature),
    consumer_sig: hexFromBytes(consumerSignature),
  }
}

/** Field names of the spec; whole numbers have all their digits, also beyond 2^53. */
export function statementJson(statement: Statement): string {
  const { merkleRootHex, window } = statement
  return `${exactJson({
    generated_at: statement.generatedAtMs,
    window_start: window.startMs,
    window_end: window.endMs,
    trade_count: statement.trades.length,
    total_trm_transferred: statement.totalTrm,
    reference_price_per_cu: statement.referencePrice,
    ...(merkleRootHex === null ? {} : { merkle_root: merkleRootHex }),
    nodes: statement.nodes.map((node) => ({ ...nodeFields(node), passed_on_cu: node.passedOnTrm })),
    trades: statement.trades.map(tradeFields),
  })}\n`
}

/** RFC 4180; one row per node. Ids and numbers only: nothing that a spreadsheet could take for a formula. */
export function statementCsv(statement: Statement): string {
  const { startMs, endMs } = statement.window
  const iso = [startMs, endMs].map((ms) => new Date(ms).toISOString())
  const rows = statement.nodes.map((node) => ({
    ...nodeFields(node),
    reference_price_per_cu: statement.referencePrice,
    window_start: iso[0],
    window_end: iso[1],
    merkle_root: statement.merkleRootHex,
    passed_on_cu: node.passedOnTrm,
  }))
  const names = Object.keys(rows[0] ?? nodeFields(NOBODY))
  const lines = rows.map((row) => Object.values(row).map((value) => value?.toString() ?? ''))
  return [names, ...lines].map((cells) => `${cells.join(',')}\r\n`).join('')
}

/** RFC 4180; one row per trade, in the order of the journal, with what the statement in JSON says of it. */
export function statementTradesCsv({ trades }: Pick<Statement, 'trades'>): string {
  const names = [...TRADE_COLUMNS, 'own_use']
  const lines = trades.map((trade) => {
    const fields = tradeFields(trade)
    return [...TRADE_COLUMNS.map((name) => fields[name].toString()), String(trade.facts.ownKey)]
  })
  return [names, ...lines].map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('')
}

const TRADE_COLUMNS = [
  'trade_id',
  'provider',
  'consumer',
  'trm_amount',
  'tokens_processed',
  'timestamp',
  'model_id',
  'flops_estimated',
  'passed_on_cu',
] as const

/** A model's name comes from others: quoted where it must be, and never a formula of a spreadsheet. */
function csvCell(text: string): string {
  const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}

const NOBODY: NodeLine = {
  nodeId: '',
  grossEarnedTrm: 0n,
  grossSpentTrm: 0n,
  passedOnTrm: 0n,
  netTrm: 0n,
  tradeCount: 0,
  estimatedPayoutValue: null,
}
