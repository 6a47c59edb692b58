import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CatalogueEntry, loadCatalogue } from '../catalogue.ts'
import { tinyGguf } from '../testing/tiny-gguf.ts'
import { DiskFull } from './errors.ts'
import type { Download } from './manager.ts'
import {
  type Behaviour,
  type FaultyServer,
  mappedNet,
  sha256Hex,
  startFaultyServer,
} from './testing/faulty-server.ts'
import {
  atRest,
  fragileDisk,
  type House,
  type HouseOptions,
  HUB_SOURCE,
  openHouse,
  until,
  withDirectory,
} from './testing/house.ts'

const MODEL = tinyGguf({ seed: 1 })
const SHA256 = sha256Hex(MODEL)
const ENTRY = {
  ...(await loadCatalogue(fileURLToPath(new URL('../../../resources/catalogue.json', import.meta.url)))).find(
    'smollm2:135m',
  ),
  sizeBytes: MODEL.length,
  sha256: SHA256,
} as CatalogueEntry
const MODEL_ID = 'hf:owner/repo/model.gguf'

let server: FaultyServer
beforeEach(async () => {
  server = await startFaultyServer(MODEL)
})
afterEach(() => server.close())

async function house(
  work: (house: House, directory: string) => Promise<void>,
  options: Partial<HouseOptions> = {},
): Promise<void> {
  await withDirectory(async (directory) => {
    const opened = await openHouse({ net: server.net(), ...options, directory })
    try {
      await work(opened, directory)
    } finally {
      await opened.downloads.close()
    }
  })
}

/** Downloads the model under one behaviour of the server and returns where it came to rest. */
async function download({ downloads }: House): Promise<Download> {
  const { id } = await downloads.start(HUB_SOURCE)
  return atRest(downloads, id)
}

async function installedBytes({ library }: House): Promise<Buffer> {
  return readFileSync((await library.locate(MODEL_ID)).path)
}

/** The first `times` requests that are not the opening question get this behaviour. */
function firstly(times: number, behaviour: Behaviour): void {
  let left = times
  server.behave = ({ range }) => (range?.last !== 0 && left-- > 0 ? behaviour : { kind: 'well' })
}

function expectSteadyProgress(seen: Download[]): void {
  for (const [i, now] of seen.entries()) {
    const before = seen[i - 1]
    if (!before || before.attempt !== now.attempt || now.state === 'cancelled') continue
    expect(now.doneBytes).toBeGreaterThanOrEqual(before.doneBytes)
  }
}

