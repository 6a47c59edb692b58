import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HostCallError } from '../client/index.ts'
import { FakeClient } from '../testing/fake-client.ts'
import { sampleEarnings, sampleStatus, sampleTrade } from '../testing/samples.ts'
import { isBusy } from './chat.ts'
import { describeHost } from './host-state.ts'
import { connectStores, createStores } from './index.ts'
import { TRADES_KEPT } from './trades.ts'

const CHAT = 'a'.repeat(32)
const OTHER_CHAT = 'b'.repeat(32)
const refused = new HostCallError({ code: 'BUSY', message: 'The host is busy.', nextStep: 'Try again.' })
const outcome = {
  chatId: CHAT,
  finishReason: 'stop' as const,
  promptTokens: 3,
  completionTokens: 2,
  amountTrm: '1',
  flop: '12',
  depth: 1,
  timeToFirstTokenMs: 5,
  latencyMs: 9,
}

function connected() {
  const client = new FakeClient()
  const stores = createStores(client)
  client.connect(true)
  const end = connectStores(client, stores)
  return { client, end, ...stores }
}

async function loaded(count: number) {
  const host = connected()
  const trades = Array.from({ length: count }, (_, index) => sampleTrade(index)).reverse()
  await host.client.answer('status.get', sampleStatus())
  await host.client.answer('earnings.get', sampleEarnings('24h', trades))
  await host.client.answer('trades.list', { trades, total: count })
  return host
}

describe('connection', () => {
  it('shows what it can ask while the event stream is not open yet, and asks again when it is', async () => {
    const client = new FakeClient()
    const stores = createStores(client)
    const { status, connection } = stores
    connectStores(client, stores)
    await client.answer('status.get', sampleStatus())
    expect(connection.getState().phase).toBe('connecting')
    expect(describeHost('connecting', status.getState()).label).toBe('Ready to earn')
    client.connect(true)
    expect(client.inputs('status.get')).toHaveLength(1)
  })

  it('asks for everything once the host is heard, and again after it was lost', async () => {
    const { client, connection } = await loaded(2)
    expect(connection.getState().phase).toBe('online')
    expect(client.calls).toHaveLength(0)

    client.connect(false)
    expect(connection.getState().phase).toBe('offline')
    expect(client.calls).toHaveLength(0)

    client.connect(true)
    expect(client.calls.map(({ procedure }) => procedure).sort()).toEqual([
      'earnings.get',
      'status.get',
      'trades.list',
    ])
  })

  it('keeps what it knew while the host is away, and shows the newer once it is back', async () => {
    const { client, trades, status } = await loaded(2)
    client.connect(false)
    expect(trades.getState().trades).toHaveLength(2)
    client.connect(true)
    await client.answer('trades.list', { trades: [sampleTrade(7)], total: 8 })
    await client.answer('status.get', sampleStatus({ version: '0.2.0' }))
    expect(trades.getState().trades?.map(({ index }) => index)).toEqual([7])
    expect(status.getState().status?.version).toBe('0.2.0')
  })

  it('takes no event twice or out of order', async () => {
    const { client, status } = await loaded(0)
    client.send('status.changed', sampleStatus({ reason: 'newer' }), 12)
    client.send('status.changed', sampleStatus({ reason: 'older' }), 11)
    client.send('status.changed', sampleStatus({ reason: 'again' }), 12)
    expect(status.getState().status?.reason).toBe('newer')
  })

  it('listens to a host that was started anew and counts from the beginning', async () => {
    const { client, status } = await loaded(0)
    client.send('status.changed', sampleStatus({ reason: 'before' }), 900)
    client.connect(false)
    client.connect(true)
    client.send('status.changed', sampleStatus({ reason: 'after' }), 1)
    expect(status.getState().status?.reason).toBe('after')
  })

  it('gives up an answer and asks anew when the host process is another one', async () => {
    const { client, chat } = await loaded(0)
    void chat.getState().ask('Hi')
    await client.answer('chat.start', { chatId: CHAT })
    client.send('status.changed', sampleStatus({ startedAtMs: 1 }))
    expect(chat.getState().exchanges.at(-1)?.error?.code).toBe('CONNECTION_LOST')
    expect(client.inputs('trades.list')).toHaveLength(1)
    expect(client.inputs('earnings.get')).toHaveLength(1)
  })

  it('keeps asking a host that it cannot hear, which may say why', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { client, status } = await loaded(0)
    client.connect(false)
    vi.advanceTimersByTime(5_000)
    await client.fail('status.get', refused)
    expect(status.getState().loadError?.code).toBe('BUSY')
    client.connect(true)
    client.calls.length = 0
    vi.advanceTimersByTime(60_000)
    expect(client.calls).toEqual([])
    vi.useRealTimers()
  })

  it('hears nothing after it was ended', async () => {
    const { client, end, status } = await loaded(0)
    end()
    client.send('status.changed', sampleStatus({ reason: 'late' }))
    expect(status.getState().status?.reason).not.toBe('late')
  })
})

