import { afterAll, beforeAll, expect, it } from 'vitest'
import { type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'

const data = temporaryDirectory()
let host: HostProcess

beforeAll(async () => {
  host = await startHeadless(data.path)
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

const SIDE = 6
/** Row by row; 0 is blank. */
const PUZZLE = [
  [0, 0, 3, 0, 5, 6],
  [4, 5, 0, 1, 0, 3],
  [0, 3, 1, 5, 6, 0],
  [5, 6, 0, 2, 3, 0],
  [3, 0, 2, 0, 4, 5],
  [6, 4, 0, 3, 0, 2],
].flat()

async function post(path: string, body: unknown) {
  const response = await host.api(path, { method: 'POST', body: JSON.stringify(body) })
  return { status: response.status, json: await response.json() }
}

const ask = (body: object) => post('/tirami/reason', body)

function isSolved(cells: readonly number[]): boolean {
  const digits = [...Array(SIDE).keys()].map((digit) => digit + 1)
  const groups = digits.flatMap((_, group) => {
    const row = cells.filter((_, cell) => Math.floor(cell / SIDE) === group)
    const column = cells.filter((_, cell) => cell % SIDE === group)
    const box = cells.filter((_, cell) => {
      const [y, x] = [Math.floor(cell / SIDE), cell % SIDE]
      return Math.floor(y / 2) * 2 + Math.floor(x / 3) === group
    })
    return [row, column, box]
  })
  return groups.every((group) => digits.every((digit) => group.includes(digit)))
}

it('names the tasks that it was trained for', async () => {
  const { tasks } = (await (await host.api('/tirami/reason/tasks')).json()) as { tasks: string[] }
  expect(tasks).toEqual(expect.arrayContaining(['sudoku-4x4', 'sudoku-6x6', 'maze']))
})

it('solves a puzzle, shows its steps, and books the work as a trade of its own', async () => {
  const { status, json } = await ask({ task: 'sudoku-6x6', input: { cells: PUZZLE } })
  expect(status).toBe(200)
  expect(json.verified).toBe(true)
  expect(isSolved(json.answer.cells)).toBe(true)
  for (const [cell, given] of PUZZLE.entries()) if (given > 0) expect(json.answer.cells[cell]).toBe(given)
  expect(json.steps.at(-1).answer).toEqual(json.answer)
  for (const step of json.steps) expect(step.halt_probability).toBeLessThanOrEqual(1)
  expect(json.x_tirami).toMatchObject({
    depth: json.steps.length,
    trm_cost: Math.ceil(json.x_tirami.flops / 1e9),
  })
  const { trades } = await (await host.api('/tirami/trades?limit=1')).json()
  expect(trades[0]).toMatchObject({
    trade_id: json.x_tirami.trade_id,
    model_id: 'trm-sudoku-6x6',
    trm_amount: json.x_tirami.trm_cost,
    tokens_processed: json.cycles,
  })
})

it('gives the same answer for the same seed, in as many steps', async () => {
  const body = { task: 'sudoku-6x6', input: { cells: PUZZLE }, effort: 'high', seed: 7 }
  const [first, second] = [await ask(body), await ask(body)]
  expect(second.json.steps).toEqual(first.json.steps)
  expect(second.json.x_tirami.flops).toBe(first.json.x_tirami.flops)
})

it('refuses what it does not know before any work, and charges nothing for it', async () => {
  const trades = async () => (await (await host.api('/tirami/network')).json()).total_trades
  const before = await trades()
  expect((await ask({ task: 'chess', input: {} })).status).toBe(404)
  expect((await ask({ task: 'sudoku-6x6', input: { cells: [1, 2] } })).status).toBe(400)
  expect((await ask({ task: 'sudoku-6x6', input: { cells: PUZZLE }, effort: 'endless' })).status).toBe(400)
  const readOnly = await post('/tirami/tokens/issue', { scope: 'readonly' })
  const response = await fetch(`${host.ready.api}/tirami/reason`, {
    method: 'POST',
    headers: { authorization: `Bearer ${readOnly.json.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ task: 'sudoku-6x6', input: { cells: PUZZLE } }),
  })
  expect(response.status).toBe(403)
  expect(await trades()).toBe(before)
})

it('the kill switch stops thoughts too', async () => {
  await post('/tirami/kill', { activate: true, reason: 'test', operator: 'owner' })
  expect((await ask({ task: 'sudoku-6x6', input: { cells: PUZZLE } })).status).toBe(503)
  await post('/tirami/kill', { activate: false, reason: 'test', operator: 'owner' })
  expect((await ask({ task: 'sudoku-6x6', input: { cells: PUZZLE } })).status).toBe(200)
})
