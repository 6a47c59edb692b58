import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Clock,
  hexFromBytes,
  type PublicError,
  type Rng,
  TiramiError,
  toPublicError,
} from '../../kernel/index.ts'
import type { Library } from '../library.ts'
import { type Disk, readText } from './disk.ts'
import { alreadyInstalled, DiskFull, diskFault, diskFull, unknownDownload } from './errors.ts'
import type { Net } from './net.ts'
import { createRateMeter, type RateMeter } from './rate.ts'
import { DownloadRecord, type HashOrigin } from './record.ts'
import { type JobAccess, missingBytes, type RunLimits, runDownload, Unfit } from './run.ts'
import { serially } from './serially.ts'
import { type RemoteSource, targetOf } from './target.ts'
import { createThrottle } from './throttle.ts'
import { DEFAULT_LIMITS, doneBytes, persist, type Sleep } from './transfer.ts'

/** A download as the owner sees it. */
export interface Download {
  id: string
  modelId: string
  /** What the owner typed. */
  source: string
  state: DownloadRecord['state'] | 'cancelled'
  /** What a `waiting` download waits for: a network that costs nothing, or room on the disk. */
  waitingFor: 'network' | 'disk' | null
  error: PublicError | null
  sizeBytes: number | null
  /** Safely on the disk. Within one `attempt` it never falls. */
  doneBytes: number
  attempt: number
  bytesPerSecond: number | null
  secondsLeft: number | null
  sha256: string | null
  /** `server`: announced by the server, not pinned in advance; the window says so. */
  hashOrigin: HashOrigin | null
  license: string | null
  createdAtMs: number
}

export interface Downloads {
  /** Oldest first. */
  list(): Download[]
  /** Queues a download, or goes on with the one that there is for the same model. */
  start(source: RemoteSource): Promise<Download>
  pause(id: string): Promise<Download>
  /** Goes on with a download that is paused, failed, waiting or quarantined; a quarantined one begins anew. */
  resume(id: string): Promise<Download>
  /** Ends a download in any state and deletes what it left, a quarantined file too; not an installed model. */
  cancel(id: string): Promise<void>
  /** `null`: as fast as it goes. */
  setBytesPerSecond(limit: number | null): void
  setAllowMetered(allowed: boolean): void
  /** Called at every change of state and, while bytes arrive, about once a second. */
  onChange(listener: (download: Download) => void): () => void
  /** Bytes of unfinished and quarantined files. */
  usedBytes(): Promise<number>
  /** Lets go of everything; what was running goes on at the next start. */
  close(): Promise<void>
}

/** Whether the network charges by volume. */
export interface Metering {
  isMetered(): boolean
  onChange(listener: () => void): () => void
}

export interface DownloadsOptions {
  /** Where unfinished files and their states lie; on one volume with the models folder. */
  directory: string
  library: Library
  net: Net
  disk: Disk
  clock: Clock
  rng: Rng
  sleep: Sleep
  metering: Metering
  bytesPerSecond?: number | null
  allowMetered?: boolean
  limits?: Partial<ManagerLimits>
}

export interface ManagerLimits extends RunLimits {
  /** Downloads at once. */
  active: number
  /** How often a download that waits for room looks again. */
  diskRetryMs: number
}

const LIMITS: ManagerLimits = {
  ...DEFAULT_LIMITS,
  restarts: 3,
  keepFreeBytes: 256 * 1024 * 1024,
  maxFileBytes: 2 * 1024 ** 4,
  active: 1,
  diskRetryMs: 60_000,
}

/** Why a running download is stopped from outside; the state that it then takes. */
class Stop extends Error {
  readonly state: 'paused' | 'queued' | 'waiting' | 'cancelled'

  constructor(state: 'paused' | 'queued' | 'waiting' | 'cancelled') {
    super(state)
    this.state = state
  }
}

interface Job {
  record: DownloadRecord
  rate: RateMeter | null
  running: { stop: AbortController; ended: Promise<void> } | null
  inOrder: ReturnType<typeof serially>
}

function jobOf(record: DownloadRecord): Job {
  return { record, rate: null, running: null, inOrder: serially() }
}

