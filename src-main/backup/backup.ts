import { basename, dirname, join } from 'node:path'
import { type Clock, LATEST_MS, type Rng, readClockMs, systemRng, TiramiError } from '../kernel/index.ts'
import { exportStatement, lockDirectory, segmentNames, verifyLedger } from '../ledger/index.ts'
import {
  BackupContent,
  decodeContent,
  encodeContent,
  JOURNAL_MIB_MAX,
  KEY_NAME,
  nodeIdOf,
} from './content.ts'
import { type Disk, systemDisk } from './disk.ts'
import { open, readHeader, seal } from './envelope.ts'
import { badLedger, ledgerTooLarge, noKeys, restorePending } from './errors.ts'

/** What a backup holds, for a person. */
export interface BackupSummary {
  nodeId: string
  createdAtMs: number
  /** Names of the keys in it. */
  keys: string[]
  /** Bytes of the ledger's journal; null: the ledger is not in it. */
  journalBytes: number | null
}

/** A restore that is complete beside the data. */
export interface PendingRestore extends BackupSummary {
  /** The ledger that is there belongs to another node, or another one comes: it goes aside too. */
  ledgerAside: boolean
}

/** What a restore did. */
export interface Restored extends PendingRestore {
  /** Folder in the data directory with what was there before; null: nothing was. */
  setAside: string | null
}

const KEYS = 'keys'
const API_KEY = 'api-key'
const LEDGER = 'ledger'
/** A complete restore that is not, or only partly, in its place. Its arrival under this name is the commit. */
const PENDING = 'restore'
const SUMMARY = 'summary.json'
const KEY_SUFFIX = '.key'

export interface BackupOptions {
  dataDirectory: string
  password: string
  /** Takes the ledger's journal along. A running host is not disturbed: what it has acknowledged is read. */
  withLedger: boolean
  clock: Clock
  rng?: Rng
  /** Of scrypt; for tests. */
  costLog2?: number
}

/**
 * One encrypted text with everything that makes this node this node.
 * @throws TiramiError BACKUP_NOTHING_THERE, BACKUP_PASSWORD_SHORT, BACKUP_LEDGER_LARGE
 */
export async function createBackup(
  options: BackupOptions,
): Promise<{ text: string; summary: BackupSummary }> {
  const { dataDirectory, password, withLedger, clock, rng = systemRng, costLog2 } = options
  const disk = systemDisk
  const content = {
    ...(await readKeys(dataDirectory, disk)),
    journal: withLedger ? await readJournal(join(dataDirectory, LEDGER), disk) : null,
  }
  const about = { nodeId: nodeIdOf(content), createdAtMs: readClockMs(clock) }
  const text = await seal(encodeContent(content), password, about, {
    rng,
    ...(costLog2 === undefined ? {} : { costLog2 }),
  })
  return { text, summary: summaryOf(about, content) }
}

/** Opens a backup and says what is in it; changes nothing. @throws TiramiError BACKUP_* */
export async function verifyBackup(text: string, password: string): Promise<BackupSummary> {
  const { header, content } = await openBackup(text, password)
  return summaryOf(header, content)
}

/**
 * Puts a backup beside the data, complete and checked; it takes its place when `finishRestore` runs.
 * @throws TiramiError BACKUP_*; the data directory is as before
 */
export async function stageRestore(
  dataDirectory: string,
  { text, password }: { text: string; password: string },
  disk: Disk = systemDisk,
): Promise<PendingRestore> {
  if (await pendingRestore(dataDirectory, disk)) throw restorePending()
  const { header, content } = await openBackup(text, password)
  const ledgerAside = content.journal !== null || (await isAnothersLedger(dataDirectory, header.nodeId, disk))
  const summary = { ...summaryOf(header, content), ledgerAside }
  const draft = join(dataDirectory, `.restore-${header.nodeId.slice(0, 8)}-${process.pid}`)
  await disk.makeDirectory(dataDirectory)
  await disk.remove(draft)
  try {
    await writeDraft(draft, content, summary, disk)
    await disk.rename(draft, join(dataDirectory, PENDING))
  } catch (error) {
    await disk.remove(draft).catch(() => undefined)
    throw error
  }
  await disk.syncDirectory(dataDirectory)
  return summary
}

/** A restore that waits for the next start; null: none. */
export async function pendingRestore(
  dataDirectory: string,
  disk: Disk = systemDisk,
): Promise<PendingRestore | null> {
  const text = await disk.read(join(dataDirectory, PENDING, SUMMARY))
  return text === null ? null : (JSON.parse(text.toString('utf8')) as PendingRestore)
}

