import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
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
  /** 32 bytes: libp2p signs with the node's key by itself. */
  nodeSeed: Uint8Array
  /** Pays for the window's chat box. */
  windowConsumer: Consumer
  apiKeyFile: string
  /** Pays for what the key in the api-key file asks. */
  localConsumer: Consumer
  /** Whether a bearer token is the key in the api-key file. Takes the same time for every wrong token. */
  isApiKey(token: string): boolean
  /** The key pair that this host holds for a token it issued: always the same one for the same token. */
  guestConsumer(tokenHash: string, label: string): Consumer
}

/** The owner's own keys may spend this much before the owner has to raise it (spec section 4: lifetime cap). */
export const OWN_KEY_CREDIT_LIMIT_TRM = 1_000_000n
/** What a stranger may spend before he has earned (spec section 2.1). */
export const FREE_TIER_TRM = 1_000n

/**
 * Opens, or on the first start creates, the host's secrets: every file 0600, written atomically.
 * @throws TiramiError KEY_FILE_INVALID when a key file holds something else than a key
 */
export function openKeys(dataDirectory: string, rng: Rng): HostKeys {
  const keysDirectory = join(dataDirectory, 'keys')
  ensurePrivateDirectory(keysDirectory)
  const seed = (name: string) => openSeed(join(keysDirectory, `${name}.key`), rng)
  const nodeSeed = seed('node')
  const own = (name: string, label: string): Consumer => ({
    ...keyPairFromSeed(seed(name)),
    label,
    ownKey: true,
    creditLimitTrm: OWN_KEY_CREDIT_LIMIT_TRM,
  })
  const apiKeyFile = join(dataDirectory, 'api-key')
  const expected = sha256Text(openApiKey(apiKeyFile, rng))
  return {
    node: keyPairFromSeed(nodeSeed),
    nodeSeed,
    windowConsumer: own('window', 'This window'),
    apiKeyFile,
    localConsumer: own('local', 'Local API key'),
    isApiKey: (token) => timingSafeEqual(sha256Text(token), expected),
    guestConsumer: (tokenHash, label) => ({
      ...keyPairFromSeed(createHmac('sha256', nodeSeed).update(`token consumer ${tokenHash}`).digest()),
      label: label || `Token ${tokenHash.slice(0, 8)}`,
      ownKey: false,
      creditLimitTrm: FREE_TIER_TRM,
    }),
  }
}

function openSeed(path: string, rng: Rng): Uint8Array {
  let seedHex = readSecretFile(path)
  if (seedHex === null) {
    seedHex = hexFromBytes(rng.bytes(32))
    writeFileAtomically(path, `${seedHex}\n`)
  }
  if (!/^[0-9a-f]{64}$/.test(seedHex)) throw invalidKeyFile(path)
  return bytesFromHex(seedHex)
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