/** Takes up the downloads that lie in `directory` and goes on with those that were not paused. */
export async function openDownloads(options: DownloadsOptions): Promise<Downloads> {
  const { directory, library, net, disk, clock, rng, sleep, metering } = options
  const limits = { ...LIMITS, ...options.limits }
  const throttle = createThrottle(options.bytesPerSecond ?? null)
  const listeners = new Set<(download: Download) => void>()
  const closing = new AbortController()
  const startInOrder = serially()
  let allowMetered = options.allowMetered ?? false
  let isWatchingDisk = false
  let diskWatch: Promise<void> = Promise.resolve()

  await disk.makeDirectory(directory)
  const jobs = new Map<string, Job>()
  for (const record of await readRecords(directory, disk)) {
    jobs.set(record.id, jobOf(record))
  }

  const partPath = (job: Job): string => join(directory, `${job.record.id}.part`)
  const recordPath = (job: Job): string => join(directory, `${job.record.id}.json`)
  const quarantinePath = (job: Job): string => join(directory, `${job.record.id}.quarantined`)

  const emit = (download: Download): void => {
    for (const listener of listeners) listener(download)
  }
  /** Memory follows the disk, never the other way round. */
  const save = (job: Job, change: Partial<DownloadRecord>): Promise<void> =>
    job.inOrder(async () => {
      const next = { ...job.record, ...change }
      await disk.replaceFile(recordPath(job), `${JSON.stringify(next)}\n`)
      job.record = next
      emit(viewOf(job))
    })
  /** For states that hold even when they cannot be written down. */
  const settle = (job: Job, change: Partial<DownloadRecord>): Promise<void> =>
    save(job, change).catch(() => {
      job.record = { ...job.record, ...change }
      emit(viewOf(job))
    })
  const find = (id: string): Job => {
    const job = jobs.get(id)
    if (!job) throw unknownDownload()
    return job
  }
  const isBlocked = (): boolean => metering.isMetered() && !allowMetered

  /** Starts what may start; says of the rest why it waits. */
  const pump = (): void => {
    if (closing.signal.aborted) return
    const inOrder = [...jobs.values()].sort((a, b) => a.record.createdAtMs - b.record.createdAtMs)
    let active = inOrder.filter((job) => job.running).length
    for (const job of inOrder) {
      if (job.running || !isReady(job.record)) continue
      if (isBlocked()) {
        if (job.record.state === 'queued') void settle(job, { state: 'waiting', waitingFor: 'network' })
      } else if (active < limits.active) {
        active++
        begin(job)
      }
    }
  }

  const accessTo = (job: Job): JobAccess => ({
    get record() {
      return job.record
    },
    partPath: partPath(job),
    save: (change) => save(job, change),
    received: (bytes) => job.rate?.add(bytes, clock.nowMs()),
  })

  const begin = (job: Job): void => {
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, closing.signal])
    job.rate = createRateMeter(clock.nowMs())
    const ended = runDownload(accessTo(job), { ...options, throttle, limits, signal })
      .catch((error: unknown) => conclude(job, error))
      .finally(() => {
        job.running = null
        job.rate = null
        pump()
      })
    job.running = { stop, ended }
  }

  const conclude = async (job: Job, error: unknown): Promise<void> => {
    if (error instanceof Stop) {
      if (error.state === 'cancelled') return
      await settle(job, { state: error.state, waitingFor: error.state === 'waiting' ? 'network' : null })
    } else if (error instanceof DiskFull) {
      await settle(job, {
        state: 'waiting',
        waitingFor: 'disk',
        error: toPublicError(diskFull(missingBytes(job.record))),
      })
      watchDisk()
    } else if (error instanceof Unfit) {
      await disk
        .rename(partPath(job), quarantinePath(job))
        .catch(() => disk.remove(partPath(job)).catch(() => {}))
      await settle(job, { state: 'quarantined', error: toPublicError(error.reason) })
    } else {
      const reason = error instanceof TiramiError ? error : diskFault(error)
      await settle(job, { state: 'failed', waitingFor: null, error: toPublicError(reason) })
    }
  }

  /** While a download waits for room, looks again from time to time. */
  const lookForRoom = async (): Promise<void> => {
    const waiting = () => [...jobs.values()].filter(({ record }) => record.waitingFor === 'disk')
    while (waiting().length > 0) {
      await sleep(limits.diskRetryMs, closing.signal)
      const freeBytes = await disk.freeBytes(directory).catch(() => 0)
      for (const job of waiting()) {
        if (freeBytes < missingBytes(job.record) + limits.keepFreeBytes) continue
        await settle(job, { state: 'queued', waitingFor: null, error: null })
      }
      pump()
    }
    // In the same turn as the check above: whoever waits from now on starts a new watch.
    isWatchingDisk = false
  }
  const watchDisk = (): void => {
    if (isWatchingDisk) return
    isWatchingDisk = true
    diskWatch = lookForRoom().catch(() => {})
  }

  const onMetering = (): void => {
    for (const job of jobs.values()) {
      // What only has to be verified costs nothing.
      if (isBlocked() && job.record.state !== 'verifying') job.running?.stop.abort(new Stop('waiting'))
    }
    pump()
  }
  const endMetering = metering.onChange(onMetering)

  /** Ends a run and waits until it has let go of its file. */
  const halt = async (job: Job, state: Stop['state']): Promise<void> => {
    job.running?.stop.abort(new Stop(state))
    await job.running?.ended
  }

  const goOn = async (job: Job): Promise<Download> => {
    const { state, attempt } = job.record
    if (!['paused', 'failed', 'quarantined', 'waiting'].includes(state)) return viewOf(job)
    await disk.remove(quarantinePath(job))
    const anew = state === 'quarantined' ? { parts: [], remote: null, attempt: attempt + 1 } : {}
    await settle(job, { state: 'queued', waitingFor: null, error: null, ...anew })
    pump()
    return viewOf(job)
  }

  for (const job of jobs.values()) {
    if (['running', 'verifying', 'waiting'].includes(job.record.state))
      job.record = { ...job.record, state: 'queued', waitingFor: null }
  }
  pump()

  return {
    list: () =>
      [...jobs.values()]
        .sort((a, b) => a.record.createdAtMs - b.record.createdAtMs)
        .map((job) => viewOf(job)),

    start: (source) =>
      startInOrder(async () => {
        const target = await persist(
          () => targetOf(source, net, closing.signal),
          () => 0,
          { rng, sleep },
          3,
          closing.signal,
        )
        const known = [...jobs.values()].find(({ record }) => record.target.modelId === target.modelId)
        if (known && known.record.state !== 'done') return goOn(known)
        if (await library.has(target.modelId)) throw alreadyInstalled(target.modelId)
        if (known) await forget(known)
        const id = hexFromBytes(rng.bytes(8))
        const record: DownloadRecord = {
          version: 1,
          id,
          createdAtMs: clock.nowMs(),
          target,
          state: 'queued',
          waitingFor: null,
          error: null,
          attempt: 1,
          remote: null,
          parts: [],
        }
        const job = jobOf(record)
        await save(job, {}).catch((error: unknown) => {
          throw error instanceof DiskFull ? diskFull(target.sizeBytes ?? 0) : diskFault(error)
        })
        jobs.set(id, job)
        pump()
        return viewOf(job)
      }),

    async pause(id) {
      const job = find(id)
      await halt(job, 'paused')
      if (['queued', 'waiting'].includes(job.record.state))
        await settle(job, { state: 'paused', waitingFor: null, error: null })
      return viewOf(job)
    },

    resume: (id) => goOn(find(id)),

    async cancel(id) {
      const job = find(id)
      await halt(job, 'cancelled')
      await forget(job)
    },

    setBytesPerSecond: (limit) => throttle.setRate(limit),
    setAllowMetered(allowed) {
      allowMetered = allowed
      onMetering()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    async usedBytes() {
      const sizes = await Promise.all(
        [...jobs.values()].flatMap((job) => [partPath(job), quarantinePath(job)]).map(allocatedBytes),
      )
      return sizes.reduce((sum, bytes) => sum + bytes, 0)
    },

    async close() {
      endMetering()
      closing.abort(new Stop('queued'))
      await Promise.all([...jobs.values()].map((job) => job.running?.ended))
      await diskWatch
    },
  }

  async function forget(job: Job): Promise<void> {
    // The state goes last: as long as it is there, the other files can be found.
    await disk.remove(partPath(job))
    await disk.remove(quarantinePath(job))
    await disk.remove(recordPath(job))
    jobs.delete(job.record.id)
    emit({ ...viewOf(job), state: 'cancelled' })
  }
}

