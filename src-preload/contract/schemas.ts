import { z } from 'zod'
import { activityProcedures } from './activity.ts'
import { AppView, appProcedures } from './app-settings.ts'
import { auditProcedures } from './audits.ts'
import { EarningReasonCode, EarningView, earningProcedures } from './earning.ts'
import { type PublicErrorData, PublicErrorSchema, ReasonParams } from './errors.ts'
import { keyProcedures } from './keys.ts'
import { Backend, HardwareInfo, SensorReading } from './machine.ts'
import { meshProcedures } from './mesh.ts'
import { meshLoanProcedures } from './mesh-loans.ts'
import { Download, modelProcedures } from './models.ts'
import { moneyProcedures } from './money.ts'
import { reasonProcedures } from './reason.ts'
import { safetyProcedures } from './safety.ts'
import { settingsProcedures } from './settings.ts'
import { stewardshipProcedures } from './stewardship.ts'
import { walletProcedures } from './wallet.ts'

/** TRM as a decimal string: JSON numbers lose precision above 2^53. */
export const TrmAmount = z.string().regex(/^-?\d{1,40}$/)
/** Floating-point operations, decimal string. */
export const FlopCount = z.string().regex(/^\d{1,40}$/)
/** Ed25519 public key or SHA-256 digest. */
export const Hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const HexBytes = z.string().regex(/^([0-9a-f]{2})*$/)
const TimestampMs = z.number().int().nonnegative()
const Count = z.number().int().nonnegative()

export const ModelInfo = z.object({
  id: z.string(),
  name: z.string(),
  fileName: z.string(),
  sizeBytes: Count,
  parameters: Count,
  contextTokens: Count,
  /** FLOP for one token at an empty context. */
  flopPerToken: FlopCount,
  /** A model too small for real work; the window says so. */
  demonstration: z.boolean(),
  license: z.string().nullable(),
  /**
   * Set when another server computes: its address, and whether its FLOP per token are what the owner declared, or
   * those of a GGUF file that he named.
   */
  upstream: z.object({ address: z.string(), flop: z.enum(['declared', 'gguf']) }).exactOptional(),
})
export type ModelInfo = z.infer<typeof ModelInfo>

export const EngineStatus = z.object({
  /** `unloaded`: idle; the next request loads the model again. */
  state: z.enum(['starting', 'ready', 'restarting', 'unloaded', 'stopped', 'failed']),
  /** What computes: `cpu` is said, never silently fallen back to. Null until the engine has reported. */
  backend: Backend.nullable(),
  deviceName: z.string().nullable(),
  threads: Count.nullable(),
  slots: Count.nullable(),
  restarts: Count,
  /** When the next start is tried, while restarting. */
  retryAtMs: TimestampMs.nullable(),
  error: PublicErrorSchema.nullable(),
})
export type EngineStatus = z.infer<typeof EngineStatus>

const ApprovalId = z.string().regex(/^[0-9a-f]{32}$/)

/** A request that costs more than its key may spend unasked, and waits for the owner. */
export const Approval = z.object({
  approvalId: ApprovalId,
  /** Account behind the key. */
  caller: Hex32,
  amountTrm: TrmAmount,
  requestedAtMs: TimestampMs,
  expiresAtMs: TimestampMs,
})
export type Approval = z.infer<typeof Approval>

/** Beside the reasons of the owner's rules those of the machinery. */
export const HostReasonCode = z.enum([
  ...EarningReasonCode.options,
  'ready',
  'ready-unloaded',
  'pausing',
  'stopping',
  'safe-mode',
  'kill-switch',
  'ledger-unwritable',
  'sentinel-red',
  'engine-starting',
  'engine-restarting',
  'engine-failed',
])
export type HostReasonCode = z.infer<typeof HostReasonCode>

