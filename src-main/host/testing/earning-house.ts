import type { EngineStatus } from '../../../src-preload/contract/index.ts'
import type { EarningSnapshot } from '../../earning/index.ts'
import type { Clock } from '../../kernel/index.ts'
import { createEarning, type Earning, type Environment } from '../earning-policy.ts'
import { openOwnerFile } from '../stewardship-file.ts'

/** An engine that loads at once and only remembers what was asked of it. */
export function plainEngine() {
  let state: EngineStatus['state'] = 'stopped'
  const listeners = new Set<() => void>()
  const become = async (next: EngineStatus['state']) => {
    state = next
    for (const listener of listeners) listener()
  }
  const status = (): EngineStatus => ({
    state,
    backend: 'cpu',
    deviceName: null,
    threads: 1,
    slots: 4,
    restarts: 0,
    retryAtMs: null,
    error: null,
  })
  return {
    status,
    jobs: () => ({ running: 0, queued: 0 }),
    start: () => become('ready'),
    stop: () => become('stopped'),
    onChange: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The host's own policy service over a data directory, with a clock and sensors that the test moves. */
export function openEarningHouse(
  directory: string,
  clock: Clock,
  snapshot: () => Omit<EarningSnapshot, 'profitPerKwh'>,
): { earning: Earning; engine: ReturnType<typeof plainEngine>; close(): void } {
  const listeners = new Set<() => void>()
  const file = openOwnerFile({
    directory,
    onEvent: () => {
      for (const listener of listeners) listener()
    },
  })
  const engine = plainEngine()
  const environment: Environment = { snapshot, look: async () => undefined }
  const earning = createEarning({
    dataDirectory: directory,
    stewardship: {
      values: () => file.values(),
      set: (changes, source) => file.edit(changes, source),
      setPaused: (paused, source) => file.edit([{ key: 'serving.paused', value: paused }], source),
      onChange: (listener) => void listeners.add(listener),
    },
    engine,
    environment,
    profitPerKwh: () => ({ known: false, problem: 'no-price', source: 'test', atMs: clock.nowMs() }),
    modelBytes: () => 0,
    clock,
  })
  return { earning, engine, close: () => earning.close() }
}
