import { z } from 'zod'
import { PublicErrorSchema } from './errors.ts'

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

const Port = z.number().int().min(0).max(65_535)

/** Where the API is to listen; the port 0 picks a free one at every start. */
export const ApiChoice = z.strictObject({
  /** `127.0.0.1`: this machine only; `0.0.0.0`: every network that it is in; or one of its own IPv4 addresses. */
  address: z.ipv4(),
  port: Port,
})
export type ApiChoice = z.infer<typeof ApiChoice>

/** How this host takes part in the market of many hosts. */
export const MeshSetup = z.strictObject({
  enabled: z.boolean(),
  /** TCP port for other hosts; 0 picks a free one at every start. */
  port: Port,
  /** Who can reach it: nobody beyond this machine; hosts of the local network, which it looks for; those of the internet, too. */
  reach: z.enum(['machine', 'local', 'internet']),
  /** Addresses of hosts to begin with, each with the host's id. */
  bootstrap: z.array(z.string().trim().min(1).max(256)).max(32),
  /** Hosts of one name find each other. */
  group: z.string().regex(/^[a-z0-9-]{1,32}$/),
})
export type MeshSetup = z.infer<typeof MeshSetup>

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
    /** Where the OpenAI-compatible API listens now; empty while it does not, as in safe mode. */
    address: z.string(),
    port: Port,
    /** Only programs on this machine reach it. */
    loopbackOnly: z.boolean(),
    api: z.object({
      /** In force from the next start on. */
      chosen: ApiChoice,
      /** Given on the command line, which goes before what is chosen. */
      fixed: z.object({ address: z.boolean(), port: z.boolean() }),
      /** What can be chosen on this machine. */
      addresses: z.array(z.string()),
      /** Why it does not listen where it should. */
      problem: PublicErrorSchema.nullable(),
    }),
    mesh: z.object({
      setup: MeshSetup,
      /** Given on the command line: it cannot be changed here. */
      fixed: z.boolean(),
      on: z.boolean(),
      /** Why it is off although it should be on. */
      problem: PublicErrorSchema.nullable(),
    }),
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
  restart: z.object({
    /** Something that was chosen or restored waits for it. */
    needed: z.boolean(),
    /** False: whoever started this host has to do it. */
    possible: z.boolean(),
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
  /** Takes effect at the next start. */
  'settings.setApi': { input: ApiChoice, output: SettingsView },
  /** Takes effect at once: the host leaves the market, or joins it anew. */
  'settings.setMesh': { input: MeshSetup, output: SettingsView },
  /** Running answers get ten seconds to end; then the host starts anew, in the same place. */
  'host.restart': { input: None, output: z.object({ restarting: z.literal(true) }) },
} as const
