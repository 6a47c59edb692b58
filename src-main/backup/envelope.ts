import { createCipheriv, createDecipheriv, createHash, scrypt } from 'node:crypto'
import { z } from 'zod'
import type { Rng } from '../kernel/index.ts'
import { damaged, notABackup, passwordTooShort, unsupportedVersion, wrongPassword } from './errors.ts'

/**
 * The backup's outer form: four lines of ASCII, each ended by LF.
 *
 *     tirami-host-backup 1
 *     {"nodeId":…,"createdAtMs":…,"kdf":{…},"cipher":{…}}
 *     base64url(ciphertext ‖ tag 16)
 *     sha256 HEX                              of all bytes before this line
 *
 * Key: scrypt (RFC 7914) of the password in NFKC. Cipher: AES-256-GCM, whose additional data are the first two lines,
 * so the header is authenticated too. The last line needs no password and tells damage from a wrong password.
 */
const MAGIC = 'tirami-host-backup'
const VERSION = 1
const KEY_BYTES = 32
const SALT_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const BLOCK_SIZE = 8
/** Memory of scrypt is 128 · N · r: 128 MiB. */
const COST_LOG2 = 17
export const PASSWORD_LENGTH_MIN = 10

const base64 = (bytes: number) =>
  z
    .string()
    .length(Math.ceil((bytes * 4) / 3))
    .regex(/^[\w-]*$/)

export const BackupHeader = z.strictObject({
  nodeId: z.string().regex(/^[0-9a-f]{64}$/),
  createdAtMs: z.number().int().nonnegative().max(253_402_300_799_999),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    /** N = 2^costLog2; a file cannot make its reader spend more than 512 MiB. */
    costLog2: z.number().int().min(14).max(19),
    blockSize: z.literal(BLOCK_SIZE),
    parallelisation: z.literal(1),
    salt: base64(SALT_BYTES),
  }),
  cipher: z.strictObject({ name: z.literal('aes-256-gcm'), nonce: base64(NONCE_BYTES) }),
})
export type BackupHeader = z.infer<typeof BackupHeader>

/** @throws TiramiError BACKUP_PASSWORD_SHORT */
export async function seal(
  content: Uint8Array,
  password: string,
  about: Pick<BackupHeader, 'nodeId' | 'createdAtMs'>,
  { rng, costLog2 = COST_LOG2 }: { rng: Rng; costLog2?: number },
): Promise<string> {
  if ([...password].length < PASSWORD_LENGTH_MIN) throw passwordTooShort(PASSWORD_LENGTH_MIN)
  const salt = rng.bytes(SALT_BYTES)
  const nonce = rng.bytes(NONCE_BYTES)
  const header: BackupHeader = {
    ...about,
    kdf: { name: 'scrypt', costLog2, blockSize: BLOCK_SIZE, parallelisation: 1, salt: encode(salt) },
    cipher: { name: 'aes-256-gcm', nonce: encode(nonce) },
  }
  const head = `${MAGIC} ${VERSION}\n${JSON.stringify(header)}\n`
  const key = await keyOf(password, header)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(head))
  const sealed = Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()])
  const body = `${head}${encode(sealed)}\n`
  return `${body}sha256 ${sha256Hex(body)}\n`
}

/** What the file says without a password: nobody vouches for it yet. @throws TiramiError BACKUP_* */
export function readHeader(text: string): BackupHeader {
  return parse(text).header
}

/** @throws TiramiError BACKUP_NOT_ONE, BACKUP_VERSION_UNKNOWN, BACKUP_DAMAGED, BACKUP_PASSWORD_WRONG */
export async function open(
  text: string,
  password: string,
): Promise<{ header: BackupHeader; content: Buffer }> {
  const { head, header, sealed } = parse(text)
  const key = await keyOf(password, header)
  const decipher = createDecipheriv('aes-256-gcm', key, decode(header.cipher.nonce), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(head))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const content = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()])
    return { header, content }
  } catch {
    throw wrongPassword()
  }
}

function parse(text: string): { head: string; header: BackupHeader; sealed: Buffer } {
  const [magic = '', headerLine = '', bodyLine = '', digestLine = '', ...rest] = text.split('\n')
  const [name, version] = magic.split(' ')
  if (name !== MAGIC) throw notABackup()
  if (version !== String(VERSION)) throw unsupportedVersion()
  if (rest.length !== 1 || rest[0] !== '') throw damaged('it is cut short, or something was added')
  const head = `${magic}\n${headerLine}\n`
  if (digestLine !== `sha256 ${sha256Hex(`${head}${bodyLine}\n`)}`) throw damaged('its checksum does not fit')
  const header = parseHeader(headerLine)
  const sealed = decode(bodyLine)
  if (sealed.length < TAG_BYTES || encode(sealed) !== bodyLine) throw damaged('its content cannot be read')
  return { head, header, sealed }
}

function parseHeader(line: string): BackupHeader {
  try {
    return BackupHeader.parse(JSON.parse(line))
  } catch {
    throw damaged('its header has values that no backup has')
  }
}

function keyOf(password: string, { kdf }: BackupHeader): Promise<Buffer> {
  const cost = 2 ** kdf.costLog2
  const options = {
    N: cost,
    r: BLOCK_SIZE,
    p: kdf.parallelisation,
    // What it needs, and a little.
    maxmem: 128 * cost * BLOCK_SIZE + 2 ** 20,
  }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), decode(kdf.salt), KEY_BYTES, options, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}

const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const decode = (text: string): Buffer => Buffer.from(text, 'base64url')
const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')