describe('status', () => {
  it('drops an answer that an event has overtaken', async () => {
    const { client, status } = connected()
    client.send('status.changed', sampleStatus({ reason: 'event' }))
    await client.answer('status.get', sampleStatus({ reason: 'answer' }))
    expect(status.getState().status?.reason).toBe('event')
  })

  it('is pending while it pauses and takes the answer', async () => {
    const { client, status } = await loaded(0)
    const done = status.getState().pause()
    expect(status.getState().switching).toBe('pausing')
    await client.answer('host.pause', sampleStatus({ state: 'paused' }))
    await done
    expect(status.getState()).toMatchObject({ switching: null, status: { state: 'paused' } })
  })

  it('says why it could not pause, until the next try', async () => {
    const { client, status } = await loaded(0)
    const failed = status.getState().pause()
    await client.fail('host.pause', refused)
    await failed
    expect(status.getState().switchError).toEqual({
      code: 'BUSY',
      message: 'The host is busy.',
      nextStep: 'Try again.',
    })
    void status.getState().resume()
    expect(status.getState()).toMatchObject({ switching: 'resuming', switchError: null })
  })

  it('never calls a host earning that is idle, away or unknown', () => {
    const describeNow = (phase: 'online' | 'offline', change: Parameters<typeof sampleStatus>[0]) =>
      describeHost(phase, { status: sampleStatus(change), loadError: null }).label
    const jobs = { running: 1, queued: 0 }
    expect(describeNow('online', { jobs })).toBe('Earning')
    expect(describeNow('online', {})).toBe('Ready to earn')
    expect(describeNow('offline', { jobs })).toBe('Offline')
    expect(describeNow('online', { jobs, state: 'draining' })).toBe('Pausing')
    expect(describeNow('online', { state: 'engine-down' })).toBe('Engine down')
    expect(
      describeHost('online', {
        status: sampleStatus({ jobs, reason: 'Earning: answering requests now.' }),
        loadError: null,
      }).reason,
    ).toBe('Answering requests now.')
    expect(describeHost('online', { status: null, loadError: null }).label).toBe('Connecting')
    expect(describeHost('online', { status: null, loadError: refused }).label).toBe('Unknown')
  })
})

describe('earnings', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('shows the range that was chosen last, whatever answer comes last', async () => {
    const { client, earnings } = await loaded(0)
    void earnings.getState().selectRange('7d')
    void earnings.getState().selectRange('30d')
    const [week, month] = client.calls.splice(0)
    month?.resolve(sampleEarnings('30d', []))
    week?.resolve(sampleEarnings('7d', []))
    await vi.waitFor(() => expect(earnings.getState().earnings?.range).toBe('30d'))
    expect(earnings.getState()).toMatchObject({ range: '30d', loading: false })
  })

  it('asks once for a burst of trades', async () => {
    const { client } = await loaded(0)
    for (let index = 0; index < 20; index += 1) client.send('trade.booked', sampleTrade(index))
    expect(client.inputs('earnings.get')).toEqual([])
    vi.advanceTimersByTime(1_000)
    expect(client.inputs('earnings.get')).toEqual([{ range: '24h' }])
  })

  it('keeps the last totals when a refresh fails, and says so', async () => {
    const { client, earnings } = await loaded(3)
    void earnings.getState().load()
    await client.fail('earnings.get', refused)
    expect(earnings.getState().earnings?.rangeTrades).toBe(3)
    expect(earnings.getState().loadError?.code).toBe('BUSY')
  })
})

