import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage, type Storage, type StoredFile } from './index.ts'
import { book, open } from './test-support.ts'

const SECTOR_BYTES = 512

interface PendingWrite {
  file: StoredFile
  offset: number
  bytes: Uint8Array
}

/** Draws whole numbers from 0 up to `below`. */
type Draw = (below: number) => number

/**
 * A disk with a write cache: what was not synced when the power goes survives sector by sector, in any order, or not at
 * all. Sectors are written whole.
 */
class CachedDisk {
  readonly #cache = memoryStorage()
  readonly #platter = memoryStorage()
  readonly #pending = new Map<string, PendingWrite[]>()
  #off = false

  readonly storage: Storage = {
    ...this.#cache,
    open: async (path) => {
      const cached = await this.#cache.open(path)
      const stored = await this.#platter.open(path)
      return {
        ...cached,
        write: async (bytes, offset) => {
          // Nobody is left to be told of a write after the cut.
          if (this.#off) return new Promise(() => undefined)
          this.#pendingOf(path).push({ file: stored, offset, bytes: Uint8Array.from(bytes) })
          return cached.write(bytes, offset)
        },
        sync: async () => {
          await turn()
          if (this.#off) return new Promise(() => undefined)
          for (const { file, bytes, offset } of this.#pendingOf(path).splice(0))
            await file.write(bytes, offset)
        },
        truncate: async (size) => {
          await cached.truncate(size)
          await stored.truncate(size)
        },
      }
    },
    rename: async (from, to) => {
      await this.#cache.rename(from, to)
      await this.#platter.rename(from, to)
    },
  }

  /** @returns what is found after the power is back */
  async cut(draw: Draw): Promise<Storage> {
    this.#off = true
    const sectors = [...this.#pending.values()].flat().flatMap(sectorsOf)
    while (sectors.length > 0) {
      const [sector] = sectors.splice(draw(sectors.length), 1)
      if (sector && draw(2) === 0) await sector.file.write(sector.bytes, sector.offset)
    }
    return this.#platter
  }

  #pendingOf(path: string): PendingWrite[] {
    const pending = this.#pending.get(path) ?? []
    this.#pending.set(path, pending)
    return pending
  }
}

function sectorsOf({ file, offset, bytes }: PendingWrite): PendingWrite[] {
  const sectors: PendingWrite[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = SECTOR_BYTES - ((offset + at) % SECTOR_BYTES)
    sectors.push({ file, offset: offset + at, bytes: bytes.subarray(at, at + length) })
    at += length
  }
  return sectors
}

test('after a power cut with reordered and torn writes every acknowledged trade is there', async () => {
  let torn = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
      fc.nat({ max: 40 }),
      fc.infiniteStream(fc.nat()),
      async (batches, turns, numbers) => {
        const draw: Draw = (below) => Number(numbers.next().value) % below
        const disk = new CachedDisk()
        const settings = { projectionWorkerUrl: null, segmentMaxBytes: 6_000 } as const
        const ledger = await open('/ledger', { ...settings, storage: disk.storage })
        const acknowledged: string[] = []
        const work = (async () => {
          let number = 0
          for (const size of batches) {
            const batch = Array.from({ length: size }, () => book(ledger, number++))
            for (const trade of batch) acknowledged.push((await trade).tradeId)
          }
        })()
        for (let waited = 0; waited < turns; waited++) await Promise.race([turn(), work])
        const promised = [...acknowledged]
        const found = await disk.cut(draw)
        const again = await open('/ledger', { ...settings, storage: found })
        if (again.journal().recovery) torn++
        expect(again.tradeCount()).toBeGreaterThanOrEqual(promised.length)
        // It is a prefix of what was booked, so its Merkle root is that of a ledger that booked just as many.
        const reference = await open('/reference', { ...settings, storage: memoryStorage() })
        for (let number = 0; number < again.tradeCount(); number++) await book(reference, number)
        expect(again.merkleRootHex()).toBe(reference.merkleRootHex())
        await book(again, 1_000)
        await again.close()
      },
    ),
    { numRuns: 150 },
  )
  // The faults did happen.
  expect(torn).toBeGreaterThan(10)
})
