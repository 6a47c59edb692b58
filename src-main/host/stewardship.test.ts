import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OwnerChange, TelemetryQuery } from '../../src-preload/contract/index.ts'
import { type Ledger, openLedger } from '../ledger/index.ts'
import { FAST_PARENT, ManualClock, withDirectory, workerUrl } from '../ledger/test-support.ts'
import { verifyTelemetry } from '../telemetry/index.ts'
import { createEarningRules, type JobReport, openStewardship, type Stewardship } from './stewardship.ts'

const DAY_MS = 86_400_000
const PRICED: OwnerChange[] = [
  { key: 'prices.per_trm', value: 0.01 },
  { key: 'prices.per_kwh', value: 0.36 },
]
/** 1 kWh costs 0.36: 100 kJ cost 0.01. */
const JOB: JobReport = {
  latencyMs: 500,
  amountTrm: 9n,
  flop: 9_000_000_000n,
  energyJ: 100_000,
  energySource: 'measured',
  depth: 1,
  ok: true,
  ownKey: false,
  model: 'tirami-concierge',
}

let directory: string
let clock: ManualClock
let ledger: Ledger
let stewardship: Stewardship
let leave: () => void
let gone: Promise<void>

async function open(initial: OwnerChange[] = []): Promise<void> {
  const rules = createEarningRules()
  ledger = await openLedger({
    directory: join(directory, 'ledger'),
    clock,
    projectionWorkerUrl: workerUrl,
    observer: {
      events: (events) => events.forEach(rules.observe),
      save: rules.save,
      restore: (saved) => rules.restore(saved as ReturnType<typeof rules.save>),
    },
  })
  stewardship = await openStewardship({ dataDirectory: directory, ledger, rules, clock, initial })
}
async function close(): Promise<void> {
  await stewardship.close()
  await ledger.close()
}
async function restart(between: () => void = () => undefined): Promise<void> {
  await close()
  between()
  await open()
}

beforeEach(async () => {
  clock = new ManualClock()
  await new Promise<void>((ready, failed) => {
    gone = withDirectory(async (path) => {
      directory = path
      await open()
      ready()
      await new Promise<void>((resolve) => {
        leave = resolve
      })
      await close()
    }, FAST_PARENT)
    gone.catch(failed)
  })
})
afterEach(async () => {
  leave()
  await gone
})

const ownerFile = () => join(directory, 'owner.yaml')
const fileText = () => readFileSync(ownerFile(), 'utf8')
const events = async (...kinds: string[]) => {
  const query = TelemetryQuery.parse({ limit: 500, ...(kinds.length > 0 ? { kinds } : {}) })
  return (await stewardship.queryTelemetry(query)).events.toReversed()
}
const payloads = async (...kinds: string[]) => (await events(...kinds)).map(({ payload }) => payload)
/** As an editor does it, and at another second than the last. */
function editByHand(text: string): void {
  writeFileSync(ownerFile(), text)
  const { mtimeMs } = statSync(ownerFile())
  utimesSync(ownerFile(), new Date(), new Date(mtimeMs + 5_000))
}

