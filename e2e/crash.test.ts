import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import {
  endProcess,
  eventually,
  type HostProcess,
  root,
  startHeadless,
  temporaryDirectory,
} from './support/host.ts'
import { randomFrom } from './support/random.ts'

/** Random moments at which a host under load is killed; `npm run test:crash` has 200 of them. */
const KILLS = Number(process.env.TIRAMI_KILLS ?? 60)
/** Hosts with a data directory of their own, side by side. */
const LANES = 2
const CLIENTS = 4
const SEED = Number(process.env.TIRAMI_SEED ?? 20261121)

const data = temporaryDirectory()
afterAll(() => data.remove())

interface Lane {
  directory: string
  acknowledged: Set<string>
  random: () => number
}

/** Asks without pause until the host is gone; remembers every trade that the host acknowledged. */
async function load(host: HostProcess, lane: Lane, streamed: boolean): Promise<void> {
  const request = {
    model: host.ready.model,
    messages: [{ role: 'user' as const, content: 'hello' }],
    max_tokens: 4,
  }
  for (;;) {
    try {
      if (streamed) {
        const stream = await host.client.chat.completions.create({ ...request, stream: true })
        for await (const chunk of stream) remember(lane, chunk)
      } else {
        remember(lane, await host.client.chat.completions.create(request))
      }
    } catch {
      return
    }
  }
}

function remember(lane: Lane, answer: unknown): void {
  const cost = (answer as { x_tirami?: { trade_id: string } }).x_tirami
  if (cost) lane.acknowledged.add(cost.trade_id)
}

/** What a stranger finds in the journal: he must find it sound, and every acknowledged trade in it. */
function verifyJournal(lane: Lane): void {
  const verifier = spawnSync(
    process.execPath,
    [join(root, 'e2e/verify-journal.mjs'), join(lane.directory, 'ledger/journal.log'), '--list'],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  )
  const report = JSON.parse(verifier.stdout) as { ok: boolean; tradeIds: string[] }
  expect(report.ok, verifier.stdout.slice(0, 500)).toBe(true)
  const booked = new Set(report.tradeIds)
  for (const id of lane.acknowledged)
    expect(booked.has(id), `trade ${id} was acknowledged and is lost`).toBe(true)
}

/** Recovery itself may be cut off at any moment, too. */
async function killWhileStarting(lane: Lane): Promise<void> {
  const child = spawn(
    process.execPath,
    [join(root, 'out/main/headless.js'), '--data-dir', lane.directory, '--port', '0'],
    { stdio: 'ignore' },
  )
  await new Promise((resolve) => setTimeout(resolve, lane.random() * 1500))
  await endProcess(child, 'SIGKILL')
}

async function runLane(lane: Lane, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    if (kill % 10 === 9) await killWhileStarting(lane)
    const host = await startHeadless(lane.directory)
    const network = (await (await host.api('/tirami/network')).json()) as { total_trades: number }
    expect(network.total_trades).toBeGreaterThanOrEqual(lane.acknowledged.size)
    // Before the load: a running load may be seen in the middle of a write.
    if (kill % 20 === 19) verifyJournal(lane)
    const clients = Array.from({ length: CLIENTS }, (_, index) => load(host, lane, index % 2 === 0))
    // So many answers first, so that the load is real on a slow machine, too.
    const enough = lane.acknowledged.size + Math.floor(lane.random() * 5)
    await eventually(async () => lane.acknowledged.size >= enough)
    await new Promise((resolve) => setTimeout(resolve, lane.random() * 400))
    await host.end('SIGKILL')
    await Promise.all(clients)
  }
}

it(`no acknowledged trade is lost over ${KILLS} SIGKILLs at random moments under load (seed ${SEED})`, async () => {
  const lanes = Array.from({ length: LANES }, (_, index) => ({
    directory: join(data.path, `lane-${index}`),
    acknowledged: new Set<string>(),
    random: randomFrom(SEED + index),
  }))
  await Promise.all(lanes.map((lane) => runLane(lane, Math.ceil(KILLS / LANES))))
  for (const lane of lanes) {
    const host = await startHeadless(lane.directory)
    const network = (await (await host.api('/tirami/network')).json()) as { total_trades: number }
    await host.end('SIGTERM')
    verifyJournal(lane)
    expect(network.total_trades).toBeGreaterThanOrEqual(lane.acknowledged.size)
    // The load must have been real, or the test proves nothing.
    expect(lane.acknowledged.size).toBeGreaterThan(KILLS / LANES)
  }
})
