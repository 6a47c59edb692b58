import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { bytesFromHex, hexFromBytes } from '../kernel/index.ts'
import { ledgerClosed, projectionUnavailable } from './errors.ts'
import type { Journal } from './journal.ts'
import { frameBytes, GENESIS, type JournalPosition } from './journal-format.ts'
import type {
  ProjectionAnswer,
  ProjectionCall,
  ProjectionMessage,
  ProjectionResults,
  ProjectionWorkerData,
} from './projection-messages.ts'
import type { ProjectedTrade, ProjectionPosition } from './projection-store.ts'
import type { SettleRecord } from './record-types.ts'
import { decodeRecord } from './records.ts'
import { tradeLeafHash } from './trade.ts'

/** Trades sent to the worker before waiting for it, so that a rebuild does not pile up in its queue. */
const CATCH_UP_BATCH = 1_000

/**
 * @param end where the record ends
 * @param recordOffset byte of the journal at which it starts
 */
export function projectTrade(
  record: SettleRecord,
  index: number,
  end: JournalPosition,
  recordOffset: number,
): ProjectedTrade {
  const { facts, terms } = record
  return {
    trade: {
      tradeId: hexFromBytes(tradeLeafHash(terms)),
      index,
      provider: terms.provider,
      consumer: terms.consumer,
      consumerLabel: facts.consumerLabel,
      ownKey: facts.ownKey,
      amountTrm: terms.amountTrm.toString(),
      flop: facts.flop.toString(),
      promptTokens: facts.promptTokens,
      completionTokens: facts.completionTokens,
      latencyMs: facts.latencyMs,
      modelId: terms.modelId,
      timestampMs: Number(terms.timestampMs),
      providerSigned: true,
      consumerSigned: true,
      ...(facts.passedOnTrm === undefined ? {} : { passedOnTrm: facts.passedOnTrm.toString() }),
    },
    remote: facts.remote === true,
    recordOffset,
    position: {
      seq: end.seq,
      offset: end.offset,
      chainHashHex: hexFromBytes(end.chainHash),
      trades: index + 1,
    },
  }
}

type Settler = { resolve: (result: never) => void; reject: (error: unknown) => void }

/** One running worker and the calls that wait for it. */
class WorkerLink {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Settler>()
  #nextId = 1
  #gone: { cause: unknown } | null = null

  constructor(url: URL, data: ProjectionWorkerData, onGone: () => void) {
    this.#worker = new Worker(url, { workerData: data, execArgv: [], name: 'ledger-projection' })
    this.#worker.on('message', (answer: ProjectionAnswer) => this.#settle(answer))
    const gone = (cause: unknown): void => {
      // An error is followed by an exit; by then another worker may have taken over.
      if (this.#gone) return
      this.#gone = { cause }
      for (const { reject } of this.#waiting.values()) reject(projectionUnavailable(cause))
      this.#waiting.clear()
      onGone()
    }
    this.#worker.on('error', gone)
    this.#worker.on('exit', (code) => gone(new Error(`the projection worker ended with code ${code}`)))
  }

  insert(trades: ProjectedTrade[]): void {
    this.#post({ type: 'insert', trades })
  }

  call<C extends ProjectionCall>(call: C): Promise<ProjectionResults[C['name']]> {
    if (this.#gone) return Promise.reject(projectionUnavailable(this.#gone.cause))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#post({ type: 'call', id, call })
    })
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #post(message: ProjectionMessage): void {
    this.#worker.postMessage(message)
  }

  #settle(answer: ProjectionAnswer): void {
    const settler = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.ok) settler?.resolve(answer.result as never)
    else settler?.reject(projectionUnavailable(new Error(answer.error)))
  }
}

interface ProjectionOptions {
  directory: string
  workerUrl: URL
  journal: Journal
}

/**
 * The queryable copy of the journal, kept in a thread of its own. It is brought up to date from the journal when it
 * starts, so a lost, damaged or stale file, or a crashed worker, costs time and nothing else.
 */
export class Projection {
  readonly #options: ProjectionOptions
  #starting: Promise<WorkerLink> | null = null
  /** Set when the worker has everything that is durable; from then on trades are sent as they are settled. */
  #live: WorkerLink | null = null
  #started = false
  #closed = false

  constructor(options: ProjectionOptions) {
    this.#options = options
  }

  /**
   * Call in the same turn in which the journal made the trades durable. The first call starts the worker: a ledger
   * that nobody writes or asks costs no thread.
   */
  insert(trades: ProjectedTrade[]): void {
    if (trades.length === 0) return
    // Without a live worker nothing is lost: catching up reads these trades from the journal.
    if (this.#live) this.#live.insert(trades)
    else if (!this.#started) this.#ready().catch(() => undefined)
  }

  /** @throws TiramiError PROJECTION_UNAVAILABLE (503) */
  async call<C extends ProjectionCall>(call: C): Promise<ProjectionResults[C['name']]> {
    return (await this.#ready()).call(call)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const link = await this.#starting?.catch(() => null)
    // A worker that cannot save is ended all the same; the next start rebuilds what it held.
    await link?.call({ name: 'save' }).catch(() => undefined)
    await link?.end()
  }

  #ready(): Promise<WorkerLink> {
    if (this.#live) return Promise.resolve(this.#live)
    if (this.#closed) return Promise.reject(ledgerClosed())
    if (this.#starting) return this.#starting
    this.#started = true
    const starting = this.#start()
    this.#starting = starting
    starting.catch(() => {
      if (this.#starting === starting) this.#starting = null
    })
    return starting
  }

  async #start(): Promise<WorkerLink> {
    const { directory, workerUrl } = this.#options
    const link = new WorkerLink(workerUrl, { path: join(directory, 'projection.sqlite') }, () => {
      this.#live = null
      this.#starting = null
    })
    try {
      await this.#catchUp(link)
    } catch (error) {
      await link.end()
      throw error
    }
    return link
  }

  async #catchUp(link: WorkerLink): Promise<void> {
    const { journal } = this.#options
    const saved = await link.call({ name: 'position' })
    let start = await this.#resumeAt(link, saved)
    let index = start === GENESIS ? 0 : saved.trades
    let batch: ProjectedTrade[] = []
    const send = async (): Promise<void> => {
      link.insert(batch)
      batch = []
      await link.call({ name: 'flush' })
    }
    while (start.offset < journal.durable.offset) {
      start = await journal.scan(start, (entry) => {
        const record = decodeRecord(entry.payload)
        if (record.kind !== 'settle') return
        batch.push(projectTrade(record, index++, entry, entry.offset - frameBytes(entry.payload.length)))
        return batch.length >= CATCH_UP_BATCH ? send() : undefined
      })
      if (batch.length > 0) await send()
    }
    // In the same turn as the check above: no trade can become durable in between and be missed.
    this.#live = link
  }

  async #resumeAt(link: WorkerLink, saved: ProjectionPosition): Promise<JournalPosition> {
    if (saved.seq === 0) return GENESIS
    const { seq, offset, chainHashHex } = saved
    const position = { seq, offset, chainHash: bytesFromHex(chainHashHex) }
    if (await this.#options.journal.contains(position)) return position
    await link.call({ name: 'reset' })
    return GENESIS
  }
}