describe('the sentinel in force', () => {
  const breaches: [string, Partial<JobReport>][] = [
    ['daily_budget', { energyJ: 60_000_000, amountTrm: 10_000n }],
    ['recursion', { depth: 40_001 }],
    ['metrics', { latencyMs: Number.NaN }],
    ['metrics', { latencyMs: -1 }],
    ['metrics', { depth: 0.5 }],
    ['metrics', { flop: -1n }],
    ['metrics', { energyJ: Number.POSITIVE_INFINITY }],
    ['latency', { latencyMs: 900_001 }],
    ['roi_floor', { amountTrm: 0n, energyJ: 20_000_000 }],
  ]
  it.each(breaches)(
    '%s: one job past it, and the next is refused before any work',
    async (guardrail, breach) => {
      stewardship.set(PRICED, 'api')
      for (let i = 0; i < 12; i++) stewardship.jobDone(JOB)
      stewardship.assertMayServe()
      stewardship.jobDone({ ...JOB, ...breach })
      expect(() => stewardship.assertMayServe()).toThrow(
        expect.objectContaining({ code: 'SENTINEL_RED', httpStatus: 503 }),
      )
      const view = stewardship.sentinel()
      expect(view.level).toBe('red')
      expect(view.guardrails.filter(({ level }) => level === 'red').map(({ name }) => name)).toEqual([
        guardrail,
      ])
      expect(await payloads('SentinelStatus')).toMatchObject([
        { level: 'red', paused: true, reason: view.reason },
      ])
    },
  )

  it('stays red over a restart, until the owner resumes it', async () => {
    for (let i = 0; i < 15; i++) stewardship.jobDone({ ...JOB, ok: false })
    const { reason, pausedAtMs } = stewardship.sentinel()
    await restart()
    expect(stewardship.sentinel()).toMatchObject({ level: 'red', reason, pausedAtMs })
    expect(() => stewardship.assertMayServe()).toThrow('15 jobs in a row have failed')
    await stewardship.resumeSentinel('window')
    stewardship.assertMayServe()
    await restart()
    stewardship.assertMayServe()
    expect(await payloads('SentinelStatus', 'OwnerAction')).toMatchObject([
      { level: 'amber' },
      { level: 'red' },
      { action: 'sentinel-resumed', source: 'window' },
      { level: 'green', healthy: true, reason: null },
    ])
  })

  it('adds up a day over restarts and begins anew with the next', async () => {
    stewardship.set(PRICED, 'api')
    for (let i = 0; i < 3; i++) stewardship.jobDone({ ...JOB, amountTrm: 9_000n, energyJ: 10_000_000 })
    await restart()
    expect(stewardship.sentinel().costToday).toBeCloseTo(3, 9)
    clock.ms += DAY_MS
    expect(stewardship.sentinel().costToday).toBe(0)
  })

  it('computes no return and no cost where the owner has set no price or nothing is measured', async () => {
    for (let i = 0; i < 30; i++) stewardship.jobDone({ ...JOB, amountTrm: 0n })
    expect(stewardship.sentinel()).toMatchObject({
      level: 'green',
      roi: { net: null, samples: 0 },
      costToday: 0,
    })
    stewardship.set(PRICED, 'api')
    for (let i = 0; i < 30; i++) stewardship.jobDone({ ...JOB, energyJ: null, amountTrm: 0n })
    expect(stewardship.sentinel()).toMatchObject({ roi: { samples: 0 }, unmeasuredJobsToday: 60 })
    stewardship.jobDone(JOB)
    expect(stewardship.sentinel().roi).toMatchObject({ samples: 1, energy: 'measured' })
    expect(stewardship.sentinel().roi.gross).toBeCloseTo(9, 9)
  })

  it('a lowered limit stops the host at once; a clock that cannot be read refuses work and breaks nothing', () => {
    stewardship.set(PRICED, 'api')
    stewardship.jobDone({ ...JOB, amountTrm: 9_000n, energyJ: 30_000_000 })
    clock.ms = Number.NaN
    expect(() => stewardship.assertMayServe()).toThrow(expect.objectContaining({ code: 'CLOCK_UNREADABLE' }))
    stewardship.jobDone(JOB)
    expect(stewardship.sentinel().costToday).toBeCloseTo(3, 9)
    clock.ms = 1_700_000_000_000
    stewardship.assertMayServe()
    stewardship.set([{ key: 'sentinel.daily_budget', value: 2 }], 'api')
    expect(() => stewardship.assertMayServe()).toThrow(expect.objectContaining({ code: 'SENTINEL_RED' }))
  })

  it('an energy that is known only after the job counts when it comes, and pauses within that call', async () => {
    stewardship.set(PRICED, 'api')
    const tradeId = 'ab'.repeat(32)
    const late: JobReport = { ...JOB, energyJ: 'pending', tradeId, amountTrm: 10_000n }
    stewardship.jobDone(late)
    expect(stewardship.sentinel()).toMatchObject({
      costToday: 0,
      unmeasuredJobsToday: 0,
      roi: { samples: 0 },
    })
    stewardship.energyKnown('cd'.repeat(32), { label: 'measured', energyJ: 1e9 })
    stewardship.energyKnown(tradeId, { label: 'declared', energyJ: 1_000_000 })
    stewardship.energyKnown(tradeId, { label: 'declared', energyJ: 1_000_000 })
    expect(stewardship.sentinel().costToday).toBeCloseTo(0.1, 9)
    expect(stewardship.sentinel().roi).toMatchObject({ samples: 1, energy: 'declared' })
    stewardship.jobDone(late)
    stewardship.energyKnown(tradeId, { label: 'unknown', energyJ: null })
    expect(stewardship.sentinel().unmeasuredJobsToday).toBe(1)
    stewardship.jobDone(late)
    stewardship.assertMayServe()
    stewardship.energyKnown(tradeId, { label: 'measured', energyJ: 60_000_000 })
    expect(() => stewardship.assertMayServe()).toThrow(/Electricity cost/)
    expect(await payloads('JobEnergy')).toMatchObject([
      { trade_id: tradeId, energy_j: 1_000_000, energy_source: 'declared', cost: expect.closeTo(0.1, 9) },
      { energy_j: null, energy_source: null, cost: null },
      { energy_j: 60_000_000, energy_source: 'measured' },
    ])
  })

  it('200 ordinary jobs never stop it', () => {
    stewardship.set(PRICED, 'api')
    for (let i = 0; i < 200; i++) {
      clock.ms += 60_000
      stewardship.assertMayServe()
      stewardship.jobDone({ ...JOB, latencyMs: 100 + 40 * (i % 97), energyJ: 50_000 + 1000 * (i % 31) })
    }
    expect(stewardship.sentinel().level).toBe('green')
  })
})