/** Takes back a restore that waits. Once it has begun to take its place it is finished, and not taken back. */
export async function cancelRestore(dataDirectory: string): Promise<void> {
  const pending = join(dataDirectory, PENDING)
  const isWhole = (await systemDisk.list(pending)).includes(KEYS)
  if (!isWhole) return
  const dropped = join(dataDirectory, `.restore-dropped-${process.pid}`)
  await systemDisk.rename(pending, dropped)
  await systemDisk.remove(dropped)
}

/**
 * Moves a staged restore into its place and what was there aside. Cut off anywhere, the next call goes on where it
 * stopped. The caller has locked the ledger's directory.
 */
export async function finishRestore(
  dataDirectory: string,
  disk: Disk = systemDisk,
): Promise<Restored | null> {
  const summary = await pendingRestore(dataDirectory, disk)
  if (summary === null) return null
  const pending = join(dataDirectory, PENDING)
  const asideName = `before-restore-${new Date(summary.createdAtMs).toISOString().slice(0, 10)}-${summary.nodeId.slice(0, 8)}`
  const aside = join(dataDirectory, await freeName(dataDirectory, asideName, pending, disk))
  await disk.makeDirectory(aside)
  for (const name of [KEYS, API_KEY]) {
    await swap({ from: join(pending, name), to: join(dataDirectory, name), aside: join(aside, name) }, disk)
  }
  if (summary.ledgerAside) await swapLedger(pending, dataDirectory, aside, disk)
  await disk.syncDirectory(dataDirectory)
  const kept = await disk.list(aside)
  if (kept.length === 0) await disk.remove(aside)
  await disk.remove(pending)
  await disk.syncDirectory(dataDirectory)
  return { ...summary, setAside: kept.length === 0 ? null : aside }
}

/**
 * Restores at once, for a directory that no host runs on.
 * @throws TiramiError BACKUP_*, LEDGER_LOCKED (503) while a host runs there
 */
export async function restoreBackup(
  dataDirectory: string,
  backup: { text: string; password: string },
): Promise<Restored> {
  return underLock(dataDirectory, async () => {
    // One that was cut off goes first: it may have moved the keys already.
    await finishRestore(dataDirectory)
    const summary = await stageRestore(dataDirectory, backup)
    const restored = await finishRestore(dataDirectory)
    return restored ?? { ...summary, setAside: null }
  })
}

/** Finishes a restore that was staged or cut off. Nearly free where there is none. */
export async function finishPendingRestore(dataDirectory: string): Promise<Restored | null> {
  if ((await pendingRestore(dataDirectory)) === null) return null
  return underLock(dataDirectory, () => finishRestore(dataDirectory))
}

async function underLock<Value>(dataDirectory: string, action: () => Promise<Value>): Promise<Value> {
  const ledger = join(dataDirectory, LEDGER)
  await systemDisk.makeDirectory(ledger)
  const unlock = await lockDirectory(ledger)
  try {
    return await action()
  } finally {
    await unlock()
  }
}

async function openBackup(text: string, password: string) {
  readHeader(text)
  const { header, content } = await open(text, password)
  return { header, content: decodeContent(content, header.nodeId) }
}

function summaryOf(
  { nodeId, createdAtMs }: Pick<BackupSummary, 'nodeId' | 'createdAtMs'>,
  { keys, journal }: BackupContent,
): BackupSummary {
  return {
    nodeId,
    createdAtMs,
    keys: Object.keys(keys).sort(),
    journalBytes: journal?.reduce((sum, { base64 }) => sum + Buffer.byteLength(base64, 'base64'), 0) ?? null,
  }
}

async function readKeys(dataDirectory: string, disk: Disk): Promise<Pick<BackupContent, 'keys' | 'apiKey'>> {
  const directory = join(dataDirectory, KEYS)
  const keys: Record<string, string> = {}
  for (const fileName of await disk.list(directory)) {
    const name = fileName.slice(0, -KEY_SUFFIX.length)
    if (!fileName.endsWith(KEY_SUFFIX) || !KEY_NAME.test(name)) continue
    keys[name] = String(await disk.read(join(directory, fileName))).trim()
  }
  const apiKey = String((await disk.read(join(dataDirectory, API_KEY))) ?? '').trim()
  const parsed = BackupContent.safeParse({ keys, apiKey, journal: null })
  if (!parsed.success) throw noKeys()
  return { keys, apiKey }
}

