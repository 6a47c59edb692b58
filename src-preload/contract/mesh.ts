import { z } from 'zod'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
const Trm = z.string().regex(/^-?\d{1,40}$/)
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)

/** Another host, as it describes itself and as this one has measured it. */
export const MeshPeer = z.object({
  nodeId: NodeId,
  /** An open connection now. */
  connected: z.boolean(),
  /** 0 to 1, as this host judges it. */
  reputation: z.number(),
  latencyMs: z.number(),
  lastSeenMs: TimestampMs,
  auditTier: z.enum(['unverified', 'probationary', 'established', 'trusted']),
  /** Trades with this host that both have signed. */
  verifiedTrades: Count,
  /** Times the base price of 10⁹ FLOP. */
  priceMultiplier: z.number(),
  load: z.object({ running: Count, queued: Count, slots: Count }),
  models: z.array(
    z.object({
      id: z.string(),
      contextTokens: Count,
      /** The most that a prompt of 100 tokens and an answer of 1 000 cost there. */
      trmPer1000Tokens: Trm,
      demonstration: z.boolean(),
    }),
  ),
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

/** This host among others. */
export const MeshView = z.object({
  /** False: it was started without a mesh, and the rest is empty. */
  enabled: z.boolean(),
  /** Where others reach it. */
  addresses: z.array(z.string()),
  peers: z.array(MeshPeer),
  standing: z.object({
    /** Models that are offered to others now; none with the reason why. */
    offered: z.array(z.string()),
    notOffering: z.string().nullable(),
    reputation: z.number(),
    /** Of trades with other hosts. */
    trades: Count,
    /** Trades that their provider has not confirmed yet. */
    unconfirmedTrades: Count,
    /** Owner's own keys may be answered by others. */
    sendsPrompts: z.boolean(),
  }),
  /** Trades of others that this host has checked. */
  observedTrades: Count,
  banned: z.array(z.object({ nodeId: NodeId, untilMs: TimestampMs })),
  /** Newest first, at most 50. */
  disputes: z.array(MeshDispute),
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
