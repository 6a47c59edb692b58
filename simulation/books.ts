import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type EconomyEvent,
  EconomyEventSchema,
  type EconomyState,
  GovernanceEvent,
  type GovernanceState,
  SafetyEvent,
} from '../src-main/economy/index.ts'
import { SafetyStateCodec } from '../src-main/economy/safety-state.ts'
import { type Books as HostBooks, openBooks as openHostBooks } from '../src-main/host/books.ts'
import type { Consumer, HostKeys } from '../src-main/host/keys.ts'
import {
  type Clock,
  hexFromBytes,
  type KeyPair,
  keyPairFromSeed,
  type Rng,
  sha256,
  utf8,
} from '../src-main/kernel/index.ts'
import { type JournalEvent, memoryStorage, type Storage, verifyLedger } from '../src-main/ledger/index.ts'

/** What outlives a restart of the host. */
export interface Site {
  clock: Clock
  rng: Rng
  node: KeyPair
  owner: Consumer
  /** Credit of a guest. */
  freeTierTrm: bigint
  disk: Storage
  /** Null: every start replays the whole journal. */
  snapshotEveryRecords: number | null
  segmentMaxBytes: number
}

export type Heard = EconomyEvent | GovernanceEvent | SafetyEvent

/** The host's own books, with an ear at their door. */
export interface Books extends Omit<HostBooks, 'keys' | 'earning' | 'mesh' | 'audits'> {
  /** Immutable values: whoever sees the same one again knows that nothing was journaled in between. */
  folded(): { economy: EconomyState; governance: GovernanceState; safety: unknown; access: unknown }
}

const DIRECTORY = '/ledger'

const guestKeys = new Map<string, KeyPair>()

/** A token's consumer has the same key after every restart. */
export function guestKey(tokenHash: string): KeyPair {
  const known = guestKeys.get(tokenHash)
  if (known) return known
  const made = keyPairFromSeed(sha256(utf8(`guest ${tokenHash}`)))
  if (guestKeys.size > 2_000) guestKeys.clear()
  guestKeys.set(tokenHash, made)
  return made
}

/** @param hear told every event of the economy, the votes and the safety rules that is journaled from now on */
export async function openBooks(site: Site, hear: (event: Heard) => void): Promise<Books> {
  const { ledger, safety, access, economy } = await openHostBooks({
    directory: DIRECTORY,
    clock: site.clock,
    rng: site.rng,
    storage: site.disk,
    projectionWorkerUrl: null,
    segmentMaxBytes: site.segmentMaxBytes,
    ...(site.snapshotEveryRecords === null
      ? {}
      : { foldVersion: 'simulation', snapshotEveryRecords: site.snapshotEveryRecords }),
    openKeys: () => keysOf(site),
  })
  const post = ledger.post.bind(ledger)
  ledger.post = (events, movements) => {
    const written = post(events, movements)
    for (const event of events) {
      const known = understood(event)
      if (known) hear(known)
    }
    return written
  }
  // As the host does: the reward of a trade is a record of its own, right behind it.
  ledger.onTrade(({ provider, ownKey }) => void economy.rewardTrade({ provider, ownKey }))
  const folded = () => {
    const { state, governance } = economy.observer.save()
    return { economy: state, governance, safety: safety.state(), access: access.save() }
  }
  return { ledger, safety, access, economy, folded }
}

function keysOf({ node, owner, freeTierTrm }: Site): HostKeys {
  return {
    node,
    nodeSeed: new Uint8Array(32),
    windowConsumer: owner,
    localConsumer: owner,
    apiKeyFile: '',
    isApiKey: () => false,
    guestConsumer: (tokenHash, label) => ({
      ...guestKey(tokenHash),
      label,
      ownKey: false,
      creditLimitTrm: freeTierTrm,
    }),
  }
}

function understood(event: JournalEvent): Heard | null {
  if (/^(access|earning|mesh)\./.test(event.kind)) return null
  if (event.kind.startsWith('safety.')) return SafetyEvent.parse(event)
  if (event.kind.startsWith('governance.')) return GovernanceEvent.parse(event)
  return EconomyEventSchema.parse(event)
}

const text = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)

/** Everything that follows from the journal, in one hash; balances are compared apart, account by account. */
export function stateDigest({ ledger, economy, safety, access }: Books): string {
  const { trades } = economy.observer.save()
  const state = {
    economy: economy.encodedState(),
    dealings: [[...trades.nodes], [...trades.pairs], [...trades.ownUseTrm], trades.recent, trades.trades],
    safety: z.encode(SafetyStateCodec, safety.state()),
    tokens: access.list(),
    trades: ledger.tradeCount(),
    // Nodes are not: one that only ever held something is forgotten with a hold that never reached the disk.
    tradedTrm: ledger.network().contributedTrm,
    merkle: ledger.merkleRootHex(),
    transparency: ledger.transparency(),
  }
  return hexFromBytes(sha256(utf8(JSON.stringify(state, text))))
}

/** The disk as it lies there when the process is killed: what was not written is gone. */
export async function copyOf(disk: Storage): Promise<Storage> {
  const copy = memoryStorage()
  await eachFile(disk, async (name, bytes) => {
    await (await copy.open(join(DIRECTORY, name))).write(bytes, 0)
  })
  return copy
}

async function eachFile(disk: Storage, visit: (name: string, bytes: Buffer) => Promise<void>): Promise<void> {
  for (const name of await disk.list(DIRECTORY)) {
    const file = await disk.open(join(DIRECTORY, name))
    await visit(name, await file.read(0, await file.size()))
  }
}

/** The offline verifier, which reads real files. @returns what is wrong, or null */
export async function verifyDisk(disk: Storage): Promise<string | null> {
  const directory = await mkdtemp(join(tmpdir(), 'tirami-simulation-'))
  try {
    await eachFile(disk, (name, bytes) => writeFile(join(directory, name), bytes))
    const { ok, sumTrm, badTrades } = await verifyLedger(directory)
    if (ok) return null
    return `the ledger does not verify: ${badTrades.length} bad trades, accounts add up to ${sumTrm} TRM`
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
