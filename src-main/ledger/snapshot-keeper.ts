import type { Journal } from './journal.ts'
import { packState, type SnapshotState, writeSnapshot } from './snapshot.ts'
import type { Storage } from './storage.ts'

interface KeeperOptions {
  storage: Storage
  directory: string
  version: string
  everyRecords: number
  /** Record that the last snapshot covers. */
  lastSeq: number
  journal: Journal
  /** Everything that follows from the journal up to now. */
  capture(): SnapshotState
}

/** Writes a snapshot when enough has happened since the last one. A snapshot that fails costs time, nothing else. */
export class SnapshotKeeper {
  readonly #options: KeeperOptions
  #lastSeq: number
  #writing: Promise<void> | null = null

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#lastSeq = options.lastSeq
  }

  /** Holds take effect before they are on the disk: only an idle journal says what the state says. */
  consider(): void {
    const { journal, everyRecords } = this.#options
    if (this.#writing || !journal.isIdle || journal.durable.seq - this.#lastSeq < everyRecords) return
    this.#lastSeq = journal.durable.seq
    this.#writing = this.#write()
      .catch((error) => process.emitWarning(`the ledger's snapshot was not written: ${String(error)}`))
      .finally(() => {
        this.#writing = null
      })
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    const { storage, directory, version, journal, capture } = this.#options
    const position = journal.durable
    // In this turn: the next record changes the state.
    const payload = packState(capture())
    const segments = await journal.digests(position)
    await writeSnapshot(storage, directory, { version, position, segments }, payload)
  }
}
