import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Clock, type Rng, TiramiError } from '../../kernel/index.ts'
import { readGgufModel } from '../gguf.ts'
import type { Library } from '../library.ts'
import type { Disk } from './disk.ts'
import {
  confused,
  DiskFull,
  hashChanged,
  hashMismatch,
  hashUnknown,
  keepsChanging,
  RangeIgnored,
  RemoteChanged,
  sizeUnknown,
  sizeWrong,
  tooLarge,
} from './errors.ts'
import { sha256OfFile } from './hash.ts'
import type { Net } from './net.ts'
import type { DownloadRecord, Target } from './record.ts'
import {
  type ByteRange,
  HUB_POLICY,
  openRange,
  type RemoteAnswer,
  type RemoteFile,
  type RemotePolicy,
} from './remote.ts'
import type { Throttle } from './throttle.ts'
import { doneBytes, persist, planParts, type Sleep, type TransferLimits, transfer } from './transfer.ts'

/** One download, as it is carried out. */
export interface JobAccess {
  readonly record: DownloadRecord
  readonly partPath: string
  /** Makes a change durable, then visible in `record`. */
  save(change: Partial<DownloadRecord>): Promise<void>
  received(bytes: number): void
}

export interface RunPorts {
  library: Library
  net: Net
  disk: Disk
  clock: Clock
  rng: Rng
  sleep: Sleep
  throttle: Throttle
}

export interface RunLimits extends TransferLimits {
  /** How often a file may change under a download before it gives up. */
  restarts: number
  /** Room that is left to others on the disk. */
  keepFreeBytes: number
  maxFileBytes: number
}

/** The file was fetched whole and is not what it should be. */
export class Unfit extends Error {
  readonly reason: TiramiError

  constructor(reason: TiramiError) {
    super(reason.message)
    this.reason = reason
  }
}

type Context = RunPorts & { limits: RunLimits; signal: AbortSignal }

/**
 * Carries a download from where its record stands to an installed model.
 * @throws the signal's reason, DiskFull, Unfit, TiramiError, or what the system says of the disk
 */
export async function runDownload(job: JobAccess, context: Context): Promise<void> {
  await job.save({ state: 'running', waitingFor: null, error: null })
  await dropLostProgress(job, context)
  for (let restarts = 0; !isComplete(job.record); restarts++) {
    if (restarts > context.limits.restarts) throw keepsChanging()
    try {
      await fetchFile(job, context)
    } catch (error) {
      if (error instanceof RangeIgnored) await startOverInOneStream(job, context)
      else if (error instanceof RemoteChanged) await startOver(job)
      else throw error
    }
  }
  await verify(job, context)
}

/** A state file that tells of bytes which the part file does not hold is not believed. */
async function dropLostProgress(job: JobAccess, { library }: Context): Promise<void> {
  const { parts, target, attempt } = job.record
  const reach = parts.reduce((end, part) => (part.doneBytes > 0 ? part.startByte + part.doneBytes : end), 0)
  if (reach === 0 || (await sizeOf(job.partPath)) >= reach) return
  if (isComplete(job.record) && (await library.has(target.modelId))) return
  await job.save({ parts: [], remote: null, attempt: attempt + 1 })
}

async function startOver(job: JobAccess): Promise<void> {
  const { target, parts, attempt } = job.record
  // A hash that only the server vouched for goes with the file that it described.
  const unknown = { ...target, sha256: null, hashOrigin: null, sizeBytes: null }
  await job.save({
    parts: [],
    remote: null,
    target: target.hashOrigin === 'server' ? unknown : target,
    attempt: attempt + (doneBytes(parts) > 0 ? 1 : 0),
  })
}

async function startOverInOneStream(job: JobAccess, { limits }: Context): Promise<void> {
  const { parts, remote, attempt } = job.record
  await job.save({
    parts: planParts(remote?.sizeBytes ?? 0, false, limits),
    attempt: attempt + (doneBytes(parts) > 0 ? 1 : 0),
  })
}

async function fetchFile(job: JobAccess, context: Context): Promise<void> {
  const { net, limits, signal } = context
  const url = new URL(job.record.target.url)
  const policy = policyFor(job.record.target)
  const open = (range: ByteRange, partSignal: AbortSignal): Promise<RemoteAnswer> =>
    openRange(net, policy, url, range, partSignal)
  const asked = () => describe(open, signal)
  const offered = await persist(asked, () => 0, context, limits.attempts, signal)
  const known = await agree(job, offered.file, offered.ranged, limits)
  const file = await context.disk.openPart(job.partPath)
  try {
    await assertRoom(job, context)
    await file.resize(known.sizeBytes)
    const ports = {
      ...context,
      open,
      file,
      checkpoint: (parts: DownloadRecord['parts']) => job.save({ parts }),
      received: (bytes: number) => job.received(bytes),
    }
    const parts = job.record.parts.map((part) => ({ ...part }))
    await transfer(parts, known, ports, limits, signal)
  } finally {
    await file.close()
  }
}