describe('a download', () => {
  test('arrives whole, verified and readable by the owner only', () =>
    house(async (home) => {
      const end = await download(home)
      expect(end).toMatchObject({
        state: 'done',
        doneBytes: MODEL.length,
        sizeBytes: MODEL.length,
        sha256: SHA256,
        hashOrigin: 'server',
        error: null,
      })
      expect(await installedBytes(home)).toEqual(MODEL)
      const [model] = await home.library.list()
      expect(model).toMatchObject({ id: MODEL_ID, owned: true, sha256: SHA256, hashOrigin: 'server' })
      expect(model?.gguf?.architecture).toBe('llama')
      expect(statSync(model?.path ?? '').mode & 0o777).toBe(0o600)
      expect(statSync(home.directory).mode & 0o777).toBe(0o700)
      expect(readdirSync(home.downloadsDirectory)).toEqual([`${end.id}.json`])
      expect(statSync(join(home.downloadsDirectory, `${end.id}.json`)).mode & 0o777).toBe(0o600)
    }))

  test('fetches parts side by side, and no byte twice', () =>
    house(async (home) => {
      let release = (): void => {}
      const until4 = new Promise<void>((resolve) => {
        release = resolve
      })
      const parts = new Set<number>()
      server.behave = ({ range }) => {
        if (range?.last !== 0) parts.add(range?.first ?? 0)
        if (parts.size === 4) release()
        // Each holds back until the fourth has come: one after the other they would wait for ever.
        return { kind: 'hold', afterBytes: 10, until: until4 }
      }
      expect(await download(home)).toMatchObject({ state: 'done' })
      expect(server.busiest).toBe(4)
      expect(server.sentBytes).toBe(MODEL.length + 1)
    }))

  test.each<[string, Behaviour]>([
    ['a broken connection', { kind: 'cut', afterBytes: 40_000 }],
    ['a body that ends early', { kind: 'short', afterBytes: 40_000 }],
    ['a server that falls silent', { kind: 'hang', afterBytes: 40_000 }],
    ['a server that never ends its headers', { kind: 'slow-headers' }],
    ['too many requests', { kind: 'status', status: 429, headers: { 'retry-after': '7' } }],
    ['a server under repair', { kind: 'status', status: 503 }],
    ['a body longer than asked for', { kind: 'too-much' }],
    ['a packed body', { kind: 'gzip' }],
    ['another range than asked for', { kind: 'other-range' }],
    ['more headers than anyone needs', { kind: 'huge-headers' }],
  ])('outlasts %s', (_, behaviour) =>
    house(
      async (home) => {
        firstly(3, behaviour)
        expect(await download(home)).toMatchObject({ state: 'done', attempt: 1 })
        expect(await installedBytes(home)).toEqual(MODEL)
        expectSteadyProgress(home.seen)
      },
      { net: mappedNet(server.port, 300), limits: { stallMs: 300 } },
    ),
  )

  test('is announced once a second, not at every byte', () =>
    house(
      async (home) => {
        const end = await download(home)
        const running = home.seen.filter(({ state }) => state === 'running')
        // It starts, it knows its size, it is whole; the clock stands still in between.
        expect(running.map(({ doneBytes }) => doneBytes)).toEqual([0, 0, MODEL.length])
        expect(home.seen.at(-1)).toEqual(end)
      },
      { clock: { nowMs: () => 1_000 }, limits: { checkpointMs: 1_000, checkpointBytes: 2 ** 30 } },
    ))

  test('keeps what a broken connection brought', () =>
    house(async (home) => {
      // Far more breaks than attempts in vain are allowed: each of them brought something.
      firstly(Number.POSITIVE_INFINITY, { kind: 'cut', afterBytes: 10_000 })
      expect(await download(home)).toMatchObject({ state: 'done', attempt: 1 })
      expect(server.sentBytes).toBeLessThan(MODEL.length * 1.1)
    }))

  test('waits as long as the server asks', () => {
    const waitsMs: number[] = []
    const sleep = async (ms: number): Promise<void> => {
      waitsMs.push(ms)
    }
    return house(
      async (home) => {
        firstly(1, { kind: 'status', status: 503, headers: { 'retry-after': '42' } })
        expect(await download(home)).toMatchObject({ state: 'done' })
        expect(waitsMs).toEqual([42_000])
      },
      { sleep },
    )
  })

  test('gives up with a sentence, keeps what it has, and goes on when asked', () =>
    house(
      async (home) => {
        server.behave = ({ range }) =>
          range?.first === 0 ? { kind: 'well' } : { kind: 'status', status: 500 }
        const failed = await download(home)
        expect(failed).toMatchObject({ state: 'failed', error: { code: 'DOWNLOAD_SERVER_BUSY' } })
        expect(failed.doneBytes).toBeGreaterThan(0)
        expect(await home.library.list()).toEqual([])
        server.behave = () => ({ kind: 'well' })
        const before = server.sentBytes
        // Asking for the same model again means the same as resuming it.
        expect((await home.downloads.start(HUB_SOURCE)).id).toBe(failed.id)
        expect(await atRest(home.downloads, failed.id)).toMatchObject({ state: 'done', attempt: 1 })
        expect(server.sentBytes - before).toBe(MODEL.length - failed.doneBytes + 1)
      },
      // One after the other: the first part is whole before the second one fails.
      { limits: { parallel: 1 } },
    ))

  test('takes one stream from a server without ranges, and loses nothing when it breaks', () =>
    house(async (home) => {
      let breaks = 3
      server.behave = ({ range }) =>
        range?.last !== 0 && breaks-- > 0
          ? { kind: 'whole', cutAfterBytes: 100_000 * (3 - breaks) }
          : { kind: 'whole' }
      expect(await download(home)).toMatchObject({ state: 'done', attempt: 1 })
      expect(server.asked).toHaveLength(5)
      expect(await installedBytes(home)).toEqual(MODEL)
      expectSteadyProgress(home.seen)
    }))

  test('begins anew with one stream when ranges are ignored half-way', () =>
    house(async (home) => {
      server.behave = ({ range }) => (range?.last === 0 ? { kind: 'well' } : { kind: 'whole' })
      expect(await download(home)).toMatchObject({ state: 'done' })
      expect(server.asked.at(-1)?.range).toEqual({ first: 0, last: MODEL.length - 1 })
      expect(await installedBytes(home)).toEqual(MODEL)
      expectSteadyProgress(home.seen)
    }))

  test('begins anew when the file changes under it', () =>
    house(async (home) => {
      const changed = tinyGguf({ seed: 2 })
      server.onSent = () => {
        if (server.sentBytes > 200_000) server.content = changed
      }
      const end = await download(home)
      expect(end).toMatchObject({ state: 'done', attempt: 2, sha256: sha256Hex(changed) })
      expect(await installedBytes(home)).toEqual(changed)
      expectSteadyProgress(home.seen)
    }))

  test('begins anew when the file has become shorter (416), and no old byte stays', () =>
    house(async (home) => {
      const shorter = tinyGguf({ seed: 3, blockCount: 1 })
      expect(shorter.length).toBeLessThan((MODEL.length * 3) / 4)
      server.tags = false
      const { promise: changed, resolve: change } = Promise.withResolvers<void>()
      server.behave = ({ range }) =>
        range?.last === 0 ? { kind: 'well' } : { kind: 'cut', afterBytes: 40_000, until: changed }
      const { id } = await home.downloads.start(HUB_SOURCE)
      // Four parts of 40 000 bytes; the last of them lies beyond the end of the shorter file.
      await until(home.downloads, id, ({ doneBytes }) => doneBytes === 160_000)
      server.content = shorter
      server.behave = () => ({ kind: 'well' })
      change()
      expect(await atRest(home.downloads, id)).toMatchObject({
        state: 'done',
        attempt: 2,
        sha256: sha256Hex(shorter),
      })
      expect(await installedBytes(home)).toEqual(shorter)
    }))

  test('gives up on a file that never stays the same', () =>
    house(async (home) => {
      server.behave = ({ count }) => {
        server.content = tinyGguf({ seed: count })
        return { kind: 'well' }
      }
      expect(await download(home)).toMatchObject({
        state: 'failed',
        error: { code: 'DOWNLOAD_KEEPS_CHANGING' },
      })
      expect(await home.library.list()).toEqual([])
    }))
})

