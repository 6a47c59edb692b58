import { z } from 'zod'
import {
  SentinelCode,
  SentinelLevel,
  type TelemetryKind,
  ThermostatCode,
} from '../../src-preload/contract/index.ts'

const Count = z.number().int().nonnegative()
const Amount = z.number().nonnegative()
/** Names that programs give: never text that a person or a model wrote. */
const Name = z.string().regex(/^[\w.:/@+-]{1,128}$/)
/** Whole numbers that JSON numbers may not hold. */
const Digits = z.string().regex(/^\d{1,40}$/)
const Sentence = z.string().max(320)
/** What a sentence mentions: figures, and nothing that anybody wrote. */
const Params = z.record(
  z.string().regex(/^\w{1,32}$/),
  z.union([z.number(), z.string().regex(/^[\d.∞]{1,24}$/)]),
)
const Scalar = z.union([z.boolean(), z.number(), z.string().max(64), z.null()])

const Hash = z.string().regex(/^[0-9a-f]{64}$/)

/** Null: not known, or not yet. */
const energy = {
  energy_j: Amount.nullable(),
  energy_source: z.enum(['measured', 'declared']).nullable(),
  /** In the owner's currency. */
  cost: Amount.nullable(),
}

const Strategy = z.strictObject({
  attempts: Count,
  conversions: Count,
  conversion_rate: z.number().min(0).max(1),
  total_cost: Amount,
  gmv: Amount,
  profit: z.number(),
  roi: z.number().nullable(),
})

/**
 * What each event carries, and nothing else: there is no field that a prompt, an answer, a key or a token could be in.
 * Names and fields are those of spec/recursion.md §1.8, with ours added.
 */
export const payloads = {
  JobServed: z.strictObject({
    trade_id: Hash.nullable(),
    model: Name.nullable(),
    ok: z.boolean(),
    own_key: z.boolean(),
    latency_ms: Amount,
    depth: Count,
    flop: Digits,
    amount_trm: Digits,
    /** In the owner's currency; null where no price is set. */
    value: Amount.nullable(),
    ...energy,
  }),
  /** The energy of a job whose measurement took longer than the job. */
  JobEnergy: z.strictObject({ trade_id: Hash, ...energy }),
  TRMInference: z.strictObject({
    task: Name,
    /** Who chose how deep to think: the host, or the request with an effort or a number of steps. */
    effort: z.enum(['host', 'low', 'medium', 'high', 'full', 'steps']),
    cycles: Count,
    steps: Count,
    /** Steps of the noisy council; 0 where it was not called. */
    council_steps: Count,
    halted: z.boolean(),
    halt_probs: z.array(z.number().min(0).max(1)).max(2048),
    success: z.boolean().nullable(),
  }),
  SentinelStatus: z.strictObject({
    level: SentinelLevel,
    healthy: z.boolean(),
    paused: z.boolean(),
    reason: Sentence.nullable(),
    code: SentinelCode,
    params: Params,
    roi: z.number().nullable(),
    /** Electricity cost of this UTC day. */
    total_cost: Amount,
  }),
  ThermostatUpdate: z.strictObject({
    roi: z.number().nullable(),
    inner_cycles: Count,
    outer_steps: Count,
    halt_threshold: z.number().min(0).max(1),
    concurrency: Count,
    sentence: Sentence,
    code: ThermostatCode.nullable(),
    params: Params,
  }),
  SimulationSummary: z.strictObject({ simulation: Name, strategies: z.record(Name, Strategy) }),
  OwnerAction: z.strictObject({
    action: z.enum(['set', 'file-refused', 'sentinel-resumed']),
    source: z.enum(['window', 'api', 'file']),
    key: Name.nullable(),
    old: Scalar,
    new: Scalar,
    /** Of a refused file. */
    line: Count.nullable(),
  }),
  /** The oldest events were dropped, for the owner keeps no more: the chain goes on behind `last_hash`. */
  TelemetryDropped: z.strictObject({
    reason: z.enum(['bytes', 'days']),
    files: Count,
    bytes: Count,
    through_seq: Count,
    last_hash: Hash,
  }),
  /** Of the node's address only the host: the rest of such an address is often a key. */
  EthereumLog: z.strictObject({
    rpc_host: z.string().regex(/^[\w.:[\]-]{1,253}$/),
    contract: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
    chain_id: Count,
    record: z.strictObject({
      owner: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
      roi: z.number().nullable(),
      gmv: Amount,
    }),
  }),
} as const satisfies Record<TelemetryKind, z.ZodType>

export type TelemetryPayload<Kind extends TelemetryKind> = z.infer<(typeof payloads)[Kind]>