export const HostStatus = z.object({
  version: z.string(),
  nodeId: Hex32,
  /** `resting`: the owner's rules, or a snooze, keep guests away; it goes on by itself. */
  state: z.enum(['starting', 'serving', 'resting', 'paused', 'draining', 'engine-down']),
  /** One sentence: why the host is, or is not, earning. */
  reason: z.string(),
  /** Says the same to a program: the window has a sentence for each, made of `reasonParams`. */
  reasonCode: HostReasonCode,
  reasonParams: ReasonParams,
  startedAtMs: TimestampMs,
  apiBaseUrl: z.string(),
  apiKeyFile: z.string(),
  model: ModelInfo.nullable(),
  engine: EngineStatus,
  /** Null until the machine has been looked at. */
  hardware: HardwareInfo.nullable(),
  jobs: z.object({ running: Count, queued: Count }),
  safety: z.object({
    /** Why everything was stopped; null while the kill switch is off. */
    killSwitch: z.string().nullable(),
    approvals: z.array(Approval),
  }),
  ledger: z.object({
    trades: Count,
    journalRecords: Count,
    journalBytes: Count,
    headHash: Hex32,
    merkleRoot: Hex32,
    /** Set when the last start cut an unfinished write off the journal's end. */
    recovery: z.object({ tornBytes: Count, savedAs: z.string() }).nullable(),
    /** False after a failed write: nothing more is sold until the host has been restarted. */
    writable: z.boolean(),
  }),
})
export type HostStatus = z.infer<typeof HostStatus>

export const Trade = z.object({
  /** SHA-256 of the signed bytes: the Merkle leaf. */
  tradeId: Hex32,
  /** Position of the trade in the log, from 0. */
  index: Count,
  provider: Hex32,
  consumer: Hex32,
  consumerLabel: z.string(),
  /** The consumer key belongs to this machine: the owner spent on himself. */
  ownKey: z.boolean(),
  amountTrm: TrmAmount,
  flop: FlopCount,
  promptTokens: Count,
  completionTokens: Count,
  latencyMs: z.number().nonnegative(),
  modelId: z.string(),
  timestampMs: TimestampMs,
  providerSigned: z.boolean(),
  consumerSigned: z.boolean(),
  /** Part of the amount that only passed through this host, which asked another one for a guest; absent: nothing. */
  passedOnTrm: TrmAmount.optional(),
})
export type Trade = z.infer<typeof Trade>

export const TradeProof = z.object({
  tradeId: Hex32,
  /** The exact bytes that both parties signed (layout v2, spec section 2.3). */
  signedBytesHex: HexBytes,
  providerSignatureHex: HexBytes,
  consumerSignatureHex: HexBytes,
  providerValid: z.boolean(),
  consumerValid: z.boolean(),
})
export type TradeProof = z.infer<typeof TradeProof>

export const EarningsRange = z.enum(['24h', '7d', '30d'])
export type EarningsRange = z.infer<typeof EarningsRange>

export const Earnings = z.object({
  range: EarningsRange,
  /** Earned since the ledger began. */
  allTimeTrm: TrmAmount,
  /** Part of `allTimeTrm` that keys on this machine paid: no income, the owner's own use. */
  allTimeOwnKeysTrm: TrmAmount,
  /** Part of what others paid that they still owe: it stands on credit that the owner gave them. */
  allTimeOnCreditTrm: TrmAmount,
  rangeTrm: TrmAmount,
  rangeOwnKeysTrm: TrmAmount,
  rangeTrades: Count,
  bucketMs: z.number().int().positive(),
  /** All buckets of the range, oldest first, empty ones included. */
  buckets: z.array(
    z.object({ startMs: TimestampMs, amountTrm: TrmAmount, ownKeysTrm: TrmAmount, trades: Count }),
  ),
})
export type Earnings = z.infer<typeof Earnings>

export const ChatMessage = z.object({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string().max(32_768),
})
export type ChatMessage = z.infer<typeof ChatMessage>

const ChatId = z.string().regex(/^[0-9a-f]{32}$/)
const None = z.strictObject({})

