import { createHash, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import {
  bytesFromHex,
  hexFromBytes,
  type KeyPair,
  keyPairFromSeed,
  type Rng,
  TiramiError,
} from '../kernel/index.ts'
import { ensurePrivateDirectory, readSecretFile, writeFileAtomically } from './files.ts'

/** Someone who pays for answers: a key pair that this machine holds for a local API key or for the window. */
export interface Consumer extends KeyPair {
  label: string
  /** The key is the owner's own: what it pays is not income. */
  ownKey: boolean
  /** How far below zero its account may go. */
  creditLimitTrm: bigint
}

export interface HostKeys {
  node: KeyPair
  /** Pays for the window's chat box. */
  windowConsumer: Consumer
  apiKeyFile: string
  /** The consumer behind a bearer token, or null. Takes the same time for every wrong token. */
  consumerForApiKey(token: string): Consumer | null
}

/** The owner's own keys may spend this much before the owner has to raise it (spec section 4: lifetime cap). */
const OWN_KEY_CREDIT_LIMIT_TRM = 1_000_000n

/**
 * Opens, or on the first start creates, the host's secrets: every file 0600, written atomically.
 * @throws TiramiError KEY_FILE_INVALID when a key file holds something else than a key
 */
export function openKeys(dataDirectory: string, rng: Rng): HostKeys {
  const keysDirectory = join(dataDirectory, 'keys')
  ensurePrivateDirectory(keysDirectory)
  const pair = (name: string) => openKeyPair(join(keysDirectory, `${name}.key`), rng)
  const own = (name: string, label: string): Consumer => ({
    ...pair(name),
    label,
    ownKey: true,
    creditLimitTrm: OWN_KEY_CREDIT_LIMIT_TRM,
  })
  const apiKeyFile = join(dataDirectory, 'api-key')
  const expected = sha256Text(openApiKey(apiKeyFile, rng))
  const apiConsumer = own('local', 'Local API key')
  return {
    node: pair('node'),
    windowConsumer: own('window', 'This window'),
    apiKeyFile,
    consumerForApiKey: (token) => (timingSafeEqual(sha256Text(token), expected) ? apiConsumer : null),
  }
}

function openKeyPair(path: string, rng: Rng): KeyPair {
  let seedHex = readSecretFile(path)
  if (seedHex === null) {
    seedHex = hexFromBytes(rng.bytes(32))
    writeFileAtomically(path, `${seedHex}\n`)
  }
  if (!/^[0-9a-f]{64}$/.test(seedHex)) throw invalidKeyFile(path)
  return keyPairFromSeed(bytesFromHex(seedHex))
}

function openApiKey(path: string, rng: Rng): string {
  let token = readSecretFile(path)
  if (token === null) {
    token = `sk-tirami-${Buffer.from(rng.bytes(32)).toString('base64url')}`
    writeFileAtomically(path, `${token}\n`)
  }
  if (!/^[\x21-\x7e]{16,256}$/.test(token)) throw invalidKeyFile(path)
  return token
}

function invalidKeyFile(path: string): TiramiError {
  return new TiramiError('KEY_FILE_INVALID', `The key file ${path} does not hold a key.`, {
    nextStep: 'Put back your backup of this file, or move it away to get a new key.',
  })
}

const sha256Text = (text: string) => createHash('sha256').update(text).digest()