describe('a file that is not what it should be', () => {
  test('is kept aside, never listed, and can be fetched again', () =>
    house(async (home) => {
      server.behave = ({ range }) => (range?.first === 0 ? { kind: 'corrupt' } : { kind: 'well' })
      const bad = await download(home)
      expect(bad).toMatchObject({ state: 'quarantined', error: { code: 'DOWNLOAD_HASH_MISMATCH' } })
      expect(await home.library.list()).toEqual([])
      expect(existsSync(join(home.downloadsDirectory, `${bad.id}.quarantined`))).toBe(true)
      expect(await home.downloads.usedBytes()).toBeGreaterThan(0)
      server.behave = () => ({ kind: 'well' })
      await home.downloads.resume(bad.id)
      expect(await atRest(home.downloads, bad.id)).toMatchObject({ state: 'done', attempt: 2 })
      expect(await installedBytes(home)).toEqual(MODEL)
      expect(readdirSync(home.downloadsDirectory)).toEqual([`${bad.id}.json`])
    }))

  test('is deleted when the owner says so', () =>
    house(async (home) => {
      server.behave = () => ({ kind: 'corrupt' })
      const bad = await download(home)
      await home.downloads.cancel(bad.id)
      expect(readdirSync(home.downloadsDirectory)).toEqual([])
      expect(home.downloads.list()).toEqual([])
    }))

  test('is no model although its hash is right', () =>
    house(async (home) => {
      server.content = Buffer.alloc(300_000, 7)
      expect(await download(home)).toMatchObject({
        state: 'quarantined',
        error: { code: 'MODEL_FILE_INVALID', message: expect.not.stringContaining('.part') },
      })
      expect(await home.library.list()).toEqual([])
    }))

  test('is kept aside when it is not the one that the owner vouched for', () =>
    house(async ({ downloads }) => {
      const pinned = { kind: 'url', url: 'https://models.example/m.gguf', sha256: 'ab'.repeat(32) } as const
      const { id } = await downloads.start(pinned)
      expect(await atRest(downloads, id)).toMatchObject({ state: 'quarantined', hashOrigin: 'owner' })
    }))

  test.each([
    ['hash', { sha256: 'ab'.repeat(32) }, 'DOWNLOAD_HASH_CHANGED'],
    ['size', { sizeBytes: MODEL.length - 1 }, 'DOWNLOAD_SIZE_WRONG'],
  ])(
    'is refused before a byte of it is kept when the hub names another %s than the catalogue',
    (_, wrong, code) =>
      house(async ({ downloads }) => {
        const { id } = await downloads.start({ kind: 'catalogue', entry: { ...ENTRY, ...wrong } })
        expect(await atRest(downloads, id)).toMatchObject({ state: 'failed', doneBytes: 0, error: { code } })
        expect(server.sentBytes).toBeLessThanOrEqual(1)
      }),
  )

  test('is taken when it is the one in the catalogue, and says so', () =>
    house(async ({ downloads, library }) => {
      const { id } = await downloads.start({ kind: 'catalogue', entry: ENTRY })
      expect(await atRest(downloads, id)).toMatchObject({ state: 'done', hashOrigin: 'catalogue' })
      expect(await library.locate(ENTRY.id)).toMatchObject({ license: 'Apache-2.0', sha256: SHA256 })
    }))

  test('is not downloaded when nobody names its hash', () =>
    house(async (home) => {
      server.announces = false
      expect(await download(home)).toMatchObject({
        state: 'failed',
        doneBytes: 0,
        error: { code: 'DOWNLOAD_HASH_UNKNOWN' },
      })
      expect(server.sentBytes).toBeLessThanOrEqual(1)
    }))

  test('is no longer than it says, or it is not taken', () =>
    house(async (home) => {
      server.behave = ({ range }) =>
        range?.last === 0 ? { kind: 'well' } : { kind: 'size', sizeBytes: MODEL.length + 5_000 }
      expect((await download(home)).state).toBe('failed')
      server.behave = () => ({ kind: 'size', sizeBytes: MODEL.length - 5_000 })
      const [job] = home.downloads.list()
      await home.downloads.resume(job?.id ?? '')
      expect(['failed', 'quarantined']).toContain((await atRest(home.downloads, job?.id ?? '')).state)
      expect(await home.library.list()).toEqual([])
    }))
})

