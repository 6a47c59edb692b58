import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { type BridgeIpc, createBridge } from './bridge.ts'
import { bridgeProcedureNames } from './contract/names.ts'
import { type CallResult, type HostEvent, procedures } from './contract/schemas.ts'

const answer: CallResult = { ok: false, error: { code: 'X', message: 'm', nextStep: 'n' } }
const event: HostEvent = { seq: 1, name: 'chat.delta', data: { chatId: 'ab'.repeat(16), text: 'a' } }

/** Stands for `ipcRenderer`, which has far more than the page may see. */
class FakeIpc extends EventEmitter implements BridgeIpc {
  readonly invoke = vi.fn<BridgeIpc['invoke']>(async () => answer)
  readonly send = vi.fn()
}

describe('the names', () => {
  it('are the contract’s', () => {
    expect([...bridgeProcedureNames].sort()).toEqual(Object.keys(procedures).sort())
  })
})

describe('the bridge', () => {
  it('has exactly the contract’s procedures and onEvent', () => {
    const bridge = createBridge(new FakeIpc())
    expect(Object.keys(bridge).sort()).toEqual(['calls', 'onEvent'])
    expect(Object.keys(bridge.calls).sort()).toEqual(Object.keys(procedures).sort())
    expect(Object.values(bridge.calls).every((call) => typeof call === 'function')).toBe(true)
  })

  it('calls main by name on one channel', async () => {
    const ipc = new FakeIpc()
    expect(await createBridge(ipc).calls['trades.list']({ limit: 5 })).toEqual(answer)
    expect(ipc.invoke.mock.calls).toEqual([['tirami:call', 'trades.list', { limit: 5 }]])
  })

  it('passes one argument only, whatever the page adds', async () => {
    const ipc = new FakeIpc()
    const call = createBridge(ipc).calls['status.get'] as (...anything: unknown[]) => Promise<unknown>
    await call({}, 'host.pause', 1)
    expect(ipc.invoke.mock.calls).toEqual([['tirami:call', 'status.get', {}]])
  })

  it('turns a failing transport into an answer without its text', async () => {
    const ipc = new FakeIpc()
    ipc.invoke.mockRejectedValue(new Error('Error invoking remote method: /home/me/secret'))
    const result = await createBridge(ipc).calls['status.get']({})
    expect(result).toMatchObject({ ok: false, error: { code: 'BRIDGE_FAILED' } })
    expect(JSON.stringify(result)).not.toContain('secret')
  })

  it('gives listeners the data alone, never Electron’s event', () => {
    const ipc = new FakeIpc()
    const listener = vi.fn()
    createBridge(ipc).onEvent(listener)
    ipc.emit('tirami:event', { sender: ipc }, event)
    expect(listener.mock.calls).toEqual([[event]])
  })

  it('tells main now and then what the page has taken, by number and nothing else', () => {
    const ipc = new FakeIpc()
    createBridge(ipc)
    for (let seq = 1; seq <= 100; seq++) ipc.emit('tirami:event', {}, { ...event, seq })
    expect(ipc.send.mock.calls).toEqual([
      ['tirami:taken', 32],
      ['tirami:taken', 64],
      ['tirami:taken', 96],
    ])
  })

  it('ends subscriptions one by one', () => {
    const ipc = new FakeIpc()
    const bridge = createBridge(ipc)
    const listener = vi.fn()
    const endFirst = bridge.onEvent(listener)
    const endSecond = bridge.onEvent(listener)
    endFirst()
    endFirst()
    ipc.emit('tirami:event', {}, event)
    expect(listener).toHaveBeenCalledTimes(1)
    expect(endSecond()).toBeUndefined()
    ipc.emit('tirami:event', {}, event)
    expect(listener).toHaveBeenCalledTimes(1)
    // What is left is the bridge's own.
    expect(ipc.listenerCount('tirami:event')).toBe(1)
  })
})
