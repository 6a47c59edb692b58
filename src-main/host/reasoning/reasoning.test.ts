import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { ReasonRequest } from '../../recursion/index.ts'
import { createReasoning, type Reasoning } from './reasoning.ts'

const cores = availableParallelism()
/** Nothing can be right, so that every step is done. */
const QUESTION = { task: 'sudoku-4x4', input: { cells: [1, 1, ...Array(14).fill(0)] } }
const LONG: ReasonRequest = { ...QUESTION, steps: 16 }
const ENDLESS: ReasonRequest = { ...QUESTION, effort: 'high' }
const guest = (tenant: string) => ({ tenant, priority: 'paid' as const })
const never = new AbortController().signal

let reasoning: Reasoning
let mostAtOnce = 0
afterEach(() => reasoning.close())

function open(concurrency: () => number): Reasoning {
  mostAtOnce = 0
  reasoning = createReasoning({
    workerUrl: new URL('./reasoning.worker.ts', import.meta.url),
    directory: join(import.meta.dirname, '../../../resources/recursion'),
    concurrency,
    onJobs: () => {
      mostAtOnce = Math.max(mostAtOnce, reasoning.jobs().running)
    },
  })
  return reasoning
}

it.each([1, 64])(
  'thinks about at most %d questions at once, and never more than there are cores',
  async (most) => {
    open(() => most)
    const thoughts = Array.from({ length: 4 }, (_, i) => reasoning.reason(LONG, guest(`${i}`), never))
    const done = await Promise.all(thoughts)
    expect(mostAtOnce).toBe(Math.min(most, cores))
    expect(new Set(done.map(({ flop }) => flop)).size).toBe(1)
    expect(reasoning.jobs()).toEqual({ running: 0, queued: 0 })
  },
)

it('follows a lower setting when a thought ends, and looks up what it is asked meanwhile', async () => {
  let most = 64
  open(() => most)
  const first = [reasoning.reason(LONG, guest('a'), never), reasoning.reason(LONG, guest('b'), never)]
  await Promise.all(first)
  most = 1
  mostAtOnce = 0
  const more = ['a', 'b', 'c'].map((tenant) => reasoning.reason(LONG, guest(tenant), never))
  expect(await reasoning.bound(LONG)).toBeGreaterThan(0n)
  await Promise.all(more)
  expect(mostAtOnce).toBe(1)
})

it('gives turns to those who asked less', async () => {
  open(() => 1)
  const order: string[] = []
  const ask = async (tenant: string) => {
    await reasoning.reason(LONG, guest(tenant), never)
    order.push(tenant)
  }
  await Promise.all(['first', 'greedy', 'greedy', 'greedy', 'modest'].map(ask))
  expect(order.slice(0, 3)).toEqual(['first', 'greedy', 'modest'])
})

it('whoever leaves frees the thread, queued or under way, and others still get their answers', async () => {
  open(() => 1)
  const [thinking, queued] = [new AbortController(), new AbortController()]
  const left = [
    reasoning.reason(ENDLESS, guest('a'), thinking.signal),
    reasoning.reason(ENDLESS, guest('b'), queued.signal),
  ].map((thought) => expect(thought).rejects.toMatchObject({ code: 'CANCELLED' }))
  const stays = reasoning.reason({ ...QUESTION, effort: 'low' }, guest('c'), never)
  queued.abort()
  thinking.abort()
  await Promise.all(left)
  expect((await stays).steps).toHaveLength(4)
  await expect(reasoning.reason(LONG, guest('a'), AbortSignal.abort())).rejects.toMatchObject({
    code: 'CANCELLED',
  })
})

it('refuses more than may wait, and everybody when it closes', async () => {
  open(() => 1)
  const waiting = Array.from({ length: 17 }, (_, i) => reasoning.reason(ENDLESS, guest(`${i}`), never))
  const ends = waiting.map((thought) => expect(thought).rejects.toMatchObject({ code: 'REASONING_CRASHED' }))
  await expect(reasoning.reason(LONG, guest('late'), never)).rejects.toMatchObject({
    code: 'REASONING_BUSY',
    httpStatus: 429,
  })
  await reasoning.close()
  await Promise.all(ends)
  await expect(reasoning.tasks()).rejects.toMatchObject({ code: 'REASONING_CRASHED' })
})
