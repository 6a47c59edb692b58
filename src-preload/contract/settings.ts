import { z } from 'zod'

const Count = z.number().int().nonnegative()
const TimestampMs = Count
const NodeId = z.string().regex(/^[0-9a-f]{64}$/)

/** The first-run guide: detect, choose a model, choose hours, earn. */
export const GuideStep = z.enum(['machine', 'model', 'hours', 'earn'])
export type GuideStep = z.infer<typeof GuideStep>

export const GuideState = z.object({
  /** `open` until the owner has gone through it or skipped it. */
  state: z.enum(['open', 'done', 'skipped']),
  /** Where it goes on. */
  step: GuideStep,
})
export type GuideState = z.infer<typeof GuideState>

/** What a backup of the keys holds. */
export const BackupSummary = z.object({
  nodeId: NodeId,
  createdAtMs: TimestampMs,
  /** Names of the keys in it. */
  keys: z.array(z.string()),
  /** Bytes of the ledger's journal; null: the ledger is not in it. */
  journalBytes: Count.nullable(),
})
export type BackupSummary = z.infer<typeof BackupSummary>

export const SettingsView = z.object({
  guide: GuideState,
  storage: z.object({
    /** Absolute path on the host's machine. */
    dataDirectory: z.string(),
    journalBytes: Count,
    telemetryBytes: Count,
    modelBytes: Count,
    freeBytes: Count,
    /** The oldest telemetry that is still there; null: none. */
    telemetrySinceMs: TimestampMs.nullable(),
    /** Events that could not be kept; above zero the disk refused. */
    telemetryLost: Count,
  }),
  network: z.object({
    /** Where the OpenAI-compatible API listens. */
    address: z.string(),
    port: z.number().int().min(0).max(65_535),
    /** Only programs on this machine reach it. */
    loopbackOnly: z.boolean(),
    /** Another server that computes in this host's place; null: none. */
    upstream: z.object({ baseUrl: z.string(), model: z.string() }).nullable(),
  }),
  backup: z.object({
    /** When the owner last made one with this host; null: never. */
    lastAtMs: TimestampMs.nullable(),
    /** A restore that takes its place at the next start. */
    pending: BackupSummary.extend({ ledgerAside: z.boolean() }).nullable(),
    passwordLengthMin: Count,
  }),
})
export type SettingsView = z.infer<typeof SettingsView>

/** Of a file with keys alone: what carries a ledger is restored with `npm run keys`. */
const BackupText = z.string().min(1).max(200_000)
const Password = z.string().min(1).max(1_024)
const None = z.strictObject({})

export const settingsProcedures = {
  'settings.get': { input: None, output: SettingsView },
  'settings.guide': { input: GuideState, output: SettingsView },
  /** The text of `owner.yaml` as it stands on the disk, good or not. */
  'settings.ownerFile': { input: None, output: z.object({ path: z.string(), text: z.string() }) },
  /** One encrypted file with every key of this host. */
  'backup.create': {
    input: z.strictObject({ password: Password }),
    output: SettingsView.extend({ fileName: z.string(), text: z.string() }),
  },
  /** Opens a backup and says what is in it; changes nothing. */
  'backup.verify': { input: z.strictObject({ text: BackupText, password: Password }), output: BackupSummary },
  /** Puts a backup beside the data; it takes its place when the host starts again. */
  'backup.restore': { input: z.strictObject({ text: BackupText, password: Password }), output: SettingsView },
  'backup.cancelRestore': { input: None, output: SettingsView },
} as const