async function readJournal(directory: string, disk: Disk): Promise<NonNullable<BackupContent['journal']>> {
  const journal: NonNullable<BackupContent['journal']> = []
  let bytes = 0
  for (const name of segmentNames(await disk.list(directory))) {
    const content = (await disk.read(join(directory, name))) ?? Buffer.alloc(0)
    bytes += content.length
    if (bytes > JOURNAL_MIB_MAX * 2 ** 20) throw ledgerTooLarge(JOURNAL_MIB_MAX)
    journal.push({ name, base64: content.toString('base64') })
  }
  if (journal.length === 0) throw noKeys()
  return journal
}

async function writeDraft(
  draft: string,
  { keys, apiKey, journal }: BackupContent,
  summary: PendingRestore,
  disk: Disk,
): Promise<void> {
  await disk.makeDirectory(join(draft, KEYS))
  for (const [name, key] of Object.entries(keys)) {
    await disk.writeFile(join(draft, KEYS, `${name}${KEY_SUFFIX}`), `${key}\n`)
  }
  await disk.writeFile(join(draft, API_KEY), `${apiKey}\n`)
  if (journal) {
    const ledger = join(draft, LEDGER)
    await disk.makeDirectory(ledger)
    for (const { name, base64 } of journal) {
      await disk.writeFile(join(ledger, name), Buffer.from(base64, 'base64'))
    }
    await checkLedger(ledger)
    await disk.syncDirectory(ledger)
  }
  await disk.writeFile(join(draft, SUMMARY), JSON.stringify(summary))
  await disk.syncDirectory(join(draft, KEYS))
  await disk.syncDirectory(draft)
}

async function checkLedger(directory: string): Promise<void> {
  try {
    if ((await verifyLedger(directory)).ok) return
  } catch (error) {
    throw badLedger(error instanceof TiramiError ? error : undefined)
  }
  throw badLedger()
}

/** Moves `to` aside and `from` in its place; what was done before a crash is not done again. */
async function swap(paths: { from: string; to: string; aside: string }, disk: Disk): Promise<void> {
  if (!(await exists(paths.from, disk))) return
  if (await exists(paths.to, disk)) await disk.rename(paths.to, paths.aside)
  await disk.rename(paths.from, paths.to)
}

/** File by file: the folder holds this process's lock. */
async function swapLedger(pending: string, data: string, aside: string, disk: Disk): Promise<void> {
  const from = join(pending, LEDGER)
  const to = join(data, LEDGER)
  await disk.makeDirectory(to)
  await disk.makeDirectory(join(aside, LEDGER))
  const done = join(pending, 'ledger-set-aside')
  if (!(await disk.read(done))) {
    for (const name of await disk.list(to)) {
      if (!name.startsWith('lock')) await disk.rename(join(to, name), join(aside, LEDGER, name))
    }
    await disk.syncDirectory(to)
    await disk.writeFile(done, 'yes')
  }
  for (const name of await disk.list(from)) await disk.rename(join(from, name), join(to, name))
  await disk.syncDirectory(to)
}

/** The name that an interrupted restore chose, or one that is free. */
async function freeName(data: string, wanted: string, pending: string, disk: Disk): Promise<string> {
  const note = join(pending, 'aside')
  const chosen = await disk.read(note)
  if (chosen !== null && chosen.length > 0) return chosen.toString('utf8')
  const taken = await disk.list(data)
  let name = wanted
  for (let copy = 2; taken.includes(name); copy++) name = `${wanted}-${copy}`
  await disk.remove(note)
  await disk.writeFile(note, name)
  return name
}

async function exists(path: string, disk: Disk): Promise<boolean> {
  return (await disk.list(dirname(path))).includes(basename(path))
}

/** Whether the node whose key comes back has no part in the ledger that is there. */
async function isAnothersLedger(dataDirectory: string, nodeId: string, disk: Disk): Promise<boolean> {
  const node = String((await disk.read(join(dataDirectory, KEYS, `node${KEY_SUFFIX}`))) ?? '').trim()
  // Without a key, or with the one that comes back, nobody else has written there.
  if (!/^[0-9a-f]{64}$/.test(node) || nodeIdOf({ keys: { node } }) === nodeId) return false
  try {
    const { nodes } = await exportStatement(join(dataDirectory, LEDGER), { nowMs: LATEST_MS })
    return nodes.every((line) => line.nodeId !== nodeId)
  } catch {
    // What cannot be read stays where it is: the start says what is wrong with it.
    return false
  }
}
