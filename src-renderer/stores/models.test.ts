import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Download } from '../../src-preload/contract/index.ts'
import { HostCallError } from '../client/index.ts'
import { FakeClient } from '../testing/fake-client.ts'
import { sampleDownload, sampleModels, sampleStatus } from '../testing/samples.ts'
import { connectStores, createStores } from './index.ts'

const refused = new HostCallError({
  code: 'MODEL_TOO_LARGE',
  message: 'The model is too large.',
  nextStep: 'Choose a smaller one.',
})

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function connected() {
  const client = new FakeClient()
  const { models } = createAndConnect(client)
  client.calls.length = 0
  return { client, models }
}

function createAndConnect(client: FakeClient) {
  const stores = createStores(client)
  client.connect(true)
  connectStores(client, stores)
  return stores
}

async function opened(downloads: Download[] = []) {
  const host = connected()
  void host.models.getState().load()
  await host.client.answer('models.get', sampleModels({ downloads }))
  return host
}

const shown = ({ models }: Pick<ReturnType<typeof connected>, 'models'>) =>
  models.getState().view?.downloads ?? []

describe('the view of models', () => {
  it('is not asked for before somebody looks at it', () => {
    const { client } = connected()
    client.send('models.changed', {})
    client.send('download.changed', sampleDownload())
    vi.advanceTimersByTime(60_000)
    expect(client.calls).toEqual([])
  })

  it('is replaced as a whole by each answer', async () => {
    const { client, models } = await opened()
    const done = models.getState().command('model x', 'models.delete', { id: 'x' })
    expect(models.getState().commands['model x']).toMatchObject({ phase: 'running' })
    const after = sampleModels({ installed: [] })
    await client.answer('models.delete', after)
    expect(await done).toBe(true)
    expect(models.getState().view).toEqual(after)
    expect(models.getState().commands).toEqual({})
  })

  it('is asked for once for a burst of changes', async () => {
    const { client } = await opened()
    for (let change = 0; change < 20; change += 1) client.send('models.changed', {})
    expect(client.calls).toEqual([])
    vi.advanceTimersByTime(1_000)
    expect(client.inputs('models.get')).toEqual([{}])
  })

  it('is asked for again when the host process is another one', async () => {
    const client = new FakeClient()
    const { status, models } = createAndConnect(client)
    status.getState().onStatusChanged(sampleStatus())
    void models.getState().load()
    await client.answer('models.get', sampleModels())
    client.send('status.changed', sampleStatus({ startedAtMs: 1 }))
    vi.advanceTimersByTime(1_000)
    expect(client.inputs('models.get')).toHaveLength(1)
  })

  it('keeps what it has when it cannot be asked for, and says why', async () => {
    const { client, models } = await opened()
    void models.getState().load()
    await client.fail('models.get', refused)
    expect(models.getState().view?.installed).toHaveLength(2)
    expect(models.getState().loadError?.code).toBe('MODEL_TOO_LARGE')
    void models.getState().load()
    await client.answer('models.get', sampleModels())
    expect(models.getState().loadError).toBeNull()
  })
})

describe('commands', () => {
  it('keeps a refusal with its next step by subject, until the next try', async () => {
    const { client, models } = await opened()
    const done = models.getState().command('model x', 'models.load', { id: 'x' })
    await client.fail('models.load', refused)
    expect(await done).toBe(false)
    expect(models.getState().commands).toMatchObject({
      'model x': { phase: 'failed', error: { nextStep: 'Choose a smaller one.' } },
    })
    void models.getState().command('model x', 'models.load', { id: 'x' })
    expect(models.getState().commands['model x']?.phase).toBe('running')
  })

  it('forgets a refusal when told so, and nothing that is under way', async () => {
    const { client, models } = await opened()
    const { command, forgive } = models.getState()
    void command('add', 'models.add', { source: 'x' })
    forgive('add')
    expect(models.getState().commands.add?.phase).toBe('running')
    await client.fail('models.add', refused)
    forgive('add')
    expect(models.getState().commands).toEqual({})
  })

  it('asks one thing at a time about a subject, and many about several', async () => {
    const { client, models } = await opened()
    const { command } = models.getState()
    void command('model x', 'models.load', { id: 'x' })
    expect(await command('model x', 'models.delete', { id: 'x' })).toBe(false)
    void command('model y', 'models.delete', { id: 'y' })
    expect(client.calls.map(({ procedure }) => procedure)).toEqual(['models.load', 'models.delete'])
  })
})

