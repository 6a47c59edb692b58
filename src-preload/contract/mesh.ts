import { z } from 'zod'
import { PublicErrorSchema } from './errors.ts'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
const Trm = z.string().regex(/^-?\d{1,40}$/)
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)

/** A model that a host offers to others. */
export const MeshOffer = z.object({
  id: z.string(),
  contextTokens: Count,
  /** The most that a prompt of 100 tokens and an answer of 1 000 cost there. */
  trmPer1000Tokens: Trm,
  demonstration: z.boolean(),
})
export type MeshOffer = z.infer<typeof MeshOffer>

/** Another host, as it describes itself and as this one has measured it. */
export const MeshPeer = z.object({
  nodeId: NodeId,
  /** An open connection now. */
  connected: z.boolean(),
  /** 0 to 1, as this host judges it. */
  reputation: z.number(),
  /** Mean time to the first token of what it answered here; null: it has answered nothing yet. */
  latencyMs: z.number().nullable(),
  lastSeenMs: TimestampMs,
  auditTier: z.enum(['unverified', 'probationary', 'established', 'trusted']),
  /** Trades with this host that both have signed. */
  verifiedTrades: Count,
  /** Times the base price of 10⁹ FLOP. */
  priceMultiplier: z.number(),
  load: z.object({ running: Count, queued: Count, slots: Count }),
  models: z.array(MeshOffer),
})
export type MeshPeer = z.infer<typeof MeshPeer>

export const MeshDispute = z.object({
  atMs: TimestampMs,
  provider: NodeId,
  consumer: NodeId,
  model: z.string(),
  reason: z.enum(['price-above-signed', 'bill-wrong', 'not-countersigned', 'settled-late', 'two-histories']),
  sentence: z.string(),
})

/** A trade between this host and another one; `trades.prove` has its signatures. */
export const MeshTrade = z.object({
  tradeId: NodeId,
  /** `sold`: this host computed. */
  role: z.enum(['sold', 'bought']),
  other: NodeId,
  model: z.string(),
  amountTrm: Trm,
  /** Of prompt and answer. */
  tokens: Count,
  atMs: TimestampMs,
})
export type MeshTrade = z.infer<typeof MeshTrade>

/** What a host has signed and told, and this one cannot act on. */
export const UncountedStatement = z.object({
  kind: z.enum(['proposal', 'vote', 'observation', 'complaint', 'audit', 'proof', 'loan']),
  /** Whoever has signed it. */
  author: NodeId,
  /** Of a proposal: what would be changed; of a vote: the digest of its proposal; null: neither. */
  subject: z.string().nullable(),
  /** Of a vote. */
  approve: z.boolean().nullable(),
  /** SCREAMING_SNAKE_CASE: of an error; kebab-case: of what is not known here yet. */
  code: z.string(),
  reason: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
})
export type UncountedStatement = z.infer<typeof UncountedStatement>

/** This host among others. */
export const MeshView = z.object({
  nodeId: NodeId,
  /** False: the mesh is off; what is left is what the ledger says. */
  enabled: z.boolean(),
  /** Where others reach it. */
  addresses: z.array(z.string()),
  /** Connected ones first, at most 1 000. */
  peers: z.array(MeshPeer),
  /** All that were heard of. */
  peersKnown: Count,
  /** Pairs of other hosts that were seen to trade with each other of late, those with the most trades first, at most 24. */
  links: z.array(z.object({ a: NodeId, b: NodeId, trades: Count })),
  standing: z.object({
    /** Models that are offered to others now; none with the reason why. */
    offered: z.array(z.string()),
    /** The same with their price; empty while nothing is offered. */
    offers: z.array(MeshOffer),
    /** Times the base price of 10⁹ FLOP. */
    priceMultiplier: z.number(),
    notOffering: PublicErrorSchema.nullable(),
    /** What strangers, guests and other hosts alike, may pay this host. */
    gate: z.object({
      /** Without a stake and without the welcome loan there is a limit; null: there is none now. */
      capTrm: Trm.nullable(),
      /** What they have paid so far. */
      earnedTrm: Trm,
      /** The least stake that takes the limit away. */
      stakeTrm: Trm,
    }),
    reputation: z.number(),
    /** Locked as surety. */
    stakedTrm: Trm,
    /** What other hosts say of this one, newest first, at most 50. */
    seenBy: z.array(z.object({ observer: NodeId, reputation: z.number(), trades: Count, atMs: TimestampMs })),
    /** Of trades with other hosts. */
    trades: Count,
    /** Trades that their provider has not confirmed yet. */
    unconfirmedTrades: Count,
    /** Owner's own keys may be answered by others. */
    sendsPrompts: z.boolean(),
    /** Accounts of guests' keys whose questions may be answered by others, too. */
    allowedKeys: z.array(NodeId),
  }),
  /** With other hosts, newest first, at most 200. */
  trades: z.array(MeshTrade),
  /** Trades between others that this host has checked, among the latest 2 000 that it heard of. */
  observedTrades: Count,
  banned: z.array(z.object({ nodeId: NodeId, untilMs: TimestampMs })),
  /** Newest first, at most 50. */
  disputes: z.array(MeshDispute),
  /** What other hosts say and this one does not count now, with the reason; newest first, at most 100. */
  uncounted: z.array(UncountedStatement),
})
export type MeshView = z.infer<typeof MeshView>

export const meshProcedures = {
  'mesh.get': { input: z.strictObject({}), output: MeshView },
  /** Whether questions of a guest's key may be answered by other hosts. Takes effect at once. */
  'mesh.allowKey': {
    input: z.strictObject({ consumer: NodeId, allowed: z.boolean() }),
    output: MeshView,
  },
} as const
