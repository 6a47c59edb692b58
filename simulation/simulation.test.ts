import { describe, expect, it } from 'vitest'
import { simulate, type WorldSize } from './index.ts'

const SMALL: Partial<WorldSize> = { nodes: 16, days: 14, steps: 50 }
const SMALL_SEEDS = 36
const DRAWN_SEEDS = 4

/** What a person needs to see it again. */
async function lawsBroken(seed: number, size: Partial<WorldSize>): Promise<string[]> {
  const { broken } = await simulate(seed, { size })
  if (!broken) return []
  return [`seed ${seed}, size ${JSON.stringify(size)}, step ${broken.step}, ${broken.action}: ${broken.law}`]
}

describe('a whole market on the real books', () => {
  it('keeps every law in small worlds', async () => {
    for (let seed = 1; seed <= SMALL_SEEDS; seed++) expect(await lawsBroken(seed, SMALL)).toEqual([])
  })

  it('keeps every law in worlds of the size that their seed draws', async () => {
    for (let seed = 1_001; seed <= 1_000 + DRAWN_SEEDS; seed++) expect(await lawsBroken(seed, {})).toEqual([])
  })

  it('is the same world every time', async () => {
    const lives = [0, 1].map(async () => {
      const lines: string[] = []
      const report = await simulate(7, { size: SMALL, trace: (line) => lines.push(line) })
      return { report, lines }
    })
    const [first, second] = await Promise.all(lives)
    expect(first?.lines.length).toBeGreaterThan(50)
    expect(second).toEqual(first)
  })

  it('refuses attacks of many kinds', async () => {
    const { tally } = await simulate(1_003)
    expect(tally.attacksTried).toBeGreaterThan(30)
    expect(tally.attacks.size).toBeGreaterThan(15)
    expect(tally.attacksRefused).toBe(tally.attacksTried)
  })
})
