import { z } from 'zod'
import { hexFromBytes } from '../kernel/index.ts'
import {
  canonicalTradeBytes,
  type JournalEvent,
  type ObservedTrade,
  type SignedTrade,
  type TradeTerms,
  TransparencyRoot,
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
/** Trades with other hosts that are at hand; the ledger has all of them. */
export const RECENT_TRADES = 4_096

export interface SavedMesh {
  /** The latest, and the root over all. */
  recent: SignedTrade[]
  root: ReturnType<TransparencyRoot['save']>
  parties: [nodeId: string, trades: number][]
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
  /** Of the trades that are at hand: empty for older ones. */
  page(from: number, limit: number): SignedTrade[]
  /** Id of the trade as which a job is booked, at whatever amount; null: it is not, or longer ago than what is at hand. */
  bookedAs(terms: Pick<TradeTerms, 'provider' | 'nonce'>): string | null
  /** Number of trades with one other host. */
  tradesWith(nodeId: string): number
  /** Hosts that `self`, which keeps these books, has traded with; most recently first. */
  partners(self: string): string[]
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
  let recent: SignedTrade[] = []
  let disputes: Disputed[] = []
  let root = new TransparencyRoot()
  const jobs = new Map<string, string>()
  /** Trades by either party: this host's own number is all of them. */
  const byParty = new Map<string, number>()
  const allowed = new Set<string>()
  let listener: (trade: SignedTrade) => void = () => undefined
  const keep = (trade: SignedTrade): void => {
    recent.push(trade)
    jobs.set(jobKey(trade.terms), hexFromBytes(tradeLeafHash(trade.terms)))
    // Cut in batches: shifting one by one moves all of them each time.
    if (recent.length < 2 * RECENT_TRADES) return
    for (const { terms } of recent.slice(0, -RECENT_TRADES)) jobs.delete(jobKey(terms))
    recent = recent.slice(-RECENT_TRADES)
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
      root.append(canonicalTradeBytes(remote.terms))
      keep(remote)
      const { provider, consumer } = remote.terms
      for (const party of [provider, consumer]) {
        const count = (byParty.get(party) ?? 0) + 1
        byParty.delete(party)
        byParty.set(party, count)
      }
      listener(remote)
    },
    save: () => ({
      recent: [...recent],
      root: root.save(),
      parties: [...byParty],
      disputes: [...disputes],
      allowed: [...allowed],
    }),
    restore: (saved) => {
      recent = []
      root = TransparencyRoot.restore(saved.root)
      for (const trade of saved.recent) keep(trade)
      byParty.clear()
      for (const [party, count] of saved.parties) byParty.set(party, count)
      disputes = [...saved.disputes]
      for (const consumer of saved.allowed) allowed.add(consumer)
    },
    head: () => ({ size: root.size, rootHex: hexFromBytes(root.root()) }),
    page: (from, limit) => {
      const first = root.size - recent.length
      return from < first ? [] : recent.slice(from - first, from - first + limit)
    },
    bookedAs: (terms) => jobs.get(jobKey(terms)) ?? null,
    tradesWith: (nodeId) => byParty.get(nodeId) ?? 0,
    partners: (self) => [...byParty.keys()].filter((party) => party !== self).reverse(),
    latest: (limit) => recent.slice(-limit).reverse(),
    disputes: () => disputes,
    allowed: () => [...allowed],
    isAllowed: (consumer) => allowed.has(consumer),
    onTrade: (hear) => {
      listener = hear
    },
  }
}
