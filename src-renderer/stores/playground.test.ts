import { describe, expect, it } from 'vitest'
import { HostCallError } from '../client/index.ts'
import { FakeClient } from '../testing/fake-client.ts'
import { sampleQuestion, sampleThought } from '../testing/reason-samples.ts'
import { createPlaygroundStore } from './playground.ts'

async function ready(tasks = ['maze', 'sudoku-6x6']) {
  const client = new FakeClient()
  let seed = 0
  const store = createPlaygroundStore(client, () => ++seed)
  void store.getState().load()
  await client.answer('reason.tasks', { tasks })
  return { client, store, state: () => store.getState() }
}

const question = (seed = 1) => ({ input: sampleQuestion('sudoku-6x6', seed) })
const refusal = new HostCallError({ code: 'KILL_SWITCH', message: 'Stopped.', nextStep: 'Let it go on.' })

describe('playground store', () => {
  it('asks for a question of a task that has a board, and keeps it when it loads again', async () => {
    const { client, state } = await ready()
    expect(client.inputs('reason.example')).toEqual([{ task: 'sudoku-6x6', seed: 1 }])
    await client.answer('reason.example', question())
    void state().load()
    await client.answer('reason.tasks', { tasks: ['maze', 'sudoku-6x6'] })
    expect(client.inputs('reason.example')).toEqual([])
    expect(state()).toMatchObject({ task: 'sudoku-6x6', drawing: false, ...question() })
  })

  it('has nothing to ask where the host has no weights', async () => {
    const { client, state } = await ready([])
    expect(state()).toMatchObject({ tasks: [], task: null, input: null })
    await state().think()
    expect(client.calls).toEqual([])
  })

  it('goes to another task when the host no longer has the chosen one', async () => {
    const { client, state } = await ready()
    await client.answer('reason.example', question())
    void state().load()
    await client.answer('reason.tasks', { tasks: ['maze'] })
    expect(state().task).toBe('maze')
    expect(client.inputs('reason.example')).toMatchObject([{ task: 'maze' }])
  })

  it('shows the question that was asked for last, whichever comes first', async () => {
    const { client, state } = await ready()
    void state().choose('maze')
    expect(client.inputs('reason.example').map(({ task }) => task)).toEqual(['sudoku-6x6', 'maze'])
    await client.answer('reason.example', question())
    expect(state()).toMatchObject({ task: 'maze', input: null, drawing: true })
    await client.answer('reason.example', { input: 'a maze' })
    expect(state()).toMatchObject({ input: 'a maze', example: 'a maze', drawing: false })
  })

  it('sends the question as it was edited, and holds it until the thought ends', async () => {
    const { client, state } = await ready()
    await client.answer('reason.example', question())
    state().edit({ cells: [1] })
    state().setEffort('low')
    void state().think()
    void state().think()
    state().edit({ cells: [2] })
    await state().choose('maze')
    await state().draw()
    expect(client.calls.map(({ procedure }) => procedure)).toEqual(['reason.run'])
    expect(client.inputs('reason.run')).toMatchObject([
      { task: 'sudoku-6x6', input: { cells: [1] }, effort: 'low' },
    ])
    await client.answer('reason.run', sampleThought('sudoku-6x6'))
    expect(state()).toMatchObject({
      thinking: false,
      task: 'sudoku-6x6',
      input: { cells: [1] },
      thought: { task: 'sudoku-6x6', input: { cells: [1] }, verified: true },
    })
  })

  it('keeps the thought while the question is edited, and drops it with the question', async () => {
    const { client, state } = await ready()
    await client.answer('reason.example', question())
    void state().think()
    await client.answer('reason.run', sampleThought('sudoku-6x6'))
    state().edit({ cells: [3] })
    expect(state().thought).not.toBeNull()
    void state().draw()
    expect(state().thought).toBeNull()
  })

  it('says why it was refused, keeps the question and the last thought, and may be asked again', async () => {
    const { client, state } = await ready()
    await client.answer('reason.example', question())
    void state().think()
    await client.answer('reason.run', sampleThought('sudoku-6x6'))
    void state().think()
    await client.fail('reason.run', refusal)
    expect(state()).toMatchObject({
      thinking: false,
      thinkError: { code: 'KILL_SWITCH', message: 'Stopped.', nextStep: 'Let it go on.' },
      ...question(),
    })
    expect(state().thought).not.toBeNull()
    void state().think()
    expect(state().thinkError).toBeNull()
  })

  it('keeps what is there when another question cannot be had', async () => {
    const { client, state } = await ready()
    await client.answer('reason.example', question())
    void state().draw()
    await client.fail('reason.example', refusal)
    expect(state()).toMatchObject({ drawing: false, drawError: { code: 'KILL_SWITCH' }, ...question() })
  })
})
