import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tinyGguf } from '../testing/tiny-gguf.ts'
import type { Download } from './manager.ts'
import { type Behaviour, sha256Hex, startFaultyServer } from './testing/faulty-server.ts'
import { atRest, fragileDisk, HUB_SOURCE, openHouse, withDirectory } from './testing/house.ts'

const MODEL = tinyGguf({ seed: 1 })
const MODEL_ID = 'hf:owner/repo/model.gguf'
const CHILD = fileURLToPath(new URL('./testing/child.ts', import.meta.url))

/**
 * A process of its own that downloads until it has done, or until `killWhen` says so of what it has announced.
 * @returns what it announced, in order
 */
async function live(
  directory: string,
  port: number,
  killWhen: (download: Download) => boolean,
): Promise<Download[]> {
  const child = spawn(process.execPath, [CHILD, directory, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const views: Download[] = []
  createInterface(child.stdout).on('line', (line) => {
    const view = JSON.parse(line) as Download
    views.push(view)
    if (killWhen(view)) child.kill('SIGKILL')
  })
  await once(child, 'close')
  return views
}

test('a process that is killed goes on where it was, and its progress never falls', async () => {
  const server = await startFaultyServer(MODEL)
  try {
    await withDirectory(async (directory) => {
      const seen: Download[] = []
      // Too little at a time to be done in one life.
      server.behave = ({ range }) =>
        range?.last === 0 ? { kind: 'well' } : { kind: 'hang', afterBytes: 20_000 }
      let kept = 0
      for (let life = 1; life <= 3; life++) {
        const views = await live(directory, server.port, ({ doneBytes }) => doneBytes >= kept + 20_000)
        seen.push(...views)
        const last = views.at(-1)
        expect(last?.state).toBe('running')
        expect(last?.doneBytes).toBeGreaterThanOrEqual(kept + 20_000)
        kept = last?.doneBytes ?? 0
      }
      server.behave = () => ({ kind: 'well' })
      const sentBefore = server.sentBytes
      seen.push(...(await live(directory, server.port, () => false)))
      const end = seen.at(-1)
      expect(end).toMatchObject({ state: 'done', attempt: 1, sha256: sha256Hex(MODEL) })
      const counts = seen.map(({ doneBytes }) => doneBytes)
      expect(counts).toEqual(counts.toSorted((a, b) => a - b))
      expect(server.sentBytes - sentBefore).toBeLessThanOrEqual(MODEL.length - kept + 1)
      const [name] = readdirSync(directory).filter((entry) => entry.endsWith('.gguf'))
      expect(readFileSync(join(directory, name ?? ''))).toEqual(MODEL)
      expect(readdirSync(join(directory, 'downloads'))).toEqual([`${end?.id}.json`])
    })
  } finally {
    await server.close()
  }
})

const RUNS = Number(process.env.TIRAMI_DOWNLOAD_RUNS ?? 20)

const bytes = fc.integer({ min: 0, max: 150_000 })
const fault: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.constant<Behaviour>({ kind: 'well' }),
  bytes.map((afterBytes): Behaviour => ({ kind: 'cut', afterBytes })),
  bytes.map((afterBytes): Behaviour => ({ kind: 'short', afterBytes })),
  bytes.map((afterBytes): Behaviour => ({ kind: 'hang', afterBytes })),
  bytes.map((cutAfterBytes): Behaviour => ({ kind: 'whole', cutAfterBytes })),
  fc.constantFrom<Behaviour[]>(
    { kind: 'whole' },
    { kind: 'corrupt' },
    { kind: 'gzip' },
    { kind: 'too-much' },
    { kind: 'other-range' },
    { kind: 'size', sizeBytes: MODEL.length + 10 },
    { kind: 'size', sizeBytes: MODEL.length - 10 },
    { kind: 'status', status: 416 },
    { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
    { kind: 'status', status: 404 },
    { kind: 'redirect', location: 'https://cdn.hf.co/elsewhere' },
    { kind: 'redirect', location: 'https://10.0.0.1/' },
  ),
)
const schedule = fc.record({
  faults: fc.array(fault, { maxLength: 25 }),
  /** Changes that the disk takes before the process dies; one number per life. */
  deaths: fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 4 }),
  changesAt: fc.option(fc.integer({ min: 2, max: 12 }), { nil: null }),
})

