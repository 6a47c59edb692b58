/**
 * What the window costs, each figure beside an empty React page that the same tool built and the same host serves in the
 * same run: bytes of the first load, first paint, heap after many live events, frames while an answer streams.
 * `node bench/window.ts [--rounds N] [--events N] [--answers N]`; needs a build and Chromium (`TIRAMI_CHROMIUM`).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type Browser, chromium, type Page } from 'playwright'
import { describeMachine, inMs, median, report } from './report.ts'
import { startTwoPages, type TwoPages } from './window-host.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    events: { type: 'string', default: '10000' },
    answers: { type: 'string', default: '40' },
  },
})
const [rounds, eventsWanted, answers] = [Number(values.rounds), Number(values.events), Number(values.answers)]
const LOOKS = 5
const ASKED_AT_ONCE = 4
const SETTLED_MS = 5_000
const QUESTION = 'How do I pause?'
const inKb = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`
const inMb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`
const times = (ours: number, reference: number): string => `${(ours / reference).toFixed(2)} ×`

/** The middle, and between which values the rounds lay. */
const spread = (measured: readonly number[], unit: (value: number) => string): string =>
  `${unit(median(measured))} (${unit(Math.min(...measured))} to ${unit(Math.max(...measured))})`

/** The page and every script and style that it names: what the first load waits for. */
function firstLoad(directory: string): { bytes: number; gzipBytes: number } {
  const html = readFileSync(join(directory, 'index.html'))
  const named = [...html.toString().matchAll(/(?:src|href)="\.\/([^"]+\.(?:js|css))"/g)].map(
    ([, name = '']) => readFileSync(join(directory, name)),
  )
  const files = [html, ...named]
  const sum = (sizeOf: (file: Buffer) => number) => files.reduce((all, file) => all + sizeOf(file), 0)
  return { bytes: sum((file) => file.length), gzipBytes: sum((file) => gzipSync(file).length) }
}

/** A page with nothing in its cache. */
async function openFresh(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' })
  const page = await context.newPage()
  await page.goto(url)
  await page.locator('h1').first().waitFor()
  return page
}

const close = (page: Page): Promise<void> => page.context().close()

interface Arrival {
  /** Milliseconds from the navigation to the first text or drawing on the screen. */
  firstPaintMs: number
  /** Milliseconds from the navigation to the frame after the first heading: in the window, how the host is. */
  headingMs: number
}

/** Looks on from before the page's own scripts. */
function watchArrival(): void {
  const seen = { firstPaintMs: 0, headingMs: 0 }
  Object.assign(globalThis, { benchArrival: seen })
  new PerformanceObserver((list) => {
    seen.firstPaintMs ||= list.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0
  }).observe({ type: 'paint', buffered: true })
  const observer = new MutationObserver(() => {
    if (document.querySelector('h1') === null) return
    observer.disconnect()
    requestAnimationFrame(() => {
      seen.headingMs = performance.now()
    })
  })
  observer.observe(document, { childList: true, subtree: true })
}

async function arrival(browser: Browser, url: string): Promise<Arrival> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' })
  await context.addInitScript(watchArrival)
  const page = await context.newPage()
  await page.goto(url)
  const seen = await page.waitForFunction(() => {
    const { benchArrival: arrived } = globalThis as unknown as { benchArrival: Arrival }
    return arrived.firstPaintMs > 0 && arrived.headingMs > 0 ? arrived : null
  })
  const arrived = (await seen.jsonValue()) as Arrival
  await context.close()
  return arrived
}

/** Bytes that are held right after a full collection. */
async function heldHeapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  // Finalisers run after the first collection and free more for the second.
  for (let round = 0; round < 2; round += 1) {
    await session.send('HeapProfiler.collectGarbage')
    await page.waitForTimeout(200)
  }
  const { usedSize } = (await session.send('Runtime.getHeapUsage')) as { usedSize: number }
  await session.detach()
  return usedSize
}

/** Guests and clients at work until the windows have been told of so many more things. */
async function untilEvents(pages: TwoPages, count: number): Promise<void> {
  const end = pages.events() + count
  const client = async () => {
    while (pages.events() < end) await pages.ask(QUESTION, 1)
  }
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, client))
}

/** Collects what a page needs to know of its frames: intervals between them, and tasks that held one up. */
async function watchFrames(page: Page): Promise<() => Promise<Frames>> {
  await page.evaluate(() => {
    const seen = { intervalsMs: [] as number[], longTasksMs: [] as number[] }
    Object.assign(globalThis, { benchFrames: seen })
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) seen.longTasksMs.push(duration)
    }).observe({ type: 'longtask' })
    let before = performance.now()
    const look = (now: number) => {
      seen.intervalsMs.push(now - before)
      before = now
      requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
  return () => page.evaluate(() => (globalThis as unknown as { benchFrames: Frames }).benchFrames)
}

interface Frames {
  intervalsMs: number[]
  /** Tasks of more than 50 ms. */
  longTasksMs: number[]
}