describe('where a download may go', () => {
  test.each([
    ['a private address', 'https://10.0.0.7/model.gguf'],
    ['this machine', 'https://127.0.0.1/model.gguf'],
    ['plain http', 'http://cdn.hf.co/model.gguf'],
    ['a server that is not on the list', 'https://evil.example/model.gguf'],
    ['a look-alike', 'https://huggingface.co.evil.example/model.gguf'],
    ['another look-alike', 'https://evilhf.co/model.gguf'],
    ['another port', 'https://cdn.hf.co:8443/model.gguf'],
    ['an address with a password', 'https://me:secret@cdn.hf.co/model.gguf'],
    ['a file', 'file:///etc/passwd'],
  ])('not to %s', (_, location) =>
    house(async (home) => {
      server.behave = ({ host }) =>
        host === 'huggingface.co' ? { kind: 'redirect', location } : { kind: 'well' }
      expect(await download(home)).toMatchObject({
        state: 'failed',
        error: { code: 'DOWNLOAD_ADDRESS_REFUSED' },
      })
      expect(new Set(server.asked.map(({ host }) => host))).toEqual(new Set(['huggingface.co']))
    }),
  )

  test('over five redirects, not over six', () =>
    house(async (home) => {
      const hops =
        (count: number) =>
        (asked: { path: string }): Behaviour => {
          const hop = Number(asked.path.match(/^\/hop(\d)/)?.[1] ?? 0)
          return hop < count ? { kind: 'redirect', location: `/hop${hop + 1}` } : { kind: 'well' }
        }
      server.behave = hops(5)
      const first = await download(home)
      expect(first.state).toBe('done')
      await home.downloads.cancel(first.id)
      await home.library.remove(MODEL_ID)
      server.behave = hops(6)
      expect(await download(home)).toMatchObject({ state: 'failed', error: { code: 'DOWNLOAD_PROTOCOL' } })
    }))

  test('the hub names the hash, the server behind it sends the bytes', () =>
    house(async (home) => {
      server.announces = false
      server.behave = ({ host }) =>
        host === 'huggingface.co'
          ? {
              kind: 'redirect',
              location: 'https://us.aws.cdn.hf.co/blob?signed=1',
              headers: { 'x-linked-etag': `"${SHA256}"`, 'x-linked-size': String(MODEL.length) },
            }
          : { kind: 'well' }
      expect(await download(home)).toMatchObject({ state: 'done', hashOrigin: 'server', sha256: SHA256 })
    }))

  test('only the hub is believed about a hash', () =>
    house(async (home) => {
      server.announces = false
      server.behave = ({ host }) =>
        host === 'huggingface.co'
          ? { kind: 'redirect', location: 'https://cdn.hf.co/second' }
          : {
              kind: 'redirect',
              location: 'https://cdn.hf.co/second',
              headers: { 'x-linked-etag': `"${SHA256}"` },
            }
      expect((await download(home)).state).toBe('failed')
    }))

  test('a signed address that has run out is asked for again', () =>
    house(async (home) => {
      let expired = 2
      server.behave = ({ host, range }) => {
        if (host === 'huggingface.co') return { kind: 'redirect', location: 'https://cdn.hf.co/signed' }
        return range?.last !== 0 && expired-- > 0 ? { kind: 'status', status: 403 } : { kind: 'well' }
      }
      expect((await download(home)).state).toBe('done')
    }))

  test.each([
    [404, 'DOWNLOAD_NOT_FOUND'],
    [401, 'DOWNLOAD_FORBIDDEN'],
    [451, 'DOWNLOAD_REFUSED'],
  ])('status %i is final', (status, code) =>
    house(async (home) => {
      server.behave = () => ({ kind: 'status', status })
      expect(await download(home)).toMatchObject({ state: 'failed', error: { code } })
      expect(server.asked).toHaveLength(1)
    }),
  )
})

