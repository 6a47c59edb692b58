import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import type { Clock, Rng } from '../../kernel/index.ts'
import type { PartFile } from './disk.ts'
import { Interrupted, interrupted, RangeIgnored, RemoteChanged, stalled } from './errors.ts'
import { type ByteRange, type RemoteAnswer, type RemoteFile, sameFile } from './remote.ts'
import type { Throttle } from './throttle.ts'

/** A stretch of the file and how much of it, from its start, has been written. */
export interface Part extends ByteRange {
  doneBytes: number
}

export interface TransferLimits {
  /** Connections at once. */
  parallel: number
  /** A part is not made smaller than this for the sake of parallelism. */
  minPartBytes: number
  maxPartBytes: number
  /** A connection that sends nothing for so long is replaced. */
  stallMs: number
  /** Attempts in a row that bring nothing before a part gives up. */
  attempts: number
  /** Progress is made durable at least so often, in time and in bytes. */
  checkpointMs: number
  checkpointBytes: number
}

export const DEFAULT_LIMITS: TransferLimits = {
  parallel: 4,
  minPartBytes: 8 * 1024 * 1024,
  maxPartBytes: 256 * 1024 * 1024,
  stallMs: 30_000,
  attempts: 10,
  checkpointMs: 1_000,
  checkpointBytes: 64 * 1024 * 1024,
}

/** Waits; rejects with the signal's reason when it is aborted. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

export const sleepUnlessAborted: Sleep = async (ms, signal) => {
  await setTimeoutAsync(ms, undefined, { signal, ref: false }).catch(() => signal.throwIfAborted())
}

export interface TransferPorts {
  open(range: ByteRange, signal: AbortSignal): Promise<RemoteAnswer>
  file: PartFile
  /** Saves what is on the disk now; called by one at a time. */
  checkpoint(parts: Part[]): Promise<void>
  received(bytes: number): void
  throttle: Throttle
  clock: Clock
  rng: Rng
  sleep: Sleep
}

const BACKOFF_FIRST_MS = 500
const BACKOFF_MAX_MS = 60_000

/** Cuts a file into parts: enough for all connections, none absurdly small or large; one if ranges are not served. */
export function planParts(sizeBytes: number, ranged: boolean, limits: TransferLimits): Part[] {
  const wanted = Math.min(
    Math.max(Math.ceil(sizeBytes / limits.parallel), limits.minPartBytes),
    limits.maxPartBytes,
  )
  const partBytes = ranged ? wanted : sizeBytes
  const parts: Part[] = []
  for (let startByte = 0; startByte < sizeBytes; startByte += partBytes) {
    parts.push({ startByte, endByte: Math.min(startByte + partBytes, sizeBytes), doneBytes: 0 })
  }
  return parts
}

export function doneBytes(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.doneBytes, 0)
}

const leftBytes = (part: Part): number => part.endByte - part.startByte - part.doneBytes

/**
 * Fetches what is missing of `parts`, several at a time, into their places in the file, and counts it in them.
 * @param known the file that was begun; an answer that describes another one ends the transfer
 * @throws the signal's reason, RemoteChanged, RangeIgnored, DiskFull, TiramiError; what was written stays counted
 */
export async function transfer(
  parts: Part[],
  known: RemoteFile,
  ports: TransferPorts,
  limits: TransferLimits,
  signal: AbortSignal,
): Promise<void> {
  const first = new AbortController()
  const stop = AbortSignal.any([signal, first.signal])
  const saver = createSaver(parts, ports, limits)
  const waiting = parts.filter((part) => leftBytes(part) > 0)
  const work = async (): Promise<void> => {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      await fetchPart(part, { single: parts.length === 1, known, ports, limits, saver }, stop)
    }
  }
  const connections = Array.from({ length: Math.min(limits.parallel, waiting.length) }, work)
  // The first failure ends the others; all have let go of the file before this returns.
  await Promise.all(connections.map((connection) => connection.catch((error: unknown) => first.abort(error))))
  const saved = await saver.save().then(
    () => null,
    (error: unknown) => ({ error }),
  )
  if (first.signal.aborted) throw first.signal.reason
  if (saved) throw saved.error
}

interface Saver {
  wrote(bytes: number): Promise<void>
  save(): Promise<void>
}

