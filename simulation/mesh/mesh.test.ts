import { describe, expect, it } from 'vitest'
import type { Defect } from './house.ts'
import { simulateMesh } from './world.ts'

const SEEDS = [1, 2, 6, 8]

describe('a mesh of hosts on their real books', () => {
  it.each(SEEDS)('heals after everything that seed %i does to it', async (seed) => {
    const { broken, asked } = await simulateMesh(seed)
    expect(broken).toEqual([])
    expect(asked).toBeGreaterThan(0)
  })

  it('is the same mesh every time', async () => {
    const [first, second] = [await simulateMesh(2), await simulateMesh(2)]
    expect(second).toEqual(first)
    expect(first.trades).toBeGreaterThan(0)
  })
})

/** Each law is there because it can be broken. */
const FOUND: [Defect, RegExp][] = [
  ['holds', /still holds \d+ TRM/],
  ['forgets', /have booked 0 and [1-9]\d* trades|have booked [1-9]\d* and 0 trades/],
  ['deaf', /misses/],
  ['mute', /has paid for \d+ tokens, and 0 came/],
  ['rots', /is damaged at byte/],
]

describe('a defect', () => {
  it.each(FOUND)('“%s” breaks a law', async (defect, law) => {
    const { broken } = await simulateMesh(7, { hosts: 4, asks: 12 }, defect)
    expect(broken.join('\n')).toMatch(law)
  })
})
