import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FairQueue } from './fair-queue.ts'

interface Job {
  tenant: string
  priority: 'owner' | 'paid'
  number: number
}

const paid = (tenant: string, number = 0): Job => ({ tenant, priority: 'paid', number })
const owner = (number = 0): Job => ({ tenant: 'owner', priority: 'owner', number })
const noneRuns = () => 0

function order(jobs: Job[], running: (tenant: string) => number = noneRuns): string {
  const queue = new FairQueue<Job>()
  for (const job of jobs) queue.add(job)
  const out: string[] = []
  for (let job = queue.next(running); job; job = queue.next(running)) out.push(job.tenant[0] ?? '')
  return out.join('')
}

describe('FairQueue', () => {
  test('tenants take turns, however much one asks for', () => {
    expect(order([paid('a'), paid('a'), paid('a'), paid('b'), paid('c'), paid('c')])).toBe('abcaca')
  })

  test('the owner goes first, every other time', () => {
    expect(order([paid('a'), paid('a'), owner(), owner(), owner()])).toBe('oaoao')
  })

  test('a tenant that has slots already waits for those that have none', () => {
    expect(order([paid('a'), paid('b')], (tenant) => (tenant === 'a' ? 3 : 0))).toBe('ba')
  })

  test('nothing is lost, a tenant stays in order, and nobody waits longer than everybody else together', () => {
    const jobs = fc.array(
      fc.record({
        tenant: fc.constantFrom('a', 'b', 'c', 'd'),
        priority: fc.constantFrom('owner', 'paid'),
      }),
      { maxLength: 40 },
    ) as fc.Arbitrary<Omit<Job, 'number'>[]>
    fc.assert(
      fc.property(jobs, fc.array(fc.nat(40), { maxLength: 5 }), (asked, removed) => {
        const queue = new FairQueue<Job>()
        const all = asked.map((job, number) => ({ ...job, number }))
        for (const job of all) queue.add(job)
        const gone = new Set(removed.flatMap((index) => all[index] ?? []))
        for (const job of gone) queue.remove(job)
        const left = all.filter((job) => !gone.has(job))
        expect(queue.size).toBe(left.length)
        expect(queue.waitingOf('a')).toBe(left.filter(({ tenant }) => tenant === 'a').length)
        const out: Job[] = []
        for (let job = queue.next(noneRuns); job; job = queue.next(noneRuns)) out.push(job)
        expect(new Set(out)).toEqual(new Set(left))
        for (const tenant of ['a', 'b', 'c', 'd']) {
          for (const priority of ['owner', 'paid']) {
            const own = out.filter((job) => job.tenant === tenant && job.priority === priority)
            expect(own.map(({ number }) => number)).toEqual(
              own.map(({ number }) => number).toSorted((x, y) => x - y),
            )
            // Four tenants in each of two lanes: a first turn comes among the first eight.
            const [first] = own
            if (first) expect(out.indexOf(first)).toBeLessThan(8)
          }
        }
      }),
    )
  })
})
