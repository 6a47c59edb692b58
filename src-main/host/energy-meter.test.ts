import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createEnergyMeter } from './energy-meter.ts'

const TICK_MS = 2_000

/** A machine that draws `watts`, seen through its CPU counter, its GPU or not at all. */
function machine(watts: number, sensor: 'cpu' | 'gpu' | null) {
  return async () => ({
    cpuEnergyJ: sensor === 'cpu' ? (watts * Date.now()) / 1000 : null,
    gpus:
      sensor === 'gpu'
        ? [{ id: 'a', powerW: watts, vramUsedBytes: null, load: null, temperatureC: null }]
        : [],
  })
}

function meterOf(sensor: 'cpu' | 'gpu' | null, declaredW: number | null) {
  return createEnergyMeter({
    sensors: machine(100, sensor),
    computesOn: () => (sensor === 'gpu' ? 'gpu' : 'cpu'),
    declaredPowerW: () => declaredW,
    onKnown: () => undefined,
    onUnpaid: () => undefined,
    clock: { nowMs: () => Date.now() },
  })
}

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

describe('the energy of jobs', () => {
  it.each(['cpu', 'gpu'] as const)('is measured over the time of the job (%s)', async (sensor) => {
    const meter = meterOf(sensor, 40)
    const end = meter.begin()
    await vi.advanceTimersByTimeAsync(5_000)
    end({ work: 10, tradeId: 'trade', ownKey: false })
    expect(meter.of('trade')).toBeNull()
    await vi.advanceTimersByTimeAsync(2 * TICK_MS)
    expect(meter.of('trade')?.label).toBe('measured')
    expect(meter.of('trade')?.energyJ).toBeCloseTo(500, 6)
    expect(meter.totals()).toEqual({ measuredJ: expect.closeTo(500, 6), declaredJ: 0, unknownJobs: 0 })
  })

  it('is shared by jobs at once, so that the parts are the whole', async () => {
    const meter = meterOf('cpu', null)
    const [quick, slow] = [meter.begin(), meter.begin()]
    await vi.advanceTimersByTimeAsync(4_000)
    quick({ work: 30, tradeId: 'quick', ownKey: false })
    slow({ work: 10, tradeId: 'slow', ownKey: false })
    await vi.advanceTimersByTimeAsync(2 * TICK_MS)
    expect(meter.of('quick')?.energyJ).toBeCloseTo(300, 6)
    expect(meter.of('slow')?.energyJ).toBeCloseTo(100, 6)
  })

  it('is told of before the meter is closed, and nothing after', async () => {
    const told: [string, string][] = []
    const meter = createEnergyMeter({
      sensors: machine(100, 'cpu'),
      computesOn: () => 'cpu',
      declaredPowerW: () => null,
      onKnown: (tradeId, { label }) => told.push([tradeId, label]),
      onUnpaid: () => told.push(['unpaid', '']),
      clock: { nowMs: () => Date.now() },
    })
    const [ended, running] = [meter.begin(), meter.begin()]
    await vi.advanceTimersByTimeAsync(3_000)
    ended({ work: 10, tradeId: 'ended', ownKey: false })
    await meter.close()
    expect(told).toEqual([['ended', 'measured']])
    running({ work: 10, tradeId: 'late', ownKey: false })
    await vi.advanceTimersByTimeAsync(3 * TICK_MS)
    expect(told).toHaveLength(1)
  })

  it('waits for jobs that ran beside it', async () => {
    const meter = meterOf('cpu', null)
    const [short, long] = [meter.begin(), meter.begin()]
    await vi.advanceTimersByTimeAsync(2_000)
    short({ work: 10, tradeId: 'short', ownKey: false })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(meter.of('short')).toBeNull()
    long({ work: 20, tradeId: 'long', ownKey: false })
    await vi.advanceTimersByTimeAsync(2 * TICK_MS)
    expect(meter.of('short')?.energyJ).toBeCloseTo(100, 6)
    expect(meter.totals().measuredJ).toBeCloseTo(400, 6)
  })

  it('is what the owner declared where there is no sensor, and unknown where he said nothing', async () => {
    for (const [declaredW, energy] of [
      [40, { label: 'declared', energyJ: expect.closeTo(40, 6) }],
      [null, { label: 'unknown', energyJ: null }],
    ] as const) {
      const meter = meterOf(null, declaredW)
      const end = meter.begin()
      await vi.advanceTimersByTimeAsync(1_000)
      end({ work: 1, tradeId: 'trade', ownKey: false })
      await vi.advanceTimersByTimeAsync(2 * TICK_MS)
      expect(meter.of('trade')).toEqual(energy)
    }
  })

  it('stops looking when nothing runs', async () => {
    const meter = meterOf('cpu', null)
    meter.begin()({ work: 1, tradeId: null, ownKey: false })
    await vi.advanceTimersByTimeAsync(10 * TICK_MS)
    expect(vi.getTimerCount()).toBe(0)
  })
})
