import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EarningPolicyChange } from '../../src-preload/contract/index.ts'
import type { EarningSnapshot } from '../earning/index.ts'
import { quietMachine } from '../earning/testing/snapshots.ts'
import { openEarningHouse } from './testing/earning-house.ts'

const GUEST = { ownKey: false }
const OWNER = { ownKey: true }

let directory: string
let nowMs: number
let world: Partial<EarningSnapshot>
let house: ReturnType<typeof openEarningHouse>

const open = () => {
  const snapshot = () => {
    const { profitPerKwh: _none, ...quiet } = quietMachine(nowMs)
    return { ...quiet, ...world }
  }
  house = openEarningHouse(directory, { nowMs: () => nowMs }, snapshot)
}
const known = <T>(value: T) => ({ known: true as const, value, source: 'test', atMs: nowMs })
const pass = async (seconds: number, change: Partial<EarningSnapshot> = {}) => {
  nowMs += seconds * 1_000
  world = change
  await house.earning.tick()
}
const set = async (policy: EarningPolicyChange) => {
  house.earning.setPolicy(policy, 'window')
  await house.earning.tick()
}
const engine = () => house.engine.status().state
const code = () => house.earning.view().decision.code

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-earning-'))
  nowMs = 1_795_000_000_000
  world = {}
  open()
  await house.earning.tick()
})
afterEach(() => {
  house.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('when a rule keeps guests away', () => {
  it('in a hurry: a guest’s answer has a second, then the memory is free; the model comes back by itself', async () => {
    await set({ exclusiveApps: ['game'] })
    const guest = await house.earning.admit(GUEST)
    await pass(1, { exclusiveApp: known('game') })
    expect([house.earning.decision().action, engine(), guest.signal.aborted]).toEqual([
      'drain',
      'ready',
      false,
    ])
    await pass(1, { exclusiveApp: known('game') })
    expect([house.earning.decision().action, engine(), guest.signal.aborted]).toEqual([
      'stop',
      'stopped',
      true,
    ])
    expect(guest.signal.reason).toMatchObject({ code: 'HOST_NOT_EARNING', httpStatus: 503 })
    guest.leave()
    await pass(59)
    expect([code(), engine()]).toEqual(['settling', 'stopped'])
    await pass(1)
    expect([code(), engine()]).toEqual(['earning', 'ready'])
  })

  it('not in a hurry: a guest’s answer ends, and then the memory is free', async () => {
    const guest = await house.earning.admit(GUEST)
    await pass(1, { metered: known(true) })
    await expect(house.earning.admit(GUEST)).rejects.toMatchObject({ code: 'HOST_NOT_EARNING' })
    await pass(100, { metered: known(true) })
    expect([engine(), guest.signal.aborted]).toEqual(['ready', false])
    guest.leave()
    await pass(1, { metered: known(true) })
    expect(engine()).toBe('stopped')
  })

  it('the owner is answered: the model is loaded for him and goes a minute after his last answer', async () => {
    await pass(1, { metered: known(true) })
    expect(engine()).toBe('stopped')
    const owner = await house.earning.admit(OWNER)
    expect(engine()).toBe('ready')
    await pass(600, { metered: known(true) })
    expect([engine(), owner.signal.aborted]).toEqual(['ready', false])
    owner.leave()
    await pass(59, { metered: known(true) })
    expect(engine()).toBe('ready')
    await pass(1, { metered: known(true) })
    expect(engine()).toBe('stopped')
  })

  it('but not where a program needs the memory, and not while paused', async () => {
    await pass(1, { fullScreen: known(true) })
    await expect(house.earning.admit(OWNER)).rejects.toMatchObject({
      code: 'EARNING_FULL_SCREEN',
      message: expect.stringContaining('fills the screen'),
    })
    await house.earning.pause('window')
    await expect(house.earning.admit(OWNER)).rejects.toMatchObject({ code: 'HOST_PAUSED' })
  })

  it('the model stays where the owner wants it to and nobody needs the memory', async () => {
    await set({ keepModelLoaded: true })
    await pass(1, { metered: known(true) })
    expect([house.earning.decision().action, engine()]).toEqual(['stop', 'ready'])
    await pass(1, { fullScreen: known(true) })
    expect(engine()).toBe('stopped')
  })
})

describe('what lasts', () => {
  it('a pause is in the owner’s file and nowhere else; an editor resumes it', async () => {
    await house.earning.pause('window')
    const path = join(directory, 'owner.yaml')
    const text = readFileSync(path, 'utf8')
    expect(text).toContain('paused: true')
    house.close()
    writeFileSync(path, text.replace('paused: true', 'paused: false'))
    open()
    await house.earning.tick()
    expect([house.earning.view().mode, engine()]).toEqual(['now', 'ready'])
  })

  it('a finish without work pauses at once, and one that a crash cut short pauses at the next start', async () => {
    house.earning.finish()
    await house.earning.tick()
    expect([house.earning.view().mode, engine()]).toEqual(['paused', 'stopped'])
    await house.earning.resume('window')
    await house.earning.admit(GUEST)
    house.earning.finish()
    expect(house.earning.view().finishing).toBe(true)
    house.close()
    open()
    await house.earning.tick()
    expect([house.earning.view().mode, engine()]).toEqual(['paused', 'stopped'])
  })

  it('a state file that was damaged says nothing, and the rules hold', async () => {
    house.earning.snooze({ minutes: 60 })
    expect(code()).toBe('snoozed')
    house.close()
    writeFileSync(join(directory, 'earning-state.json'), '{"version":1,"snooze":')
    open()
    await house.earning.tick()
    expect([code(), engine()]).toEqual(['earning', 'ready'])
  })

  it('the mode changes in the file, and a mode other than paused ends a pause', async () => {
    await house.earning.pause('window')
    house.earning.setMode('when-idle', 'window')
    expect([house.earning.view().mode, house.earning.view().policy.mode]).toEqual(['when-idle', 'when-idle'])
    house.earning.setMode('paused', 'window')
    expect([house.earning.view().mode, house.earning.view().modeWhenResumed]).toEqual(['paused', 'when-idle'])
    expect(readFileSync(join(directory, 'owner.yaml'), 'utf8')).toContain('mode: when-idle')
  })
})

it('says a change once, not that a figure moved on', async () => {
  let changes = 0
  house.earning.onChange(() => {
    changes++
  })
  await set({ mode: 'when-idle' })
  const before = changes
  for (let i = 0; i < 20; i++) await pass(5, { idleSeconds: known(86_400 + i) })
  expect(changes).toBe(before)
  for (let i = 0; i < 20; i++) await pass(1, { idleSeconds: known(i) })
  expect(changes).toBe(before + 1)
})
