import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  CONSUMER,
  FACTS,
  FAST_PARENT,
  ManualClock,
  nonce,
  open,
  PROVIDER,
  signed,
  terms,
  withDirectory,
} from './test-support.ts'

const run = promisify(execFile)
const HOUR = 3_600_000
const NOW_MS = Date.UTC(2026, 2, 30, 12)

/** Edges of days and of summer time, in UTC and in the zones below, with what each trade earned. */
const TRADES: readonly [utc: string, amountTrm: bigint][] = [
  ['2026-03-08T06:59:59.999Z', 1n], // New York, the last second of winter time
  ['2026-03-08T07:00:00.000Z', 2n],
  ['2026-03-28T10:59:59.999Z', 4n], // Apia, midnight
  ['2026-03-28T11:00:00.000Z', 8n],
  ['2026-03-28T23:59:59.999Z', 16n], // UTC, midnight
  ['2026-03-29T00:00:00.000Z', 32n],
  ['2026-03-29T00:59:59.999Z', 64n], // Berlin, the last second of winter time
  ['2026-03-29T01:00:00.000Z', 128n],
  ['2026-03-29T14:59:59.999Z', 256n], // Tokyo, midnight
  ['2026-03-29T15:00:00.000Z', 512n],
  ['2026-03-29T23:59:59.999Z', 1_024n],
]

/** Prints, as JSON, all that depends on a calendar. */
const program = (directory: string) => `
  const { openLedger, exportStatement, statementCsv, statementJson } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})
  const clock = { nowMs: () => ${NOW_MS} }
  const directory = ${JSON.stringify(directory)}
  const projectionWorkerUrl = new URL(${JSON.stringify(new URL('./projection.worker.ts', import.meta.url).href)})
  const ledger = await openLedger({ directory, clock, projectionWorkerUrl })
  const earnings = []
  for (const range of ['24h', '7d', '30d']) earnings.push(await ledger.earnings('${PROVIDER.publicKeyHex}', range))
  await ledger.close()
  const statements = []
  for (const [from, to] of [['2026-03-29', '2026-03-29'], [undefined, '2026-03-28'], ['2026-03-28T23:00:00-02:00', undefined]]) {
    const statement = await exportStatement(directory, { from, to, nowMs: clock.nowMs() })
    statements.push(statementCsv(statement), statementJson(statement))
  }
  console.log(JSON.stringify({ offset: new Date(clock.nowMs()).getTimezoneOffset(), earnings, statements }))
`

interface Printed {
  /** Minutes that the zone lies behind UTC. */
  offset: number
  earnings: { bucketMs: number; buckets: { startMs: number; amountTrm: string }[] }[]
  statements: string[]
}

async function printedIn(zone: string, directory: string): Promise<Printed> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program(directory)], {
    env: { ...process.env, TZ: zone, NODE_OPTIONS: '' },
  })
  return JSON.parse(stdout) as Printed
}

/** In minutes behind UTC on 30 March 2026. */
const ZONES: readonly [zone: string, offset: number][] = [
  ['UTC', 0],
  ['Europe/Berlin', -120],
  ['America/New_York', 240],
  ['Asia/Tokyo', -540],
  ['Pacific/Apia', -780],
]

describe('days in earnings and statements', () => {
  const printed = new Map<string, Printed>()

  beforeAll(() =>
    withDirectory(async (directory) => {
      const clock = new ManualClock()
      const ledger = await open(directory, { clock })
      for (const [number, [utc, amountTrm]] of TRADES.entries()) {
        clock.ms = Date.parse(utc)
        const parties = { consumer: CONSUMER.publicKeyHex, provider: PROVIDER.publicKeyHex }
        const limits = { creditLimitTrm: 1_000_000n, expiresAtMs: clock.ms + HOUR }
        const id = ledger.reserve({ ...parties, ...limits, amountTrm })
        const trade = terms(number, { amountTrm, timestampMs: BigInt(clock.ms), nonce: nonce(number) })
        await ledger.settle(id, signed(trade), FACTS)
      }
      await ledger.close()
      for (const [zone] of ZONES) printed.set(zone, await printedIn(zone, directory))
    }, FAST_PARENT),
  )

  it.each(ZONES)('are the same in %s as in UTC', (zone, offset) => {
    const here = printed.get(zone)
    expect(here?.offset).toBe(offset)
    expect([here?.earnings, here?.statements]).toEqual([
      printed.get('UTC')?.earnings,
      printed.get('UTC')?.statements,
    ])
  })

  it('begin at midnight in UTC', () => {
    const { earnings, statements } = printed.get('UTC') as Printed
    const amounts = (range: number, day: string) => {
      const found = earnings[range]?.buckets.find(({ startMs }) => startMs === Date.parse(day))
      return found?.amountTrm
    }
    expect(amounts(2, '2026-03-08')).toBe('3')
    expect(amounts(2, '2026-03-28')).toBe(String(4 + 8 + 16))
    expect(amounts(2, '2026-03-29')).toBe(String(32 + 64 + 128 + 256 + 512 + 1_024))
    expect(amounts(1, '2026-03-29')).toBe(String(32 + 64 + 128))
    expect(amounts(0, '2026-03-29T15:00Z')).toBe('512')
    for (const { bucketMs, buckets } of earnings) {
      for (const { startMs } of buckets) expect(startMs % bucketMs).toBe(0)
    }
    const totals = statements.flatMap((text) => /"total_trm_transferred":(\d+)/.exec(text)?.[1] ?? [])
    expect(totals).toEqual(['2016', '31', String(128 + 256 + 512 + 1_024)])
    expect(statements[0]).toContain(',2026-03-29T00:00:00.000Z,2026-03-29T23:59:59.999Z,')
  })
})
