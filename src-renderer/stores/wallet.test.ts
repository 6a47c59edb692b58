import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HostCallError } from '../client/index.ts'
import { FakeClient } from '../testing/fake-client.ts'
import { sampleWallet } from '../testing/fake-economy.ts'
import { sampleStatus, sampleTrade } from '../testing/samples.ts'
import { connectStores, createStores } from './index.ts'

const refused = new HostCallError({
  code: 'INSUFFICIENT_BALANCE',
  message: 'Not that much is there.',
  nextStep: 'Stake less.',
})

// `setImmediate` stays real: the fake client waits by it.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

function connected() {
  const client = new FakeClient()
  const stores = createStores(client)
  client.connect(true)
  connectStores(client, stores)
  client.calls.length = 0
  return { client, ...stores }
}

async function opened() {
  const host = connected()
  void host.wallet.getState().load()
  await host.client.answer('wallet.get', sampleWallet())
  return host
}

const available = (availableTrm: number) => sampleWallet({ availableTrm: String(availableTrm) })

describe('the wallet', () => {
  it('is not asked for before somebody looks at it, and once for a burst of trades after', async () => {
    const { client, wallet } = connected()
    client.send('trade.booked', sampleTrade(1))
    vi.advanceTimersByTime(10_000)
    expect(client.inputs('wallet.get')).toEqual([])
    void wallet.getState().load()
    await client.answer('wallet.get', sampleWallet())
    for (let trade = 0; trade < 20; trade += 1) client.send('trade.booked', sampleTrade(trade))
    vi.advanceTimersByTime(1_000)
    expect(client.inputs('wallet.get')).toEqual([{}])
  })

  it('is asked for again when the host process is another one', async () => {
    const { client, status } = await opened()
    status.getState().onStatusChanged(sampleStatus())
    client.send('status.changed', sampleStatus({ startedAtMs: 1 }))
    vi.advanceTimersByTime(1_000)
    expect(client.inputs('wallet.get')).toHaveLength(1)
  })

  it('is replaced as a whole by the answer to a command', async () => {
    const { client, wallet } = await opened()
    const done = wallet.getState().command('stake', 'wallet.stake', { amountTrm: '100', days: 7 })
    expect(wallet.getState().commands.stake?.phase).toBe('running')
    expect(await wallet.getState().command('stake', 'wallet.stake', { amountTrm: '1', days: 7 })).toBeNull()
    await client.answer('wallet.stake', available(5))
    expect(await done).toEqual(available(5))
    expect(wallet.getState()).toMatchObject({ view: { availableTrm: '5' }, commands: {} })
  })

  it('keeps a refusal with its next step by subject until it is forgiven, and what it had', async () => {
    const { client, wallet } = await opened()
    const done = wallet.getState().command('stake', 'wallet.stake', { amountTrm: '100', days: 7 })
    await client.fail('wallet.stake', refused)
    expect(await done).toBeNull()
    expect(wallet.getState().view).toEqual(sampleWallet())
    expect(wallet.getState().commands.stake).toMatchObject({ error: { nextStep: 'Stake less.' } })
    wallet.getState().forgive('stake')
    expect(wallet.getState().commands).toEqual({})
  })

  it('is not taken back by an answer that a command has overtaken', async () => {
    const { client, wallet } = await opened()
    void wallet.getState().load()
    const done = wallet.getState().command('stake', 'wallet.stake', { amountTrm: '100', days: 7 })
    await client.answer('wallet.stake', available(5))
    await done
    await client.answer('wallet.get', available(105))
    expect(wallet.getState().view?.availableTrm).toBe('5')
  })

  it('ends with what the host last said, in whatever order commands and answers come', async () => {
    const step = fc.constantFrom('ask' as const, 'load' as const, 'answer' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(4)), { maxLength: 20 }), async (steps) => {
        const { client, wallet } = await opened()
        let changes = 0
        const answers: (() => void)[] = []
        const settle = () => new Promise((resolve) => setImmediate(resolve))
        // The host does a thing when it is asked; its answers travel at their own pace.
        const hear = () => {
          for (const call of client.calls.splice(0)) {
            if (call.procedure === 'wallet.deposit') changes += 1
            const said = available(changes)
            answers.push(() => call.resolve(said))
          }
        }
        for (const [index, [what, which]] of steps.entries()) {
          const { command, load } = wallet.getState()
          if (what === 'ask') void command(`s${index}`, 'wallet.deposit', { amountTrm: '1' })
          if (what === 'load') void load()
          hear()
          if (what === 'answer') answers.splice(which % Math.max(1, answers.length), 1)[0]?.()
          await settle()
        }
        for (let round = 0; round < 4; round += 1) {
          hear()
          for (const answer of answers.splice(0)) answer()
          await settle()
          vi.advanceTimersByTime(1_000)
        }
        expect(client.calls).toEqual([])
        expect(wallet.getState().view?.availableTrm).toBe(String(changes))
      }),
      { numRuns: 200 },
    )
  })
})