function policyFor({ extraHost }: Target): RemotePolicy {
  return extraHost === null ? HUB_POLICY : { ...HUB_POLICY, hosts: [...HUB_POLICY.hosts, extraHost] }
}

/** What the file at the other end is, asked for with its first byte. */
async function describe(
  open: (range: ByteRange, signal: AbortSignal) => Promise<RemoteAnswer>,
  signal: AbortSignal,
): Promise<{ file: RemoteFile; ranged: boolean }> {
  try {
    const { file, ranged, response } = await open({ startByte: 0, endByte: 1 }, signal)
    response.discard()
    return { file, ranged }
  } catch (error) {
    throw error instanceof RemoteChanged ? confused('it says that the file is empty') : error
  }
}

/**
 * Settles which file this is, against everything that is known of it, before a byte is kept.
 * @returns the file that was begun
 */
async function agree(
  job: JobAccess,
  offered: RemoteFile,
  ranged: boolean,
  limits: RunLimits,
): Promise<RemoteFile & { sizeBytes: number }> {
  const { remote, target, parts, attempt } = job.record
  const sha256 = agreeOnHash(target, offered)
  const sizeBytes = agreeOnSize(target, offered, limits)
  const keeps = remote !== null && parts.length > 0 && (ranged || parts.length === 1)
  const known = { ...(keeps ? remote : offered), sizeBytes }
  await job.save({
    remote: known,
    target: { ...target, sha256, sizeBytes, hashOrigin: target.hashOrigin ?? 'server' },
    parts: keeps ? parts : planParts(sizeBytes, ranged, limits),
    attempt: attempt + (!keeps && doneBytes(parts) > 0 ? 1 : 0),
  })
  return known
}

function agreeOnHash(target: Target, offered: RemoteFile): string {
  const sha256 = target.sha256 ?? offered.sha256
  if (sha256 === null) throw hashUnknown()
  if (offered.sha256 === null || offered.sha256 === sha256) return sha256
  throw target.hashOrigin === 'server' ? new RemoteChanged('the file has changed') : hashChanged()
}

function agreeOnSize(target: Target, offered: RemoteFile, { maxFileBytes }: RunLimits): number {
  const sizeBytes = offered.sizeBytes ?? target.sizeBytes
  if (sizeBytes === null || sizeBytes === 0) throw sizeUnknown()
  if (target.sizeBytes !== null && target.sizeBytes !== sizeBytes)
    throw sizeWrong(target.sizeBytes, sizeBytes)
  if (sizeBytes > maxFileBytes) throw tooLarge(maxFileBytes)
  return sizeBytes
}

async function assertRoom(job: JobAccess, { disk, limits }: Context): Promise<void> {
  const freeBytes = await disk.freeBytes(dirname(job.partPath))
  if (freeBytes < missingBytes(job.record) + limits.keepFreeBytes) throw new DiskFull()
}

async function verify(job: JobAccess, { library, signal }: Context): Promise<void> {
  await job.save({ state: 'verifying' })
  const { partPath, record } = job
  const { modelId: id, fileName, sha256, hashOrigin, license, source } = record.target
  // A crash after the last step: the file has moved in, only the record had not heard of it.
  if ((await sizeOf(partPath)) < 0 && (await library.has(id))) return job.save({ state: 'done' })
  if ((await sha256OfFile(partPath, signal)) !== sha256) throw new Unfit(hashMismatch())
  const gguf = await readGgufModel(partPath).catch((error: unknown) => {
    throw error instanceof TiramiError ? new Unfit(renamed(error, record)) : error
  })
  signal.throwIfAborted()
  const facts = { id, fileName, sha256, hashOrigin, source, license: license ?? gguf.license }
  await library.install(partPath, { ...facts, sizeBytes: gguf.sizeBytes })
  await job.save({ state: 'done' })
}

/** The reader knows the file by its temporary name; the owner does not. */
function renamed(error: TiramiError, { id, target }: DownloadRecord): TiramiError {
  return new TiramiError(error.code, error.message.replaceAll(`${id}.part`, target.fileName), {
    nextStep: 'It is kept aside and will not be loaded. Delete it and choose another model.',
    httpStatus: error.httpStatus,
    cause: error,
  })
}

/** Bytes of a file; -1 where there is none. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => -1,
  )
}

function isComplete({ parts, remote }: DownloadRecord): boolean {
  return parts.length > 0 && doneBytes(parts) === remote?.sizeBytes
}

export function missingBytes({ parts, target }: Pick<DownloadRecord, 'parts' | 'target'>): number {
  return Math.max(0, (target.sizeBytes ?? 0) - doneBytes(parts))
}
