import { z } from 'zod'

const Bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Who says which SHA-256 the file must have. */
export const HashOrigin = z.enum(['catalogue', 'owner', 'server'])
export type HashOrigin = z.infer<typeof HashOrigin>

/** A name that is safe as one path segment everywhere. */
export const FileName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.gguf$/)
  .refine((name) => !name.includes('..'))

/** What to download and how to know it. */
export const Target = z.strictObject({
  modelId: z.string().min(1).max(2_200),
  /** Name of the file in the models folder. */
  fileName: FileName,
  url: z.url(),
  /** What the owner typed. */
  source: z.string().max(2_200),
  sizeBytes: Bytes.nullable(),
  sha256: Sha256.nullable(),
  hashOrigin: HashOrigin.nullable(),
  license: z.string().max(200).nullable(),
  /** A host beyond the list, named by the owner. */
  extraHost: z.string().max(253).nullable(),
})
export type Target = z.infer<typeof Target>

const DownloadState = z.enum([
  'queued',
  'running',
  'paused',
  'waiting',
  'verifying',
  'done',
  'failed',
  'quarantined',
])

/** The state of one download as it lies beside its `.part` file. */
export const DownloadRecord = z
  .strictObject({
    version: z.literal(1),
    id: z.string().regex(/^[0-9a-f]{16}$/),
    createdAtMs: z.number().int().nonnegative(),
    target: Target,
    state: DownloadState,
    waitingFor: z.enum(['network', 'disk']).nullable(),
    error: z.strictObject({ code: z.string(), message: z.string(), nextStep: z.string() }).nullable(),
    /** Grows when the file has to be begun anew; within one attempt progress never falls. */
    attempt: z.number().int().positive(),
    remote: z
      .strictObject({
        sizeBytes: Bytes.nullable(),
        sha256: Sha256.nullable(),
        etag: z.string().nullable(),
        lastModified: z.string().nullable(),
      })
      .nullable(),
    parts: z.array(z.strictObject({ startByte: Bytes, endByte: Bytes, doneBytes: Bytes })).max(65_536),
  })
  .refine(({ parts }) => coversWithoutGaps(parts), 'the parts do not fit together')
export type DownloadRecord = z.infer<typeof DownloadRecord>

function coversWithoutGaps(parts: { startByte: number; endByte: number; doneBytes: number }[]): boolean {
  let end = 0
  for (const part of parts) {
    if (part.startByte !== end || part.endByte <= part.startByte) return false
    if (part.doneBytes > part.endByte - part.startByte) return false
    end = part.endByte
  }
  return true
}
