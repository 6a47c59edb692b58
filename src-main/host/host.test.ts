import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EngineStatus } from '../../src-preload/contract/index.ts'
import { systemClock, systemRng } from '../kernel/index.ts'
import { openModelStore } from '../models/index.ts'
import { writeTinyGguf } from '../models/testing/tiny-gguf.ts'
import { openKeys } from './keys.ts'
import { resolveModel } from './model.ts'
import { openSettings } from './settings.ts'
import { hostState } from './state.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-host-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const SERVING = { action: 'serve', code: 'earning', params: {}, sentence: 'Earning.' } as const
const PAUSED = { action: 'stop', code: 'paused', params: {}, sentence: 'Paused.' } as const
const RESTING = {
  action: 'stop',
  code: 'on-battery',
  params: { percent: 80 },
  sentence: 'Not earning: this computer runs on battery.',
} as const
const GREEN = { level: 'green', reason: 'All is well.', nextStep: '' } as const

describe('why the host is, or is not, earning', () => {
  const engine = (state: EngineStatus['state'], message?: string): EngineStatus => ({
    state,
    backend: null,
    deviceName: null,
    threads: null,
    slots: null,
    restarts: 0,
    retryAtMs: null,
    error: message ? { code: 'X', message, nextStep: 'Do this.' } : null,
  })
  it.each([
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('ready'),
      },
      'serving',
      /Ready to earn/,
    ],
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 2,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('ready'),
      },
      'serving',
      /^Earning/,
    ],
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('starting'),
      },
      'starting',
      /Loading/,
    ],
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('restarting'),
      },
      'engine-down',
      /restarted/,
    ],
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('failed', 'Broken file.'),
      },
      'engine-down',
      /Broken file\. Do this\./,
    ],
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: 'fire',
        engine: engine('ready'),
      },
      'engine-down',
      /kill switch is on \(fire\)/,
    ],
    [
      {
        earning: SERVING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: false,
        killSwitch: null,
        engine: engine('ready'),
      },
      'engine-down',
      /ledger could not be written/,
    ],
    [
      {
        earning: PAUSED,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('stopped'),
      },
      'paused',
      /Paused by you/,
    ],
    [
      {
        earning: PAUSED,
        stopping: false,
        runningJobs: 1,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('ready'),
      },
      'draining',
      /Pausing/,
    ],
    [
      {
        earning: PAUSED,
        stopping: true,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('ready'),
      },
      'draining',
      /Shutting down/,
    ],
    [
      {
        earning: RESTING,
        stopping: false,
        runningJobs: 0,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('stopped'),
      },
      'resting',
      /runs on battery/,
    ],
    [
      {
        earning: { ...RESTING, action: 'drain' },
        stopping: false,
        runningJobs: 2,
        ledgerWritable: true,
        killSwitch: null,
        engine: engine('ready'),
      },
      'draining',
      /runs on battery/,
    ],
  ] as const)('%#', (facts, state, reason) => {
    const result = hostState({ ...facts, sentinel: GREEN })
    expect(result.state).toBe(state)
    expect(result.reason).toMatch(reason)
  })

  it('says what the sentinel found, unless the owner has paused anyway', () => {
    const facts = {
      stopping: false,
      runningJobs: 0,
      ledgerWritable: true,
      killSwitch: null,
      engine: engine('ready'),
    }
    const sentinel = { level: 'red', reason: 'Too dear.', nextStep: 'Look at the price.' } as const
    expect(hostState({ ...facts, earning: SERVING, sentinel }).reason).toMatch(
      /red\. Too dear\. Look at the price\.$/,
    )
    expect(hostState({ ...facts, earning: PAUSED, sentinel }).state).toBe('paused')
  })
})

describe('keys', () => {
  it('are made once, private, and the same after a restart', () => {
    const first = openKeys(directory, systemRng)
    const second = openKeys(directory, systemRng)
    expect(second.node.publicKeyHex).toBe(first.node.publicKeyHex)
    expect(statSync(join(directory, 'keys/node.key')).mode & 0o777).toBe(0o600)
    const token = readFileSync(first.apiKeyFile, 'utf8').trim()
    expect(second.isApiKey(token)).toBe(true)
    expect(second.localConsumer.publicKeyHex).toBe(first.localConsumer.publicKeyHex)
    expect(second.localConsumer.publicKeyHex).not.toBe(first.node.publicKeyHex)
  })

  it('that others could read are made private again', () => {
    openKeys(directory, systemRng)
    chmodSync(join(directory, 'api-key'), 0o644)
    openKeys(directory, systemRng)
    expect(statSync(join(directory, 'api-key')).mode & 0o777).toBe(0o600)
  })

  it('that are no keys are refused, not replaced', () => {
    openKeys(directory, systemRng)
    writeFileSync(join(directory, 'keys/node.key'), 'hello')
    expect(() => openKeys(directory, systemRng)).toThrow(
      expect.objectContaining({ code: 'KEY_FILE_INVALID' }),
    )
    expect(readFileSync(join(directory, 'keys/node.key'), 'utf8')).toBe('hello')
  })

  it('no other token opens the API', () => {
    const keys = openKeys(directory, systemRng)
    const token = readFileSync(keys.apiKeyFile, 'utf8').trim()
    fc.assert(fc.property(fc.string(), (other) => (other === token) === keys.isApiKey(other)))
  })
})

describe('settings', () => {
  it('a choice outlives a restart; a damaged file means the defaults', () => {
    openSettings(directory).set({ model: 'mine' })
    expect(openSettings(directory).get().model).toBe('mine')
    writeFileSync(join(directory, 'settings.json'), '{"model": 7')
    expect(openSettings(directory).get().model).toBeNull()
  })
})

describe('the model', () => {
  it('is the embedded one by name or by default, an installed one by its id, and else a path', async () => {
    const store = await openModelStore({
      directory: join(directory, 'models'),
      cataloguePath: resolve(import.meta.dirname, '../../resources/catalogue.json'),
      metering: { isMetered: () => false, onChange: () => () => undefined },
      clock: systemClock,
      rng: systemRng,
    })
    expect(await resolveModel(null, '/r', store)).toMatchObject({ id: 'tirami-concierge', embedded: true })
    expect((await resolveModel('concierge', '/r', store)).path).toBe(join('/r', 'models', 'concierge.gguf'))
    const path = writeTinyGguf(join(directory, 'Mine.gguf'))
    const { id } = await store.library.addFile(path)
    expect(await resolveModel(id, '/r', store)).toEqual({ id, path, embedded: false })
    expect(await resolveModel('/models/My Model (Q4).gguf', '/r', store)).toMatchObject({
      id: 'my-model--q4-',
      embedded: false,
    })
    await store.close()
  })
})
