import { z } from 'zod'
import { PublicErrorSchema, ReasonParams } from './errors.ts'

const Count = z.number().int().nonnegative()
const TimestampMs = z.number().int().nonnegative()

/** Who said what the file's SHA-256 must be: this app, the owner, or only the server that the file came from. */
const HashOrigin = z.enum(['catalogue', 'owner', 'server'])

/** How a model fits. Stable: the window has a sentence for each. */
export const FitCode = z.enum([
  ...(['cpu', 'gpu', 'split', 'cpu-only-with', 'gpu-only-with', 'split-only-with', 'too-large'] as const),
  ...(['offered-fits', 'offered-squeezed', 'offered-too-large', 'offered-unknown'] as const),
  ...(['unusable', 'elsewhere'] as const),
])
export type FitCode = z.infer<typeof FitCode>

/** Whether a model can be loaded on this machine now. */
const Fit = z.object({
  /** `squeezed`: with fewer slots or a shorter context; `unknown`: the size is not known. */
  verdict: z.enum(['fits', 'squeezed', 'too-large', 'unknown']),
  /** By rule, not by measurement. */
  needBytes: Count.nullable(),
  /** For a person: English, and the same by code. */
  sentence: z.string(),
  code: FitCode,
  params: ReasonParams,
})

export const InstalledModel = z.object({
  id: z.string(),
  name: z.string(),
  fileName: z.string(),
  sizeBytes: Count,
  parameters: Count.nullable(),
  contextTokens: Count.nullable(),
  license: z.string().nullable(),
  /** Ships with the app. */
  embedded: z.boolean(),
  /** Null: the file is the owner's own or ships with the app; nothing was downloaded. */
  hashOrigin: HashOrigin.nullable(),
  /** Deleting it deletes its file; of a file that belongs to the owner only the entry goes. */
  owned: z.boolean(),
  /** The one that is served, or will be when the host resumes. */
  chosen: z.boolean(),
  fit: Fit,
  /** Why it cannot be used. */
  error: PublicErrorSchema.nullable(),
})
export type InstalledModel = z.infer<typeof InstalledModel>

/** A file that could be downloaded. */
export const OfferedModel = z.object({
  /** With the quantisation, such as `qwen2.5:0.5b-q4_k_m`. */
  id: z.string(),
  name: z.string(),
  publisher: z.string(),
  family: z.string(),
  quantisation: z.string(),
  license: z.string(),
  licenseUrl: z.string(),
  contextTokens: Count,
  sizeBytes: Count.nullable(),
  /** False: only the server vouches for what arrives. */
  hashPinned: z.boolean(),
  installed: z.boolean(),
  fit: Fit,
})
export type OfferedModel = z.infer<typeof OfferedModel>

export const Download = z.object({
  id: z.string(),
  modelId: z.string(),
  /** What the owner typed. */
  source: z.string(),
  state: z.enum([
    'queued',
    'running',
    'paused',
    'waiting',
    'verifying',
    'done',
    'failed',
    'quarantined',
    'cancelled',
  ]),
  waitingFor: z.enum(['network', 'disk']).nullable(),
  error: PublicErrorSchema.nullable(),
  sizeBytes: Count.nullable(),
  /** Safely on the disk. Within one `attempt` it never falls. */
  doneBytes: Count,
  attempt: Count,
  bytesPerSecond: z.number().nonnegative().nullable(),
  secondsLeft: z.number().nonnegative().nullable(),
  sha256: z.string().nullable(),
  hashOrigin: HashOrigin.nullable(),
  license: z.string().nullable(),
  createdAtMs: TimestampMs,
})
export type Download = z.infer<typeof Download>

/** A server with OpenAI's API that computes in this host's place. */
const Upstream = z.object({
  /** Where its API begins. */
  baseUrl: z.string(),
  /** As it lists it. */
  model: z.string(),
  /** Weights that one token meets, as the owner declares them; null where a file says it. */
  parameters: Count.nullable(),
  /** Answers that it is asked for at once. */
  slots: Count,
  hasKey: z.boolean(),
  flop: z.enum(['declared', 'gguf']),
})

export const ModelsView = z.object({
  /** Null: this machine computes. */
  upstream: Upstream.nullable(),
  installed: z.array(InstalledModel),
  offered: z.array(OfferedModel),
  /** Oldest first; finished ones are gone from here. */
  downloads: z.array(Download),
  disk: z.object({ installedBytes: Count, downloadingBytes: Count, freeBytes: Count }),
  settings: z.object({
    /** Minutes without a job after which the model gives its memory back; null: never. */
    idleUnloadMinutes: z.number().int().min(1).max(1440).nullable(),
    /** What the machine draws while it computes, as the owner says; used where there is no sensor. */
    declaredPowerW: z.number().positive().max(10_000).nullable(),
    downloadBytesPerSecond: z.number().int().positive().nullable(),
  }),
})
export type ModelsView = z.infer<typeof ModelsView>

const Id = z.string().min(1).max(2_200)
const ById = z.strictObject({ id: Id })

const BaseUrl = z.string().min(1).max(2_048)
/** One line, as an HTTP header carries it. */
const ApiKey = z.string().regex(/^[\x21-\x7e]{1,512}$/)

/** Every answer is the whole view, so that the window never has to guess what a command changed. */
export const modelProcedures = {
  'models.get': { input: z.strictObject({}), output: ModelsView },
  /** Serves another model; resolves when it answers. The old one is put back where the new one cannot be loaded. */
  'models.load': { input: ById, output: ModelsView },
  /** The models that another server lists. The key is used for this question only. */
  'models.listUpstream': {
    input: z.strictObject({ baseUrl: BaseUrl, apiKey: ApiKey.optional() }),
    output: z.object({ models: z.array(z.string()) }),
  },
  /**
   * Has another server compute from now on; resolves when it answers, and changes nothing where it does not. `models.load`
   * goes back to a model of this machine. A key is kept in a file of the data directory that only its owner can read.
   */
  'models.connect': {
    input: z.strictObject({
      baseUrl: BaseUrl,
      model: z.string().min(1).max(256),
      apiKey: ApiKey.optional(),
      parameters: z.number().int().positive(),
      slots: z.number().int().min(1).max(256).optional(),
    }),
    output: ModelsView,
  },
  'models.delete': { input: ById, output: ModelsView },
  /** Takes a catalogue id, `hf:owner/repo:Q4_K_M`, an https address, or the path of a local file. */
  'models.add': { input: z.strictObject({ source: z.string().min(1).max(4_096) }), output: ModelsView },
  'models.configure': {
    input: z.strictObject(ModelsView.shape.settings.shape).partial(),
    output: ModelsView,
  },
  'downloads.pause': { input: ById, output: ModelsView },
  /** Goes on with one that is paused, waiting, failed or quarantined. */
  'downloads.resume': { input: ById, output: ModelsView },
  /** Ends it and deletes what it left. */
  'downloads.cancel': { input: ById, output: ModelsView },
} as const