describe('the owner', () => {
  test('pauses and resumes without losing what is there', () =>
    house(async (home) => {
      server.behave = ({ range }) =>
        range?.last === 0 ? { kind: 'well' } : { kind: 'hang', afterBytes: 60_000 }
      const { id } = await home.downloads.start(HUB_SOURCE)
      await until(home.downloads, id, ({ doneBytes }) => doneBytes === 240_000)
      expect(await home.downloads.pause(id)).toMatchObject({ state: 'paused', doneBytes: 240_000 })
      server.behave = () => ({ kind: 'well' })
      const before = server.sentBytes
      await home.downloads.resume(id)
      expect((await atRest(home.downloads, id)).state).toBe('done')
      expect(server.sentBytes - before).toBe(MODEL.length - 240_000 + 1)
      expectSteadyProgress(home.seen)
    }))

  test('cancels, and nothing is left', () =>
    house(async (home) => {
      server.behave = ({ range }) =>
        range?.last === 0 ? { kind: 'well' } : { kind: 'hang', afterBytes: 50_000 }
      const { id } = await home.downloads.start(HUB_SOURCE)
      await until(home.downloads, id, ({ doneBytes }) => doneBytes > 50_000)
      await home.downloads.cancel(id)
      expect(readdirSync(home.downloadsDirectory)).toEqual([])
      expect(home.downloads.list()).toEqual([])
      expect(home.seen.at(-1)).toMatchObject({ id, state: 'cancelled' })
      await expect(home.downloads.pause(id)).rejects.toMatchObject({ code: 'DOWNLOAD_UNKNOWN' })
    }))

  test('gets one download at a time, in the order asked for, and one per model', () =>
    house(async (home) => {
      const [a, again, b] = await Promise.all([
        home.downloads.start(HUB_SOURCE),
        home.downloads.start(HUB_SOURCE),
        home.downloads.start({
          kind: 'hub-file',
          repository: 'owner/repo',
          file: 'second.gguf',
          url: 'https://huggingface.co/owner/repo/resolve/main/second.gguf',
        }),
      ])
      expect(again.id).toBe(a.id)
      await Promise.all([atRest(home.downloads, a.id), atRest(home.downloads, b.id)])
      const running = home.seen.filter(({ state }) => state === 'running' || state === 'verifying')
      const firstOfB = running.findIndex(({ id }) => id === b.id)
      expect(running.slice(firstOfB).every(({ id }) => id === b.id)).toBe(true)
      await expect(home.downloads.start(HUB_SOURCE)).rejects.toMatchObject({
        code: 'MODEL_ALREADY_INSTALLED',
      })
    }))

  test('has a limit kept, by the clock', () =>
    withDirectory(async (directory) => {
      let nowMs = 0
      const home = await openHouse({
        net: server.net(),
        directory,
        clock: { nowMs: () => nowMs },
        sleep: async (ms) => {
          nowMs += ms
        },
        bytesPerSecond: 100_000,
        limits: { parallel: 1 },
      })
      expect((await download(home)).state).toBe('done')
      // One second's worth is free at the start, the rest has to be waited for.
      expect(nowMs).toBeGreaterThanOrEqual(((MODEL.length - 100_000) / 100_000) * 1000 - 1000)
      await home.downloads.close()
    }))

  test('pays nothing on a metered network unless he says so', () =>
    withDirectory(async (directory) => {
      let metered = true
      let changed = (): void => {}
      const metering = {
        isMetered: () => metered,
        onChange: (listener: () => void) => {
          changed = listener
          return () => {}
        },
      }
      const home = await openHouse({ net: server.net(), directory, metering })
      const { id } = await home.downloads.start(HUB_SOURCE)
      await until(home.downloads, id, ({ waitingFor }) => waitingFor === 'network')
      expect(server.asked).toEqual([])
      server.behave = ({ range }) =>
        range?.last === 0 ? { kind: 'well' } : { kind: 'hang', afterBytes: 50_000 }
      metered = false
      changed()
      await until(home.downloads, id, ({ doneBytes }) => doneBytes > 50_000)
      metered = true
      changed()
      await until(home.downloads, id, ({ waitingFor }) => waitingFor === 'network')
      server.behave = () => ({ kind: 'well' })
      home.downloads.setAllowMetered(true)
      expect(await atRest(home.downloads, id)).toMatchObject({ state: 'done', attempt: 1 })
      expectSteadyProgress(home.seen)
      await home.downloads.close()
    }))
})