describe('downloads', () => {
  it('follows each one by its events, oldest first', async () => {
    const host = await opened([sampleDownload()])
    host.client.send('download.changed', sampleDownload({ id: 'older', createdAtMs: 1 }))
    host.client.send('download.changed', sampleDownload({ doneBytes: 500_000_000 }))
    expect(shown(host).map(({ id, doneBytes }) => [id, doneBytes])).toEqual([
      ['older', 402_653_184],
      ['d1', 500_000_000],
    ])
  })

  it.each(['done', 'cancelled'] as const)(
    'takes one away that is %s, and asks what came of it',
    async (state) => {
      const host = await opened([sampleDownload()])
      host.client.send('download.changed', sampleDownload({ state }))
      expect(shown(host)).toEqual([])
      vi.advanceTimersByTime(1_000)
      expect(host.client.inputs('models.get')).toHaveLength(1)
    },
  )

  it('does not take back by an old answer what an event has said meanwhile', async () => {
    const host = await opened([sampleDownload()])
    void host.models.getState().load()
    host.client.send('download.changed', sampleDownload({ state: 'paused' }))
    host.client.send('download.changed', sampleDownload({ id: 'new', createdAtMs: 1_900_000_000_000 }))
    await host.client.answer('models.get', sampleModels({ downloads: [sampleDownload()] }))
    expect(shown(host).map(({ id, state }) => [id, state])).toEqual([
      ['d1', 'paused'],
      ['new', 'running'],
    ])
  })

  it('does not show one again that ended while an answer was on its way', async () => {
    const host = await opened([sampleDownload()])
    void host.models.getState().load()
    host.client.send('download.changed', sampleDownload({ state: 'cancelled' }))
    await host.client.answer('models.get', sampleModels({ downloads: [sampleDownload()] }))
    expect(shown(host)).toEqual([])
  })

  it('looks at the disk now and then while bytes come, not at every event', async () => {
    const host = await opened([sampleDownload()])
    for (let second = 0; second < 9; second += 1) {
      host.client.send('download.changed', sampleDownload({ doneBytes: 402_653_184 + second }))
      vi.advanceTimersByTime(1_000)
    }
    expect(host.client.calls).toEqual([])
    vi.advanceTimersByTime(2_000)
    expect(host.client.inputs('models.get')).toHaveLength(1)
  })

  it('never falls back within an attempt, in whatever order answers and events come', async () => {
    const step = fc.record({
      by: fc.constantFrom('event' as const, 'answer' as const, 'event before an older answer' as const),
      attempt: fc.integer({ min: 1, max: 3 }),
      doneBytes: fc.integer({ min: 0, max: 1000 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const host = await opened()
        let before: Download | undefined
        for (const { by, attempt, doneBytes } of steps) {
          const download = sampleDownload({ attempt, doneBytes })
          const older = before === undefined ? [] : [before]
          if (by !== 'event') void host.models.getState().load()
          if (by !== 'answer') host.client.send('download.changed', download)
          if (by !== 'event') {
            const downloads = by === 'answer' ? [download] : older
            await host.client.answer('models.get', sampleModels({ downloads }))
          }
          const [now] = shown(host)
          expect(now?.attempt).toBe(attempt)
          if (before?.attempt === attempt) expect(now?.doneBytes).toBeGreaterThanOrEqual(before.doneBytes)
          else expect(now?.doneBytes).toBe(doneBytes)
          before = now
        }
        vi.clearAllTimers()
      }),
      { numRuns: 60 },
    )
  })
})