/** Every request the window can make: name → schema of what goes in and what comes back. */
export const procedures = {
  'status.get': { input: None, output: HostStatus },
  'host.pause': { input: None, output: HostStatus },
  'host.resume': { input: None, output: HostStatus },
  /** Stops all spending at once, running answers included; or lets it go on. */
  'safety.kill': { input: z.strictObject({ active: z.boolean() }), output: HostStatus },
  'safety.answer': {
    input: z.strictObject({ approvalId: ApprovalId, approved: z.boolean() }),
    output: HostStatus,
  },
  ...safetyProcedures,
  ...settingsProcedures,
  /** Live values, at most a second old. */
  'hardware.sensors': { input: None, output: SensorReading },
  ...modelProcedures,
  ...walletProcedures,
  ...keyProcedures,
  ...reasonProcedures,
  ...meshProcedures,
  ...meshLoanProcedures,
  ...auditProcedures,
  ...stewardshipProcedures,
  ...moneyProcedures,
  ...activityProcedures,
  ...appProcedures,
  ...earningProcedures,
  'earnings.get': { input: z.strictObject({ range: EarningsRange }), output: Earnings },
  'trades.list': {
    input: z.strictObject({ limit: z.number().int().min(1).max(200), beforeIndex: Count.optional() }),
    output: z.object({ trades: z.array(Trade), total: Count }),
  },
  'trades.prove': { input: z.strictObject({ tradeId: Hex32 }), output: TradeProof },
  'chat.start': {
    input: z.strictObject({
      messages: z.array(ChatMessage).min(1).max(64),
      maxTokens: z.number().int().min(1).max(1024).optional(),
    }),
    output: z.object({ chatId: ChatId }),
  },
  'chat.cancel': { input: z.strictObject({ chatId: ChatId }), output: None },
} as const

/** Every event the host can send: name → schema of its data. */
export const events = {
  'status.changed': HostStatus,
  'trade.booked': Trade,
  'download.changed': Download,
  /** The decision, the owner's rules, or what is known of the machine in so far as it matters to them. */
  'earning.changed': EarningView,
  /** What is installed, chosen or offered has changed: ask again. */
  'models.changed': None,
  /** Peers, prices or standing have changed: ask again. */
  'mesh.changed': None,
  'chat.delta': z.object({ chatId: ChatId, text: z.string() }),
  'chat.done': z.object({
    chatId: ChatId,
    finishReason: z.enum(['stop', 'length', 'cancelled']),
    promptTokens: Count,
    completionTokens: Count,
    amountTrm: TrmAmount,
    flop: FlopCount,
    /** Passes of the recursion that an answer took: 1 of a language model, 0 of what was stopped unbooked. */
    depth: z.number().nonnegative(),
    timeToFirstTokenMs: z.number().nonnegative(),
    latencyMs: z.number().nonnegative(),
  }),
  'chat.failed': z.object({ chatId: ChatId, error: PublicErrorSchema }),
  'app.changed': AppView,
  /** Events were left out, because the reader was too slow or away too long: everything must be asked anew. */
  resync: z.object({ missed: Count.nullable() }),
} as const

export type ProcedureName = keyof typeof procedures
export type ProcedureInput<P extends ProcedureName> = z.infer<(typeof procedures)[P]['input']>
export type ProcedureOutput<P extends ProcedureName> = z.infer<(typeof procedures)[P]['output']>
export type EventName = keyof typeof events
export type EventData<E extends EventName> = z.infer<(typeof events)[E]>
export type HostEvent = { [E in EventName]: { seq: number; name: E; data: EventData<E> } }[EventName]

export const procedureNames = Object.keys(procedures) as ProcedureName[]

export function isProcedureName(name: string): name is ProcedureName {
  return Object.hasOwn(procedures, name)
}

/** The envelope of every answer on every transport. */
export type CallResult<P extends ProcedureName = ProcedureName> =
  | { ok: true; result: ProcedureOutput<P> }
  | { ok: false; error: PublicErrorData }

/** What the window may do: over IPC in the app, over HTTP and SSE in a browser. */
export interface HostClient {
  /** Rejects with a `HostCallError`. */
  call<P extends ProcedureName>(procedure: P, input: ProcedureInput<P>): Promise<ProcedureOutput<P>>
  /** @returns a function that ends the subscription. */
  subscribe(listener: (event: HostEvent) => void): () => void
  /** Tells when the connection to the host is lost or back. @returns a function that ends it. */
  onConnection(listener: (connected: boolean) => void): () => void
}

/** What preload puts on `window.tirami`: one function per procedure, one for events, nothing else. */
export interface TiramiBridge {
  calls: { [P in ProcedureName]: (input: ProcedureInput<P>) => Promise<CallResult<P>> }
  onEvent(listener: (event: HostEvent) => void): () => void
}
