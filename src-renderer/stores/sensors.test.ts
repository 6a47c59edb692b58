import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HostCallError } from '../client/index.ts'
import { FakeClient } from '../testing/fake-client.ts'
import { createSensorsStore, readWhileVisible, type VisiblePage } from './sensors.ts'

const reading = {
  atMs: 1,
  memoryAvailableBytes: 5,
  cpuTemperatureC: null,
  gpus: [],
  battery: null,
  onMains: true,
}

describe('live values', () => {
  it('asks no second time while an answer is on its way', async () => {
    const client = new FakeClient()
    const sensors = createSensorsStore(client)
    void sensors.getState().read()
    void sensors.getState().read()
    expect(client.inputs('hardware.sensors')).toHaveLength(1)
    await client.answer('hardware.sensors', reading)
    expect(sensors.getState().reading).toEqual(reading)
    void sensors.getState().read()
    expect(client.inputs('hardware.sensors')).toHaveLength(1)
  })

  it('shows nothing rather than what was true before', async () => {
    const client = new FakeClient()
    const sensors = createSensorsStore(client)
    void sensors.getState().read()
    await client.answer('hardware.sensors', reading)
    void sensors.getState().read()
    const error = { code: 'SENSORS_FAILED', message: 'No sensors.', nextStep: 'Wait.' }
    await client.fail('hardware.sensors', new HostCallError(error))
    expect(sensors.getState()).toMatchObject({ reading: null, error })
  })
})

class Page extends EventTarget {
  visibilityState: DocumentVisibilityState = 'visible'
  become(state: DocumentVisibilityState) {
    this.visibilityState = state
    this.dispatchEvent(new Event('visibilitychange'))
  }
}

describe('reading while visible', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('reads at once and every two seconds, stops with the sight, and goes on at once with it', () => {
    const page = new Page()
    const read = vi.fn()
    const end = readWhileVisible(read, page as unknown as VisiblePage)
    vi.advanceTimersByTime(4_000)
    expect(read).toHaveBeenCalledTimes(3)
    page.become('hidden')
    vi.advanceTimersByTime(600_000)
    expect(read).toHaveBeenCalledTimes(3)
    page.become('visible')
    expect(read).toHaveBeenCalledTimes(4)
    end()
    page.become('hidden')
    page.become('visible')
    vi.advanceTimersByTime(600_000)
    expect(read).toHaveBeenCalledTimes(4)
  })

  it('does not begin out of sight', () => {
    const page = new Page()
    page.visibilityState = 'hidden'
    const read = vi.fn()
    readWhileVisible(read, page as unknown as VisiblePage)
    vi.advanceTimersByTime(600_000)
    expect(read).not.toHaveBeenCalled()
  })
})
