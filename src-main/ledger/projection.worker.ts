import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import initSqlJs from 'sql.js'
import type {
  ProjectionAnswer,
  ProjectionCall,
  ProjectionMessage,
  ProjectionResults,
  ProjectionWorkerData,
} from './projection-messages.ts'
import { ProjectionStore } from './projection-store.ts'

const SAVE_DELAY_MS = 30_000
const SAVE_AFTER_TRADES = 5_000
/** Each save writes the whole file: it waits longer the larger the file is, and what is unsaved is only time. */
const UNSAVED_PART = 1 / 20
const DIGEST_BYTES = 32

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** @returns the SQLite file without its trailing digest, or null when there is none that is intact */
function readImage(path: string): Uint8Array | null {
  try {
    const file = readFileSync(path)
    const image = file.subarray(0, Math.max(0, file.length - DIGEST_BYTES))
    return digest(image).equals(file.subarray(image.length)) ? image : null
  } catch {
    return null
  }
}

/** A crash at any moment leaves the old file or the new one. */
function writeImage(path: string, image: Uint8Array): void {
  const draft = `${path}.tmp`
  const handle = openSync(draft, 'w', 0o600)
  try {
    const bytes = Buffer.concat([image, digest(image)])
    for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(draft, path)
}

const sql = await initSqlJs()
const { path } = workerData as ProjectionWorkerData

function openStore(): ProjectionStore {
  try {
    return new ProjectionStore(sql, readImage(path))
  } catch {
    return new ProjectionStore(sql, null)
  }
}

const store = openStore()
let unsavedTrades = 0
let saveTimer: NodeJS.Timeout | null = null

function save(): null {
  if (saveTimer) clearTimeout(saveTimer)
  saveTimer = null
  if (unsavedTrades === 0) return null
  unsavedTrades = 0
  try {
    writeImage(path, store.image())
  } catch (error) {
    // The next start replays the journal instead; nothing is lost but time.
    process.emitWarning(`the ledger projection was not saved: ${String(error)}`)
  }
  return null
}

function insert(message: Extract<ProjectionMessage, { type: 'insert' }>): void {
  store.insert(message.trades)
  unsavedTrades += message.trades.length
  const enough = Math.max(SAVE_AFTER_TRADES, store.position().trades * UNSAVED_PART)
  if (unsavedTrades >= enough) save()
  else saveTimer ??= setTimeout(save, (SAVE_DELAY_MS * enough) / SAVE_AFTER_TRADES)
}

function answer(call: ProjectionCall): ProjectionResults[ProjectionCall['name']] {
  switch (call.name) {
    case 'position':
      return store.position()
    case 'reset':
      store.reset()
      return null
    case 'flush':
      return null
    case 'list':
      return store.list(call.limit, call.beforeIndex)
    case 'find':
      return store.find(call.tradeId)
    case 'remotes':
      return store.remoteOffsets(call.from, call.limit)
    case 'earnings':
      return store.earnings(call.provider, call.range, call.nowMs)
    case 'save':
      return save()
  }
}

function reply(message: ProjectionAnswer): void {
  parentPort?.postMessage(message)
}

parentPort?.on('message', (message: ProjectionMessage) => {
  // A failed insert ends the worker: the host starts another, which is brought up to date from the journal.
  if (message.type === 'insert') return insert(message)
  try {
    reply({ id: message.id, ok: true, result: answer(message.call) })
  } catch (error) {
    reply({ id: message.id, ok: false, error: String(error) })
  }
})