describe('the thermostat in force', () => {
  it('moves along the return, tells why, and goes on after a restart where it was', async () => {
    stewardship.set(PRICED, 'api')
    const before = stewardship.depth()
    for (let i = 0; i < 20; i++) stewardship.jobDone(JOB)
    const after = stewardship.depth()
    expect(after).not.toEqual(before)
    const { sentence } = stewardship.console().thermostat
    expect(sentence).toMatch(/→.*over 20 jobs value was 9 times the electricity, above the target of 2\.$/)
    expect(await payloads('ThermostatUpdate')).toMatchObject([{ sentence, inner_cycles: after.innerCycles }])
    await restart()
    expect(stewardship.depth()).toEqual(after)
  })

  it('rests while full depth is forced, and goes on from where it was', () => {
    stewardship.set(PRICED, 'api')
    const own = stewardship.depth()
    stewardship.set([{ key: 'serving.force_full_depth', value: true }], 'window')
    const full = { innerCycles: 8, outerSteps: 16, haltThreshold: 0.85, concurrency: 6 }
    expect(stewardship.depth()).toEqual(full)
    for (let i = 0; i < 60; i++) stewardship.jobDone(JOB)
    expect(stewardship.depth()).toEqual(full)
    stewardship.set([{ key: 'sentinel.max_cycles', value: 18 }], 'window')
    expect(stewardship.depth().innerCycles * stewardship.depth().outerSteps).toBeLessThanOrEqual(18)
    stewardship.set(
      [
        { key: 'serving.force_full_depth', value: false },
        { key: 'sentinel.max_cycles', value: 40_000 },
      ],
      'window',
    )
    expect(stewardship.depth()).toEqual(own)
  })
})

describe('the owner’s file', () => {
  it('is written on the first start, for the owner only, and takes over what was chosen before', async () => {
    expect(statSync(ownerFile()).mode & 0o077).toBe(0)
    await close()
    rmSync(ownerFile())
    rmSync(join(directory, '.owner.last-good.yaml'))
    await open([{ key: 'serving.paused', value: true }])
    expect(fileText()).toMatch(/^ {2}paused: true$/m)
    expect(() => stewardship.assertMayServe()).toThrow(expect.objectContaining({ code: 'HOST_PAUSED' }))
  })

  it('takes changes from everywhere, keeps comments, and every change is in the telemetry', async () => {
    const heard: boolean[] = []
    stewardship.onPaused((paused) => heard.push(paused))
    editByHand(fileText().replace('daily_budget: 5', 'daily_budget: 7 # birthday'))
    expect(stewardship.console().values.sentinel.daily_budget).toBe(7)
    stewardship.set([{ key: 'sentinel.daily_budget', value: 8 }], 'window')
    stewardship.setPaused(true, 'api')
    stewardship.setPaused(true, 'api')
    expect(fileText()).toContain('daily_budget: 8 # birthday')
    editByHand(fileText().replace('paused: true', 'paused: false'))
    stewardship.assertMayServe()
    expect(heard).toEqual([true, false])
    expect(await payloads('OwnerAction')).toMatchObject([
      { action: 'set', source: 'file', key: 'sentinel.daily_budget', old: 5, new: 7 },
      { action: 'set', source: 'window', key: 'sentinel.daily_budget', old: 7, new: 8 },
      { action: 'set', source: 'api', key: 'serving.paused', old: false, new: true },
      { action: 'set', source: 'file', key: 'serving.paused', old: true, new: false },
    ])
  })

  it('a bad edit is refused with its line, and what was good stays in force, over a restart too', async () => {
    stewardship.set([{ key: 'sentinel.daily_budget', value: 8 }], 'api')
    const good = fileText()
    editByHand('serving:\n  paused: false\n  pasued: true\n')
    const expectRefused = () => {
      expect(stewardship.console().problem).toEqual({
        line: 3,
        reason: 'serving.pasued: there is no such setting.',
        code: 'unknown',
        params: { name: 'serving.pasued' },
      })
      expect(stewardship.values().sentinel.daily_budget).toBe(8)
      stewardship.assertMayServe()
    }
    expectRefused()
    expect(() => stewardship.set([{ key: 'serving.paused', value: true }], 'api')).toThrow(
      expect.objectContaining({ code: 'OWNER_FILE_INVALID', httpStatus: 409 }),
    )
    await restart()
    expectRefused()
    editByHand(good)
    expect(stewardship.console().problem).toBeNull()
    expect(await payloads('OwnerAction')).toMatchObject([
      { action: 'set' },
      { action: 'file-refused', source: 'file', line: 3, key: null },
      { action: 'file-refused', line: 3 },
    ])
  })

  it('what was changed while no host ran is told at the next start', async () => {
    await restart(() => editByHand(fileText().replace('failure_streak: 15', 'failure_streak: 2')))
    expect(await payloads('OwnerAction')).toMatchObject([
      { source: 'file', key: 'sentinel.failure_streak', old: 15, new: 2 },
    ])
  })

  it('a lost file is written again with the last good values; with nothing good ever, the host is paused', async () => {
    stewardship.setPaused(true, 'api')
    await restart(() => rmSync(ownerFile()))
    expect(stewardship.values().serving.paused).toBe(true)
    expect(fileText()).toContain('paused: true')
    await restart(() => {
      rmSync(join(directory, '.owner.last-good.yaml'))
      editByHand(': nonsense [')
    })
    expect(() => stewardship.assertMayServe()).toThrow(expect.objectContaining({ code: 'HOST_PAUSED' }))
    expect(stewardship.console().problem).not.toBeNull()
  })

  it('a file that goes away while the host runs changes nothing', () => {
    stewardship.setPaused(true, 'api')
    rmSync(ownerFile())
    expect(stewardship.console()).toMatchObject({
      problem: { line: null },
      values: { serving: { paused: true } },
    })
    stewardship.setPaused(false, 'api')
    expect(existsSync(ownerFile())).toBe(true)
    expect(stewardship.console().problem).toBeNull()
  })
})

