import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { HostEvent, TiramiBridge } from '../../src-preload/contract/index.ts'
import { sampleStatus } from '../testing/samples.ts'
import { BridgeClient } from './bridge-client.ts'

const getStatus = vi.fn<TiramiBridge['calls']['status.get']>()
let sendEvent: (event: HostEvent) => void
// Only what is called here.
const bridge = {
  calls: { 'status.get': getStatus },
  onEvent: (listener: (event: HostEvent) => void) => {
    sendEvent = listener
    return () => {
      sendEvent = () => undefined
    }
  },
} as unknown as TiramiBridge

beforeEach(() => {
  getStatus.mockReset()
})

describe('BridgeClient', () => {
  it('takes answers and errors out of the envelope', async () => {
    const client = new BridgeClient(bridge)
    getStatus.mockResolvedValueOnce({ ok: true, result: sampleStatus() })
    expect((await client.call('status.get', {})).version).toBe('0.1.0')
    getStatus.mockResolvedValueOnce({ ok: false, error: { code: 'A', message: 'B', nextStep: 'C' } })
    await expect(client.call('status.get', {})).rejects.toMatchObject({ code: 'A', nextStep: 'C' })
    getStatus.mockRejectedValueOnce(new Error('the window is closing'))
    await expect(client.call('status.get', {})).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' })
  })

  it('is connected from the start', () => {
    const connection: boolean[] = []
    new BridgeClient(bridge).onConnection((connected) => connection.push(connected))
    expect(connection).toEqual([true])
  })

  it('passes on what is in the contract, until it is ended', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const heard: number[] = []
    const end = new BridgeClient(bridge).subscribe(({ seq }) => heard.push(seq))
    sendEvent({ seq: 1, name: 'status.changed', data: { ...sampleStatus(), nodeId: 'short' } })
    sendEvent({ seq: 2, name: 'status.changed', data: sampleStatus() })
    end()
    sendEvent({ seq: 3, name: 'status.changed', data: sampleStatus() })
    expect(heard).toEqual([2])
    expect(warn).toHaveBeenCalledTimes(1)
    warn.mockRestore()
  })
})
