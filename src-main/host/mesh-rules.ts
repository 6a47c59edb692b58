import { z } from 'zod'
import { hexFromBytes } from '../kernel/index.ts'
import {
  canonicalTradeBytes,
  type JournalEvent,
  type ObservedTrade,
  type SignedTrade,
  type TradeTerms,
  TransparencyTree,
  tradeLeafHash,
} from '../ledger/index.ts'
import { jobKey } from '../market/index.ts'

const Hex = z.string().regex(/^([0-9a-f]{2})*$/)
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)

const Disputed = z.strictObject({
  kind: z.literal('mesh.disputed'),
  atMs: z.number().int().nonnegative(),
  provider: NodeId,
  consumer: NodeId,
  nonce: Hex,
  model: z.string().max(64),
  reason: z.enum(['price-above-signed', 'bill-wrong', 'not-countersigned', 'settled-late', 'two-histories']),
  sentence: z.string().max(512),
  evidence: z.array(z.strictObject({ what: z.string().max(64), hex: Hex })).max(8),
})
export type Disputed = z.output<typeof Disputed>

/** A guest's key whose questions may, or may no longer, be answered by other hosts. */
const KeyAllowed = z.strictObject({
  kind: z.literal('mesh.key-allowed'),
  atMs: z.number().int().nonnegative(),
  consumer: NodeId,
  allowed: z.boolean(),
})

const MeshEvent = z.discriminatedUnion('kind', [Disputed, KeyAllowed])

const DISPUTES_KEPT = 1_000

export interface SavedMesh {
  trades: SignedTrade[]
  disputes: Disputed[]
  allowed: string[]
}

/** What the journal says about other hosts: trades with them, disputes, and whose questions may leave this machine. */
export interface MeshRules {
  observe(event: JournalEvent): void
  trade(trade: ObservedTrade): void
  save(): SavedMesh
  restore(saved: SavedMesh): void
  /** Number of trades with other hosts, and the RFC 6962 root over their signed bytes in the order of booking. */
  head(): { size: number; rootHex: string }
  page(from: number, limit: number): SignedTrade[]
  /** Id of the trade as which a job is booked, at whatever amount; null: it is not. */
  bookedAs(terms: Pick<TradeTerms, 'provider' | 'nonce'>): string | null
  /** Number of trades with one other host. */
  tradesWith(nodeId: string): number
  /** Newest first. */
  latest(limit: number): SignedTrade[]
  /** Newest first. */
  disputes(): Disputed[]
  /** Accounts of guests' keys. */
  allowed(): string[]
  isAllowed(consumer: string): boolean
  /** @param listener hears of trades as they are booked */
  onTrade(listener: (trade: SignedTrade) => void): void
}

export function createMeshRules(): MeshRules {
  let trades: SignedTrade[] = []
  let disputes: Disputed[] = []
  let tree = new TransparencyTree()
  const jobs = new Map<string, string>()
  /** Trades by either party: this host's own number is all of them. */
  const byParty = new Map<string, number>()
  const allowed = new Set<string>()
  let listener: (trade: SignedTrade) => void = () => undefined
  const note = (trade: SignedTrade): void => {
    trades.push(trade)
    tree.append(canonicalTradeBytes(trade.terms))
    jobs.set(jobKey(trade.terms), hexFromBytes(tradeLeafHash(trade.terms)))
    const { provider, consumer } = trade.terms
    for (const party of [provider, consumer]) byParty.set(party, (byParty.get(party) ?? 0) + 1)
  }
  return {
    observe: (event) => {
      if (!event.kind.startsWith('mesh.')) return
      const parsed = MeshEvent.parse(event)
      if (parsed.kind === 'mesh.disputed') disputes = [parsed, ...disputes].slice(0, DISPUTES_KEPT)
      else if (parsed.allowed) allowed.add(parsed.consumer)
      else allowed.delete(parsed.consumer)
    },
    trade: ({ remote }) => {
      if (!remote) return
      note(remote)
      listener(remote)
    },
    save: () => ({ trades: [...trades], disputes: [...disputes], allowed: [...allowed] }),
    restore: (saved) => {
      trades = []
      tree = new TransparencyTree()
      byParty.clear()
      for (const trade of saved.trades) note(trade)
      disputes = [...saved.disputes]
      for (const consumer of saved.allowed) allowed.add(consumer)
    },
    head: () => ({ size: tree.size, rootHex: hexFromBytes(tree.root()) }),
    page: (from, limit) => trades.slice(from, from + limit),
    bookedAs: (terms) => jobs.get(jobKey(terms)) ?? null,
    tradesWith: (nodeId) => byParty.get(nodeId) ?? 0,
    latest: (limit) => trades.slice(-limit).reverse(),
    disputes: () => disputes,
    allowed: () => [...allowed],
    isAllowed: (consumer) => allowed.has(consumer),
    onTrade: (hear) => {
      listener = hear
    },
  }
}