describe('the disk', () => {
  test('has no room: the download waits, says so, and goes on by itself', () => {
    const disk = fragileDisk()
    let roomBytes = 150_000
    disk.before = (operation, bytes) => {
      if (operation !== 'write') return
      if (bytes > roomBytes) throw new DiskFull()
      roomBytes -= bytes
    }
    let freeBytes = Number.MAX_SAFE_INTEGER
    disk.freeBytes = () => Promise.resolve(freeBytes)
    return house(
      async (home) => {
        const { id } = await home.downloads.start(HUB_SOURCE)
        home.downloads.onChange(() => {
          if (roomBytes < 70_000 && freeBytes > 0) freeBytes = 0
        })
        const waiting = await until(home.downloads, id, ({ waitingFor }) => waitingFor === 'disk')
        expect(waiting).toMatchObject({ state: 'waiting', error: { code: 'DISK_FULL' } })
        expect(waiting.doneBytes).toBeGreaterThan(0)
        freeBytes = Number.MAX_SAFE_INTEGER
        roomBytes = Number.MAX_SAFE_INTEGER
        expect(await atRest(home.downloads, id)).toMatchObject({ state: 'done', attempt: 1 })
        expect(await installedBytes(home)).toEqual(MODEL)
        expectSteadyProgress(home.seen)
      },
      { disk },
    )
  })

  test('is too small from the start: nothing is fetched', () => {
    const disk = fragileDisk()
    disk.freeBytes = () => Promise.resolve(MODEL.length - 1)
    return house(
      async (home) => {
        const { id } = await home.downloads.start(HUB_SOURCE)
        await until(home.downloads, id, ({ waitingFor }) => waitingFor === 'disk')
        expect(server.sentBytes).toBeLessThanOrEqual(1)
        expect((await home.downloads.pause(id)).state).toBe('paused')
      },
      { disk },
    )
  })

  test('goes away: the download fails with a sentence and goes on later', () => {
    const disk = fragileDisk()
    let writes = 0
    let gone = true
    disk.before = (operation) => {
      if (gone && operation === 'write' && ++writes > 5)
        throw Object.assign(new Error('gone'), { code: 'EIO' })
    }
    return house(
      async (home) => {
        const failed = await download(home)
        expect(failed).toMatchObject({ state: 'failed', error: { code: 'DOWNLOAD_DISK_ERROR' } })
        gone = false
        await home.downloads.resume(failed.id)
        expect((await atRest(home.downloads, failed.id)).state).toBe('done')
        expect(await installedBytes(home)).toEqual(MODEL)
      },
      { disk },
    )
  })
})