function percentile(measured: readonly number[], share: number): number {
  const sorted = measured.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** One answer after the other in the window's chat, all in one conversation. */
async function framesOfChat(browser: Browser, pages: TwoPages): Promise<Frames> {
  const page = await openFresh(browser, pages.window.url)
  await page.evaluate(() => {
    location.hash = '#/chat'
  })
  const box = page.getByRole('textbox')
  await box.waitFor()
  // The code of the other pages is fetched meanwhile.
  await page.waitForTimeout(SETTLED_MS)
  const read = await watchFrames(page)
  for (let answer = 1; answer <= answers; answer += 1) {
    await box.fill(QUESTION)
    await box.press('Enter')
    await page
      .locator('.exchange__cost')
      .nth(answer - 1)
      .waitFor()
  }
  const frames = await read()
  await close(page)
  return frames
}

/** The same answers for a client of the API, while the empty page draws its frames. */
async function framesOfReference(browser: Browser, pages: TwoPages): Promise<Frames> {
  const page = await openFresh(browser, pages.reference.url)
  const read = await watchFrames(page)
  for (let answer = 0; answer < answers; answer += 1) await pages.ask(QUESTION)
  const frames = await read()
  await close(page)
  return frames
}

function reportSize(pages: TwoPages): void {
  const [ours, reference] = [firstLoad(pages.window.directory), firstLoad(pages.reference.directory)]
  for (const [name, size] of [
    ['gzip', 'gzipBytes'],
    ['as it lies', 'bytes'],
  ] as const) {
    report(
      `First load, ${name}`,
      inKb(ours[size]),
      `${inKb(reference[size])} of an empty React page`,
      times(ours[size], reference[size]),
    )
  }
}

async function reportArrival(browser: Browser, pages: TwoPages): Promise<void> {
  const [ours, reference]: [Arrival[], Arrival[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    reference.push(await arrival(browser, pages.reference.url))
    ours.push(await arrival(browser, pages.window.url))
  }
  for (const [name, key] of [
    ['First contentful paint', 'firstPaintMs'],
    ['First heading', 'headingMs'],
  ] as const) {
    const [mine, empty] = [ours, reference].map((all) => all.map((arrived) => arrived[key])) as [
      number[],
      number[],
    ]
    report(
      `${name}, cold cache (median of ${rounds} in turn, and their range)`,
      spread(mine, inMs),
      `${spread(empty, inMs)} of an empty React page`,
      times(median(mine), median(empty)),
    )
  }
}

async function reportHeap(browser: Browser, pages: TwoPages): Promise<void> {
  const page = await openFresh(browser, pages.window.url)
  const reference = await openFresh(browser, pages.reference.url)
  await page.locator('table.trades, .empty').first().waitFor()
  const held = [await heldHeapBytes(page)]
  for (let look = 0; look < LOOKS; look += 1) {
    await untilEvents(pages, eventsWanted / LOOKS)
    // The last refreshes are under way.
    await page.waitForTimeout(1_500)
    held.push(await heldHeapBytes(page))
  }
  const [first = Number.NaN, last = Number.NaN] = [held[0], held.at(-1)]
  const emptyBytes = await heldHeapBytes(reference)
  await Promise.all([close(page), close(reference)])
  report(
    `Heap after ${eventsWanted} live events, collected`,
    `${inMb(last)}; on the way, every ${eventsWanted / LOOKS} events: ${held.map(inMb).join(', ')}`,
    `${inMb(emptyBytes)} of an empty React page`,
    `${times(last, emptyBytes)}; ${times(last, first)} its own before the events, ${times(last, held[1] ?? Number.NaN)} after the first fifth`,
  )
}

async function reportFrames(browser: Browser, pages: TwoPages): Promise<void> {
  const [ours, reference]: [Frames[], Frames[]] = [[], []]
  for (let round = 0; round < Math.ceil(rounds / 3); round += 1) {
    reference.push(await framesOfReference(browser, pages))
    ours.push(await framesOfChat(browser, pages))
  }
  const tell = (all: Frames[]): { words: string; middle: number; late: number } => {
    const intervals = all.flatMap(({ intervalsMs }) => intervalsMs)
    const long = all.flatMap(({ longTasksMs }) => longTasksMs)
    const [middle, late] = [percentile(intervals, 0.5), percentile(intervals, 0.99)]
    return {
      middle,
      late,
      words: `${inMs(middle)} median, ${inMs(percentile(intervals, 0.95))} 95 %, ${inMs(late)} 99 %, ${inMs(Math.max(...intervals))} longest of ${intervals.length} frames; ${long.length} tasks above 50 ms`,
    }
  }
  const [mine, empty] = [tell(ours), tell(reference)]
  report(
    `Time between frames while ${answers} answers stream into one conversation (${ours.length} rounds in turn)`,
    mine.words,
    `${empty.words}, of an empty React page while the same answers go to a client`,
    `${times(mine.middle, empty.middle)} median, ${times(mine.late, empty.late)} 99 %`,
  )
}

const executablePath = process.env.TIRAMI_CHROMIUM
if (!executablePath) throw new Error('Set TIRAMI_CHROMIUM to the path of a Chromium.')
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-window-'))
const pages = await startTwoPages(scratch)
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
try {
  describeMachine()
  reportSize(pages)
  await reportArrival(browser, pages)
  await reportFrames(browser, pages)
  await reportHeap(browser, pages)
} finally {
  await browser.close()
  await pages.end()
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