test(
  'whatever happens, the file under the final name is the announced one or is not there',
  async () => {
    const other = tinyGguf({ seed: 2 })
    const honest = new Set([sha256Hex(MODEL), sha256Hex(other)])
    await fc.assert(
      fc.asyncProperty(schedule, async ({ faults, deaths, changesAt }) => {
        const server = await startFaultyServer(MODEL)
        try {
          await withDirectory(async (directory) => {
            const remaining = [...faults]
            server.behave = ({ count }) => {
              if (count === changesAt) server.content = other
              return remaining.shift() ?? { kind: 'well' }
            }
            const finalFile = () => {
              const name = readdirSync(directory).find((entry) => entry.endsWith('.gguf'))
              return name === undefined ? null : join(directory, name)
            }
            const assertHonest = () => {
              const path = finalFile()
              if (path !== null) expect(honest).toContain(sha256Hex(readFileSync(path)))
            }
            for (const changes of [...deaths, Number.POSITIVE_INFINITY]) {
              const disk = fragileDisk()
              let left = changes
              let dead = (): void => {}
              const died = new Promise<'died'>((resolve) => {
                dead = () => resolve('died')
              })
              // From here on nothing reaches the disk, as after a power cut; memory goes with it.
              disk.before = () => {
                if (left-- > 0) return
                dead()
                throw Object.assign(new Error('dead'), { code: 'EIO' })
              }
              const home = await openHouse({
                net: server.net(),
                directory,
                disk,
                limits: { stallMs: 60 },
              }).catch(() => null)
              if (!home) continue
              const job = await home.downloads.start(HUB_SOURCE).catch(() => home.downloads.list()[0])
              const end = job ? await Promise.race([atRest(home.downloads, job.id), died]) : 'died'
              if (end !== 'died' && changes === Number.POSITIVE_INFINITY) {
                // The faults are used up sooner or later; then an owner who insists gets his file.
                let state = end.state
                for (let attempt = 0; state !== 'done' && attempt < 40; attempt++) {
                  await home.downloads.resume(end.id)
                  state = (await atRest(home.downloads, end.id)).state
                  assertHonest()
                }
                expect(state).toBe('done')
              }
              await home.downloads.close()
              expectSteady(home.seen)
              assertHonest()
            }
            const path = finalFile()
            expect(path !== null && existsSync(path)).toBe(true)
            expect(sha256Hex(readFileSync(path ?? ''))).toBe(sha256Hex(server.content))
          })
        } finally {
          await server.close()
        }
      }),
      { numRuns: RUNS },
    )
  },
  RUNS * 10_000,
)

function expectSteady(seen: Download[]): void {
  for (const [i, now] of seen.entries()) {
    const before = seen[i - 1]
    if (before?.id === now.id && before.attempt === now.attempt)
      expect(now.doneBytes).toBeGreaterThanOrEqual(before.doneBytes)
  }
}

test('an unreadable state is set aside and the others go on', async () => {
  const server = await startFaultyServer(MODEL)
  try {
    await withDirectory(async (directory) => {
      server.behave = () => ({ kind: 'status', status: 404 })
      const home = await openHouse({ net: server.net(), directory })
      const { id } = await home.downloads.start(HUB_SOURCE)
      await atRest(home.downloads, id)
      await home.downloads.close()
      writeFileSync(join(directory, 'downloads', 'aaaaaaaaaaaaaaaa.json'), '{"version":1,')
      writeFileSync(join(directory, 'downloads', '.0123456789ab.tmp'), 'half')
      const again = await openHouse({ net: server.net(), directory })
      expect(again.downloads.list().map((download) => download.id)).toEqual([id])
      expect(readdirSync(join(directory, 'downloads')).sort()).toEqual(
        [`${id}.json`, 'aaaaaaaaaaaaaaaa.json.damaged'].sort(),
      )
      await again.downloads.close()
    })
  } finally {
    await server.close()
  }
})

test('a state that tells of bytes which are gone is not believed', async () => {
  const server = await startFaultyServer(MODEL)
  try {
    await withDirectory(async (directory) => {
      const home = await openHouse({ net: server.net(), directory })
      server.behave = ({ range }) => (range?.first === 0 ? { kind: 'well' } : { kind: 'status', status: 500 })
      const { id } = await home.downloads.start(HUB_SOURCE)
      expect((await atRest(home.downloads, id)).doneBytes).toBeGreaterThan(0)
      await home.downloads.close()
      writeFileSync(join(directory, 'downloads', `${id}.part`), '')
      server.behave = () => ({ kind: 'well' })
      const again = await openHouse({ net: server.net(), directory })
      await again.downloads.resume(id)
      expect(await atRest(again.downloads, id)).toMatchObject({ state: 'done', attempt: 2 })
      expect(readFileSync((await again.library.locate(MODEL_ID)).path)).toEqual(MODEL)
      await again.downloads.close()
    })
  } finally {
    await server.close()
  }
})