describe('telemetry', () => {
  it('is whole after all this, and counts every job', async () => {
    stewardship.set(PRICED, 'api')
    for (let i = 0; i < 60; i++) stewardship.jobDone({ ...JOB, ok: i % 7 !== 0 })
    await restart()
    for (let i = 0; i < 10; i++) stewardship.jobDone(JOB)
    expect(await events('JobServed')).toHaveLength(70)
    expect((await payloads('JobServed'))[0]).toEqual({
      trade_id: null,
      model: 'tirami-concierge',
      ok: false,
      own_key: false,
      latency_ms: 500,
      depth: 1,
      flop: '9000000000',
      amount_trm: '9',
      energy_j: 100_000,
      energy_source: 'measured',
      value: 0.09,
      cost: expect.closeTo(0.01, 12),
    })
    await stewardship.telemetryCsv({}).next()
    expect(await verifyTelemetry(join(directory, 'telemetry'))).toMatchObject({ ok: true, tornBytes: 0 })
  })

  it('holds no prompt, answer, key, token or path that came near it', async () => {
    const marker = 'MARKER7f3a'
    const extra = { prompt: marker, answer: marker, apiKey: marker, token: marker }
    stewardship.jobDone({ ...JOB, ...extra } as JobReport)
    stewardship.jobDone({ ...JOB, model: `/home/${marker}/model.gguf` })
    stewardship.jobDone({ ...JOB, model: `C:\\Users\\${marker}\\model.gguf` })
    stewardship.jobDone({ ...JOB, model: `${marker} wrote this` })
    for (const [key, value] of [
      [`sentinel.${marker.toLowerCase()}`, 1],
      [marker, 1],
      ['prices.currency', marker],
    ] as const) {
      expect(() => stewardship.set([{ key, value }], 'api')).toThrow()
    }
    editByHand(`serving:\n  ${marker}: "${marker}"\n`)
    stewardship.console()
    editByHand(`# ${marker}\nprices: { currency: ${marker} }\n`)
    stewardship.console()
    expect(() =>
      stewardship.record('TRMInference', {
        task: 'sudoku-4x4',
        cycles: 1,
        steps: 1,
        halted: true,
        halt_probs: [1],
        success: null,
        prompt: marker,
      } as never),
    ).toThrow(expect.objectContaining({ code: 'TELEMETRY_EVENT_INVALID' }))
    expect((await events()).length).toBeGreaterThan(5)
    const telemetryDirectory = join(directory, 'telemetry')
    for (const name of readdirSync(telemetryDirectory)) {
      expect(readFileSync(join(telemetryDirectory, name), 'utf8').toLowerCase()).not.toContain(
        marker.toLowerCase(),
      )
    }
  })
})