/** Whether only the queue and the network decide when it starts. */
function isReady({ state, waitingFor }: DownloadRecord): boolean {
  return state === 'queued' || (state === 'waiting' && waitingFor === 'network')
}

function viewOf({ record, rate }: Job): Download {
  const { target, parts } = record
  const finished = record.state === 'done'
  const bytesPerSecond = record.state === 'running' ? (rate?.bytesPerSecond() ?? null) : null
  return {
    id: record.id,
    modelId: target.modelId,
    source: target.source,
    state: record.state,
    waitingFor: record.waitingFor,
    error: record.error,
    sizeBytes: target.sizeBytes,
    doneBytes: finished ? (target.sizeBytes ?? 0) : doneBytes(parts),
    attempt: record.attempt,
    bytesPerSecond,
    secondsLeft: bytesPerSecond ? Math.ceil(missingBytes(record) / bytesPerSecond) : null,
    sha256: target.sha256,
    hashOrigin: target.hashOrigin,
    license: target.license,
    createdAtMs: record.createdAtMs,
  }
}

/** Every readable state; an unreadable one is set aside, with its part file, and tells nobody what to fetch. */
async function readRecords(directory: string, disk: Disk): Promise<DownloadRecord[]> {
  const records: DownloadRecord[] = []
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    if (/^\.[0-9a-f]{12}\.tmp$/.test(name)) await disk.remove(path)
    const id = name.match(/^([0-9a-f]{16})\.json$/)?.[1]
    if (id === undefined) continue
    const record = parseRecord(await readText(path))
    if (record?.id === id) records.push(record)
    else await disk.rename(path, `${path}.damaged`)
  }
  return records
}

function parseRecord(text: string | null): DownloadRecord | null {
  try {
    return DownloadRecord.parse(JSON.parse(text ?? ''))
  } catch {
    return null
  }
}

/** What a file takes on the disk; an unfinished one is longer than that. */
async function allocatedBytes(path: string): Promise<number> {
  try {
    const { blocks, size } = await stat(path)
    return Math.min(blocks === undefined ? size : blocks * 512, size)
  } catch {
    return 0
  }
}
