import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type JobShare, jobEnergy, type PowerSample } from './index.ts'

const ON_GPU = { computesOn: 'gpu', declaredW: null } as const
const ON_CPU = { computesOn: 'cpu', declaredW: null } as const

const job = (startedAtMs: number, endedAtMs: number, work = 1): JobShare => ({ startedAtMs, endedAtMs, work })
const gpu = (atMs: number, gpuPowerW: number | null): PowerSample => ({ atMs, gpuPowerW, cpuEnergyJ: null })
const cpu = (atMs: number, cpuEnergyJ: number | null): PowerSample => ({ atMs, gpuPowerW: null, cpuEnergyJ })

describe('energy of a job', () => {
  test('is the power over its time, where a sensor measures it', () => {
    const samples = [gpu(0, 100), gpu(1000, 300), gpu(2000, 300), gpu(9000, 300)]
    // 200 J while it rises, then 300 W for a second.
    expect(jobEnergy(job(0, 2000), [], samples, ON_GPU)).toEqual({ label: 'measured', energyJ: 500 })
  })

  test('is the difference of the counter on the CPU', () => {
    const samples = [cpu(0, 5000), cpu(1000, 5040), cpu(2000, 5100)]
    expect(jobEnergy(job(500, 1500), [], samples, ON_CPU)).toEqual({ label: 'measured', energyJ: 20 + 30 })
  })

  test('of a GPU includes the CPU beside it where that is known', () => {
    const samples: PowerSample[] = [
      { atMs: 0, gpuPowerW: 200, cpuEnergyJ: 10 },
      { atMs: 1000, gpuPowerW: 200, cpuEnergyJ: 40 },
    ]
    expect(jobEnergy(job(0, 1000), [], samples, ON_GPU)).toEqual({ label: 'measured', energyJ: 230 })
  })

  test('is what the owner declared where nothing measures it', () => {
    const declared = jobEnergy(job(0, 3000), [], [], { ...ON_GPU, declaredW: 150 })
    expect(declared).toEqual({ label: 'declared', energyJ: 450 })
  })

  test.each<[string, PowerSample[]]>([
    ['no samples', []],
    ['samples that begin late', [gpu(500, 100), gpu(2000, 100)]],
    ['samples that end early', [gpu(0, 100), gpu(900, 100)]],
    ['a sensor that fell silent', [gpu(0, 100), gpu(500, null), gpu(2000, 100)]],
    ['samples out of order', [gpu(0, 100), gpu(3000, 100), gpu(2000, 100)]],
  ])('is unknown with %s and nothing declared', (_, samples) => {
    expect(jobEnergy(job(0, 1000), [], samples, ON_GPU)).toEqual({ label: 'unknown', energyJ: null })
  })

  test('is not measured over a counter that started anew, nor by the CPU alone for work on a GPU', () => {
    expect(jobEnergy(job(0, 1000), [], [cpu(0, 900), cpu(1000, 5)], ON_CPU).label).toBe('unknown')
    expect(jobEnergy(job(0, 1000), [], [cpu(0, 5), cpu(1000, 900)], ON_GPU).label).toBe('unknown')
  })

  test('of jobs side by side goes by speed', () => {
    const fast = job(0, 1000, 300)
    const slow = job(0, 1000, 100)
    const samples = [gpu(0, 100), gpu(1000, 100)]
    expect(jobEnergy(fast, [slow], samples, ON_GPU).energyJ).toBeCloseTo(75, 9)
    expect(jobEnergy(slow, [fast], samples, ON_GPU).energyJ).toBeCloseTo(25, 9)
  })

  test('alone for a while and then side by side counts both', () => {
    const first = job(0, 2000, 20)
    const second = job(1000, 2000, 10)
    const samples = [gpu(0, 100), gpu(2000, 100)]
    expect(jobEnergy(first, [second], samples, ON_GPU)).toEqual({ label: 'measured', energyJ: 150 })
  })

  test('all parts together are what the machine used while anything ran', () => {
    const time = fc.integer({ min: 0, max: 100 })
    const jobs = fc.array(
      fc
        .tuple(time, time, fc.integer({ min: 0, max: 50 }))
        .map(([a, b, work]) => job(Math.min(a, b) * 10, Math.max(a, b) * 10, work)),
      { minLength: 1, maxLength: 6 },
    )
    const powers = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 11, maxLength: 11 })
    fc.assert(
      fc.property(jobs, powers, (list, watts) => {
        const samples = watts.map((powerW, index) => gpu(index * 100, powerW))
        const energy = (of: JobShare, beside: JobShare[]): number =>
          jobEnergy(of, beside, samples, ON_GPU).energyJ ?? Number.NaN
        const parts = list.map((one, index) =>
          energy(
            one,
            list.filter((_, other) => other !== index),
          ),
        )
        let whole = 0
        for (let at = 0; at < 1000; at += 10) {
          const runs = list.some(({ startedAtMs, endedAtMs }) => startedAtMs <= at && endedAtMs >= at + 10)
          if (runs) whole += energy(job(at, at + 10), [])
        }
        expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(whole, 6)
        for (const part of parts) expect(part).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
