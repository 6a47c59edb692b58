import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { bytesFromHex, keyPairFromSeed } from '../kernel/index.ts'
import { damaged } from './errors.ts'

/** The journal that fits into one backup. */
export const JOURNAL_MIB_MAX = 128
/** Of JSON with the journal in base64. */
const CONTENT_BYTES_MAX = 2 * JOURNAL_MIB_MAX * 2 ** 20
/** Of the file, whose content is compressed and in base64 again. */
export const BACKUP_BYTES_MAX = CONTENT_BYTES_MAX

/** Names of key files without `.key`; the three that every host has are required. */
export const KEY_NAME = /^[a-z][a-z0-9-]{0,31}$/
const Seed = z.string().regex(/^[0-9a-f]{64}$/)
const SEGMENT_NAME = /^journal(-\d{16})?\.log$/

/** What is in a backup, once it is opened. */
export const BackupContent = z
  .strictObject({
    /** Key files of the data directory by name; `node` is the node itself. */
    keys: z
      .record(z.string().regex(KEY_NAME), z.string().regex(/^[\x21-\x7e]{1,4096}$/))
      .refine((keys) => Object.keys(keys).length <= 32, 'too many keys'),
    /** The bearer key of the api-key file. */
    apiKey: z.string().regex(/^[\x21-\x7e]{16,256}$/),
    /** The ledger's journal, file by file, in its order; null: not in this backup. */
    journal: z
      .array(
        z.strictObject({ name: z.string().regex(SEGMENT_NAME), base64: z.string().regex(/^[\w+/]*=*$/) }),
      )
      .min(1)
      .max(10_000)
      .nullable(),
  })
  .superRefine(({ keys }, context) => {
    for (const name of ['node', 'window', 'local']) {
      if (!Seed.safeParse(keys[name]).success) {
        context.addIssue({ code: 'custom', path: ['keys', name], message: 'missing or no key' })
      }
    }
  })
export type BackupContent = z.infer<typeof BackupContent>

export const encodeContent = (content: BackupContent): Uint8Array => gzipSync(JSON.stringify(content))

/** @throws TiramiError BACKUP_DAMAGED also for what somebody with the password made up */
export function decodeContent(bytes: Uint8Array, nodeId: string): BackupContent {
  const content = parseContent(bytes)
  if (nodeIdOf(content) !== nodeId) throw damaged('it names another node than its key')
  return content
}

function parseContent(bytes: Uint8Array): BackupContent {
  try {
    const text = gunzipSync(bytes, { maxOutputLength: CONTENT_BYTES_MAX }).toString('utf8')
    return BackupContent.parse(JSON.parse(text))
  } catch {
    throw damaged('its content is not what a backup holds')
  }
}

/** Public key of the node, hex. */
export const nodeIdOf = ({ keys }: Pick<BackupContent, 'keys'>): string =>
  keyPairFromSeed(bytesFromHex(keys.node ?? '')).publicKeyHex