/** Progress counts only once the bytes are on the disk, so that it cannot go back after a crash. */
function createSaver(parts: Part[], ports: TransferPorts, limits: TransferLimits): Saver {
  let lastMs = ports.clock.nowMs()
  let pendingBytes = 0
  let running: Promise<void> | null = null
  const checkpoint = async (): Promise<void> => {
    const snapshot = parts.map((part) => ({ ...part }))
    lastMs = ports.clock.nowMs()
    pendingBytes = 0
    await ports.file.sync()
    await ports.checkpoint(snapshot)
  }
  const save = async (): Promise<void> => {
    while (running) await running.catch(() => {})
    running = checkpoint()
    try {
      await running
    } finally {
      running = null
    }
  }
  const isDue = (): boolean =>
    pendingBytes >= limits.checkpointBytes ||
    (pendingBytes > 0 && ports.clock.nowMs() - lastMs >= limits.checkpointMs)
  return {
    save,
    async wrote(bytes) {
      pendingBytes += bytes
      if (running) return
      while (isDue()) await save()
    },
  }
}

interface PartContext {
  single: boolean
  known: RemoteFile
  ports: TransferPorts
  limits: TransferLimits
  saver: Saver
}

async function fetchPart(part: Part, context: PartContext, signal: AbortSignal): Promise<void> {
  await persist(
    () => streamPart(part, context, signal),
    () => part.doneBytes,
    context.ports,
    context.limits.attempts,
    signal,
  )
}

/**
 * Repeats what was interrupted, with growing, jittered pauses; attempts that bring nothing are counted.
 * @param progress a number that grows when an attempt was of use
 * @throws the reason of the last interruption when the attempts are used up
 */
export async function persist<Result>(
  attempt: () => Promise<Result>,
  progress: () => number,
  { rng, sleep }: Pick<TransferPorts, 'rng' | 'sleep'>,
  attempts: number,
  signal: AbortSignal,
): Promise<Result> {
  let failures = 0
  for (;;) {
    signal.throwIfAborted()
    const before = progress()
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Interrupted)) throw error
      failures = progress() > before ? 1 : failures + 1
      if (failures >= attempts) throw error.reason
      await sleep(Math.max(backoffMs(failures, rng), error.retryAfterMs ?? 0), signal)
    }
  }
}

/** Doubles from half a second to a minute, plus or minus half, so that many hosts do not return as one. */
function backoffMs(failures: number, rng: Rng): number {
  const [random = 0] = rng.bytes(1)
  return Math.min(BACKOFF_FIRST_MS * 2 ** (failures - 1), BACKOFF_MAX_MS) * (0.5 + random / 256)
}

async function streamPart(part: Part, context: PartContext, signal: AbortSignal): Promise<void> {
  const { known, ports, limits, single, saver } = context
  const position = part.startByte + part.doneBytes
  const answer = await ports.open({ startByte: position, endByte: part.endByte }, signal)
  const chunks = answer.response.body[Symbol.asyncIterator]()
  try {
    if (!sameFile(known, answer.file)) throw new RemoteChanged('the file on the server has changed')
    if (!answer.ranged && !single) throw new RangeIgnored('the server sends the whole file')
    let skipBytes = position - answer.startByte
    while (leftBytes(part) > 0) {
      const chunk = await nextChunk(chunks, limits.stallMs)
      if (chunk === null) throw interrupted(new Error('the body ended early'))
      const wanted = chunk.subarray(skipBytes, skipBytes + leftBytes(part))
      skipBytes = Math.max(0, skipBytes - chunk.length)
      await ports.file.write(wanted, part.startByte + part.doneBytes)
      part.doneBytes += wanted.length
      ports.received(chunk.length)
      await saver.wrote(wanted.length)
      const waitMs = ports.throttle.take(chunk.length, ports.clock.nowMs())
      if (waitMs > 0) await ports.sleep(waitMs, signal)
    }
  } finally {
    answer.response.discard()
  }
}

/** The next bytes, or null at the end. @throws Interrupted when none come within `stallMs` */
async function nextChunk(chunks: AsyncIterator<Uint8Array>, stallMs: number): Promise<Uint8Array | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stalled()), stallMs)
  })
  try {
    const next = await Promise.race([chunks.next(), late])
    return next.done ? null : next.value
  } finally {
    clearTimeout(timer)
  }
}
