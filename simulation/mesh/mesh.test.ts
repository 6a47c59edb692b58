import { describe, expect, it } from 'vitest'
import { simulateMesh } from './world.ts'

const SEEDS = [1, 2, 4, 6]

describe('a mesh of hosts on their real books', () => {
  it.each(SEEDS)('heals after everything that seed %i does to it', async (seed) => {
    const { broken, asked } = await simulateMesh(seed)
    expect(broken).toEqual([])
    expect(asked).toBeGreaterThan(0)
  })

  it('is the same mesh every time', async () => {
    const [first, second] = [await simulateMesh(4), await simulateMesh(4)]
    expect(second).toEqual(first)
    expect(first.trades).toBeGreaterThan(0)
  })
})
