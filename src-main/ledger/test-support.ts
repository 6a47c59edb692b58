import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, type KeyPair, keyPairFromSeed } from '../kernel/index.ts'
import {
  canonicalTradeBytes,
  diskStorage,
  type JobFacts,
  type Ledger,
  type OpenLedgerOptions,
  openLedger,
  type SignedTrade,
  type Storage,
  type StoredFile,
  type TradeTerms,
} from './index.ts'

export const T0 = 1_700_000_000_000
export const workerUrl = new URL('./projection.worker.ts', import.meta.url)

export const key = (seed: number): KeyPair => keyPairFromSeed(new Uint8Array(32).fill(seed))
export const PROVIDER = key(1)
export const CONSUMER = key(2)

export class ManualClock implements Clock {
  ms = T0
  nowMs(): number {
    return this.ms
  }
}

function temporaryDirectory(parent = tmpdir()): string {
  return mkdtempSync(join(parent, 'tirami-ledger-'))
}

/** Memory where there is such a file system: for tests that open a ledger thousands of times. */
export const FAST_PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export function open(
  directory: string,
  { worker, ...options }: Partial<OpenLedgerOptions> & { worker?: URL } = {},
): Promise<Ledger> {
  return openLedger({
    directory,
    clock: new ManualClock(),
    projectionWorkerUrl: worker ?? workerUrl,
    ...options,
  })
}

/** Runs `body` in a directory of its own and removes it. */
export async function withDirectory(
  body: (directory: string) => Promise<void>,
  parent?: string,
): Promise<void> {
  const directory = temporaryDirectory(parent)
  try {
    await body(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export function nonce(number: number): Uint8Array {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setUint32(0, number + 1)
  return bytes
}

export function terms(number: number, changes: Partial<TradeTerms> = {}): TradeTerms {
  return {
    provider: PROVIDER.publicKeyHex,
    consumer: CONSUMER.publicKeyHex,
    amountTrm: 10n,
    tokensProcessed: 16n,
    timestampMs: BigInt(T0),
    modelId: 'qwen2.5-0.5b',
    nonce: nonce(number),
    ...changes,
  }
}

export function signed(of: TradeTerms, provider = PROVIDER, consumer = CONSUMER): SignedTrade {
  const bytes = canonicalTradeBytes(of)
  return { terms: of, providerSignature: provider.sign(bytes), consumerSignature: consumer.sign(bytes) }
}

export const FACTS: JobFacts = {
  flop: 9_999_999_999n,
  promptTokens: 7,
  completionTokens: 9,
  latencyMs: 12.5,
  consumerLabel: 'laptop ✓',
  ownKey: false,
}

export function reserve(ledger: Ledger, amountTrm = 10n, creditLimitTrm = 1_000_000n): string {
  return ledger.reserve({
    consumer: CONSUMER.publicKeyHex,
    provider: PROVIDER.publicKeyHex,
    amountTrm,
    creditLimitTrm,
    expiresAtMs: T0 + 60_000,
  })
}

/** Reserves and settles trade number `number`. */
export async function book(ledger: Ledger, number: number, changes: Partial<TradeTerms> = {}) {
  const of = terms(number, changes)
  return ledger.settle(reserve(ledger, of.amountTrm), signed(of), FACTS)
}

export type FaultyOperation = 'write' | 'sync'

/** A disk that counts the journal's operations and breaks when told to. `journal.log` only. */
export class FaultyDisk {
  writes = 0
  syncs = 0
  /** Given the how-many-th operation it is (from 1), may throw or, for writes, return how many bytes to take. */
  fault: (operation: FaultyOperation, count: number, length: number) => number | undefined = () => undefined
  /** Slows each sync down, so that batches form. */
  syncDelayMs = 0

  readonly storage: Storage = {
    ...diskStorage,
    open: async (path) => {
      const file = await diskStorage.open(path)
      return path.endsWith('journal.log') ? this.#wrap(file) : file
    },
  }

  #wrap(file: StoredFile): StoredFile {
    return {
      read: (offset, length) => file.read(offset, length),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => file.close(),
      write: async (bytes, offset) => {
        const take = this.fault('write', ++this.writes, bytes.length) ?? bytes.length
        return file.write(bytes.subarray(0, take), offset)
      },
      sync: async () => {
        this.fault('sync', ++this.syncs, 0)
        if (this.syncDelayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.syncDelayMs))
        await file.sync()
      },
    }
  }
}

export function diskError(code: string): Error {
  return Object.assign(new Error(code), { code })
}