describe('trades', () => {
  it('puts a new trade on top, once', async () => {
    const { client, trades } = await loaded(3)
    client.send('trade.booked', sampleTrade(3))
    client.send('trade.booked', sampleTrade(3))
    client.send('trade.booked', sampleTrade(1))
    expect(trades.getState().trades?.map(({ index }) => index)).toEqual([3, 2, 1, 0])
    expect(trades.getState().total).toBe(4)
    expect([...trades.getState().liveIds]).toEqual([sampleTrade(3).tradeId])
  })

  it('orders by the log, not by arrival', async () => {
    const { client, trades } = await loaded(1)
    client.send('trade.booked', sampleTrade(5))
    client.send('trade.booked', sampleTrade(4))
    expect(trades.getState().trades?.map(({ index }) => index)).toEqual([5, 4, 0])
  })

  it('keeps a trade that was booked while the list was on its way', async () => {
    const { client, trades } = connected()
    client.send('trade.booked', sampleTrade(2))
    expect(trades.getState().trades).toBeNull()
    await client.answer('trades.list', { trades: [sampleTrade(1), sampleTrade(0)], total: 2 })
    expect(trades.getState().trades?.map(({ index }) => index)).toEqual([2, 1, 0])
    expect(trades.getState().total).toBe(3)
  })

  it('keeps the newest 200', async () => {
    const { client, trades } = await loaded(TRADES_KEPT)
    for (let index = TRADES_KEPT; index < TRADES_KEPT + 30; index += 1) {
      client.send('trade.booked', sampleTrade(index))
    }
    expect(trades.getState().trades).toHaveLength(TRADES_KEPT)
    expect(trades.getState().trades?.at(-1)?.index).toBe(30)
    expect(trades.getState().total).toBe(TRADES_KEPT + 30)
  })

  it('goes on from the oldest trade it has', async () => {
    const { client, trades } = connected()
    await client.answer('trades.list', { trades: [sampleTrade(9), sampleTrade(8)], total: 10 })
    const older = trades.getState().loadOlder()
    expect(client.inputs('trades.list')[0]).toMatchObject({ beforeIndex: 8 })
    await client.answer('trades.list', { trades: [sampleTrade(7)], total: 10 })
    await older
    expect(trades.getState().trades?.map(({ index }) => index)).toEqual([9, 8, 7])
  })

  it('keeps the outcome of a check by trade', async () => {
    const { client, trades } = await loaded(2)
    const { tradeId } = sampleTrade(0)
    const check = trades.getState().prove(tradeId)
    expect(trades.getState().proofs[tradeId]).toEqual({ phase: 'checking' })
    await client.fail('trades.prove', refused)
    await check
    expect(trades.getState().proofs[tradeId]).toMatchObject({ phase: 'failed', error: { code: 'BUSY' } })
    expect(trades.getState().proofs[sampleTrade(1).tradeId]).toBeUndefined()
  })
})

describe('chat', () => {
  const last = ({ chat }: Pick<ReturnType<typeof connected>, 'chat'>) => chat.getState().exchanges.at(-1)

  it('keeps deltas that come before the chat has its id, and only its own', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('What is TRM?')
    host.client.send('chat.delta', { chatId: CHAT, text: 'TRM ' })
    host.client.send('chat.delta', { chatId: OTHER_CHAT, text: 'not mine' })
    expect(last(host)).toMatchObject({ state: 'asking', answer: '' })
    await host.client.answer('chat.start', { chatId: CHAT })
    host.client.send('chat.delta', { chatId: CHAT, text: 'counts work.' })
    host.client.send('chat.delta', { chatId: OTHER_CHAT, text: 'not mine' })
    expect(last(host)).toMatchObject({ state: 'answering', answer: 'TRM counts work.' })
    host.client.send('chat.done', outcome)
    expect(last(host)).toMatchObject({ state: 'done', outcome: { amountTrm: '1' } })
    expect(isBusy(host.chat.getState())).toBe(false)
  })

  it('finishes an answer whose every event came before its id', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('Hi')
    host.client.send('chat.delta', { chatId: CHAT, text: 'Hello' })
    host.client.send('chat.done', outcome)
    await host.client.answer('chat.start', { chatId: CHAT })
    expect(last(host)).toMatchObject({ state: 'done', answer: 'Hello' })
  })

  it('asks one question at a time and sends along what went before', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('First')
    void host.chat.getState().ask('Too early')
    expect(host.client.inputs('chat.start')).toEqual([{ messages: [{ role: 'user', content: 'First' }] }])
    await host.client.answer('chat.start', { chatId: CHAT })
    host.client.send('chat.delta', { chatId: CHAT, text: 'One' })
    host.client.send('chat.done', outcome)
    void host.chat.getState().ask('Second')
    expect(host.client.inputs('chat.start')[0]?.messages.map(({ content }) => content)).toEqual([
      'First',
      'One',
      'Second',
    ])
  })

  it('stops an answer, also one that has no id yet', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('Hi')
    void host.chat.getState().stop()
    expect(host.client.inputs('chat.cancel')).toEqual([])
    await host.client.answer('chat.start', { chatId: CHAT })
    expect(host.client.inputs('chat.cancel')).toEqual([{ chatId: CHAT }])
    await host.client.answer('chat.cancel', {})
    host.client.send('chat.done', { ...outcome, finishReason: 'cancelled' })
    expect(host.chat.getState().stopping).toBe(false)
    expect(last(host)).toMatchObject({ state: 'done', outcome: { finishReason: 'cancelled' } })
  })

  it('shows a refusal and a failure with the next step, and leaves them out of what is sent later', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('Refused')
    await host.client.fail('chat.start', refused)
    expect(last(host)).toMatchObject({ state: 'failed', error: { nextStep: 'Try again.' } })
    void host.chat.getState().ask('Broken')
    await host.client.answer('chat.start', { chatId: CHAT })
    const error = { code: 'ENGINE_EXITED', message: 'The engine stopped.', nextStep: 'Ask again.' }
    host.client.send('chat.failed', { chatId: CHAT, error })
    expect(last(host)).toMatchObject({ state: 'failed', error })
    void host.chat.getState().ask('Third')
    expect(host.client.inputs('chat.start')[0]?.messages).toHaveLength(1)
  })

  it('gives up an answer when the connection is lost, keeping what it has', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('Hi')
    await host.client.answer('chat.start', { chatId: CHAT })
    host.client.send('chat.delta', { chatId: CHAT, text: 'Half' })
    host.client.connect(false)
    expect(last(host)).toMatchObject({ state: 'failed', answer: 'Half', error: { code: 'CONNECTION_LOST' } })
    host.client.connect(true)
    host.client.send('chat.delta', { chatId: CHAT, text: ' more' })
    expect(last(host)?.answer).toBe('Half')
  })

  it('cancels a chat that got its id after the connection was lost', async () => {
    const host = await loaded(0)
    void host.chat.getState().ask('Hi')
    host.client.connect(false)
    await host.client.answer('chat.start', { chatId: CHAT })
    expect(host.client.inputs('chat.cancel')).toEqual([{ chatId: CHAT }])
    expect(last(host)?.state).toBe('failed')
  })
})
