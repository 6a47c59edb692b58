import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HostEvent, Trade } from '../../src-preload/contract/index.ts'
import { changeSettings, DEFAULT_SETTINGS, openAppMemory } from './app-memory.ts'
import { LINKED_PAGES, linkIn, pageOfLink } from './deep-link.ts'
import { autostartEntry, autostartFolder, autostarts, setAutostart, startCommand } from './login-item.ts'
import { nightOf, noticeOf, noticeWanted } from './notices.ts'
import { shellReading } from './shell-reading.ts'
import { FIRST_START, planStart, startProven } from './start-record.ts'
import { exampleStatus } from './testing/status.ts'
import { feedInstalled } from './update-feed-file.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-shell-'))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true, force: true })
})

describe('links from outside', () => {
  it.each(LINKED_PAGES)('tirami://%s opens that page', (page) => {
    expect(pageOfLink(`tirami://${page}`)).toBe(page)
    expect(pageOfLink(`tirami://${page}/`)).toBe(page)
  })
  it.each([
    '',
    'tirami:',
    'tirami:wallet',
    'tirami:/wallet',
    'tirami:///wallet',
    'tirami://WALLET',
    'TIRAMI://wallet',
    'tirami://wallet//',
    'tirami://wallet/stake',
    'tirami://wallet?stake=1',
    'tirami://wallet#x',
    'tirami://wallet%2f',
    'tirami://wallet\n',
    ' tirami://wallet',
    'tirami://wallet --safe-mode',
    'tirami://user@wallet',
    'tirami://wallet:80',
    'tirami://wallet.evil.example',
    'tirami://pause',
    'tirami://../wallet',
    'tirami://app://tirami/',
    'tirami://javascript:alert(1)',
    'tirami://constructor',
    'tirami://__proto__',
    'https://wallet',
    'app://tirami/#/wallet',
    'file:///wallet',
    `tirami://${'a'.repeat(5_000)}`,
  ])('%j opens nothing', (link) => expect(pageOfLink(link)).toBeNull())
  it('open a known page or nothing, whatever is handed over', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((s) => `tirami://${s}`),
        ),
        (text) => {
          const page = pageOfLink(text)
          expect(page === null || text.replace(/\/$/, '') === `tirami://${page}`).toBe(true)
        },
      ),
    )
  })
  it('are one argument of a second start, not its first and not several', () => {
    expect(linkIn(['app', 'tirami://models'])).toBe('models')
    expect(linkIn(['app', '--flag', 'tirami://models', 'file'])).toBe('models')
    expect(linkIn(['tirami://models'])).toBeNull()
    expect(linkIn(['app', 'tirami://models', 'tirami://wallet'])).toBeNull()
    expect(linkIn([])).toBeNull()
  })
})

describe('starting at login', () => {
  const at = {
    packaged: true,
    platform: 'linux',
    execPath: '/opt/Tirami Host/tirami-host',
    appImage: undefined,
  } as const

  it('starts the installed file, of an AppImage the image itself, and nothing that goes away', () => {
    expect(startCommand(at)).toBe('/opt/Tirami Host/tirami-host')
    expect(startCommand({ ...at, appImage: '/home/me/tirami.AppImage' })).toBe('/home/me/tirami.AppImage')
    expect(startCommand({ ...at, packaged: false })).toBeNull()
    expect(startCommand({ ...at, appImage: 'tirami.AppImage' })).toBeNull()
    expect(startCommand({ ...at, execPath: '/opt/a\nExec=evil' })).toBeNull()
  })

  it('uses the folder that the desktop looks in', () => {
    expect(autostartFolder({}, '/home/me')).toBe('/home/me/.config/autostart')
    expect(autostartFolder({ XDG_CONFIG_HOME: '/cfg' }, '/home/me')).toBe('/cfg/autostart')
    expect(autostartFolder({ XDG_CONFIG_HOME: 'cfg' }, '/home/me')).toBe('/home/me/.config/autostart')
  })

  /** Reads `Exec` back as the specification says a desktop does: the value unescaped, then the quotes. */
  const argumentsOf = (entry: string): string[] => {
    const value = /^Exec=(.*)$/m.exec(entry)?.[1] ?? ''
    const unescaped = value.replace(/\\(.)/g, (_, char: string) => (char === '\\' ? '\\' : `\\${char}`))
    const [, quoted = '', rest = ''] = /^"((?:[^"\\]|\\.)*)" (.*)$/.exec(unescaped) ?? []
    return [quoted.replace(/\\(.)/g, '$1').replaceAll('%%', '%'), rest]
  }

  it('writes any path so that the desktop reads it back', () => {
    const path = fc.string().filter((text) => !/\p{Cc}/u.test(text))
    fc.assert(
      fc.property(path, (name) => {
        const entry = autostartEntry(`/${name}`)
        expect(argumentsOf(entry)).toEqual([`/${name}`, '--hidden'])
        expect(entry.split('\n').filter((line) => line.startsWith('Exec='))).toHaveLength(1)
      }),
    )
  })

  it('is turned on and off, and leaves nothing behind', () => {
    const folder = join(directory, 'config', 'autostart')
    expect(setAutostart(folder, null)).toBeNull()
    expect(setAutostart(folder, '/opt/tirami-host')).toBeNull()
    expect(autostarts(folder, '/opt/tirami-host')).toBe(true)
    expect(autostarts(folder, '/opt/other')).toBe(false)
    expect(statSync(join(folder, 'tirami-host.desktop')).mode & 0o777).toBe(0o600)
    expect(setAutostart(folder, '/opt/moved')).toBeNull()
    expect(autostarts(folder, '/opt/moved')).toBe(true)
    expect(setAutostart(folder, null)).toBeNull()
    expect(statSync(join(folder, 'tirami-host.desktop'), { throwIfNoEntry: false })).toBeUndefined()
  })

  it('leaves what is not ours as it is: another’s entry, and whatever a link leads to', () => {
    const entry = join(directory, 'tirami-host.desktop')
    writeFileSync(entry, '[Desktop Entry]\nExec=mine\n')
    expect(setAutostart(directory, '/opt/x')?.code).toBe('login.not-ours')
    expect(setAutostart(directory, null)?.code).toBe('login.not-ours')
    expect(readFileSync(entry, 'utf8')).toContain('Exec=mine')
    rmSync(entry)
    const target = join(directory, 'precious')
    writeFileSync(target, autostartEntry('/opt/x'))
    symlinkSync(target, entry)
    expect(setAutostart(directory, '/opt/y')?.code).toBe('login.not-ours')
    expect(readFileSync(target, 'utf8')).toBe(autostartEntry('/opt/x'))
  })

  it('says so when it cannot', () => {
    writeFileSync(join(directory, 'file'), '')
    expect(setAutostart(join(directory, 'file', 'autostart'), '/opt/x')?.code).toBe('login.not-written')
    mkdirSync(join(directory, 'tirami-host.desktop'))
    expect(setAutostart(directory, '/opt/x')?.code).toBe('login.not-ours')
  })
})

describe('how the app starts', () => {
  const run = (outcomes: ('through' | 'fails')[], versions: string[] = []) => {
    let record = FIRST_START
    let plan = planStart(record, { version: '1', safeModeAsked: false })
    for (const [index, outcome] of outcomes.entries()) {
      plan = planStart(record, { version: versions[index] ?? '1', safeModeAsked: false })
      record = outcome === 'through' ? startProven(plan.record) : plan.record
    }
    return planStart(record, { version: versions[outcomes.length] ?? '1', safeModeAsked: false })
  }
  it('in safe mode after two starts that failed, and not before', () => {
    expect(run([]).safeMode).toBeNull()
    expect(run(['fails']).safeMode).toBeNull()
    expect(run(['fails', 'fails']).safeMode?.code).toBe('safe-mode.failed-starts')
    expect(run(['fails', 'through', 'fails']).safeMode).toBeNull()
    expect(run(['fails', 'fails', 'through']).safeMode).toBeNull()
  })
  it('in safe mode when asked', () => {
    expect(planStart(FIRST_START, { version: '1', safeModeAsked: true }).safeMode?.code).toBe(
      'safe-mode.asked',
    )
  })
  it('says so when an update did not come through, and how to go back', () => {
    expect(run(['through', 'fails'], ['1', '2', '2'])).toMatchObject({
      brokenVersion: '2',
      note: { code: 'note.update-failed', parameters: { version: '2', before: '1' } },
    })
    expect(run(['through'], ['1', '2'])).toMatchObject({ brokenVersion: null, note: null })
    expect(run(['through', 'through', 'fails'], ['1', '2', '2', '2']).note).toBeNull()
    expect(run(['through', 'fails'], ['1', '1', '1']).note).toBeNull()
  })
  it('counts anew for a new version, which may be the remedy', () => {
    expect(run(['fails', 'fails', 'fails'], ['1', '1', '1', '2']).safeMode).toBeNull()
  })
})

describe('what the owner is told', () => {
  const trade = (hour: number, change: Partial<Trade> = {}): HostEvent => ({
    seq: 1,
    name: 'trade.booked',
    data: {
      provider: 'me',
      consumer: 'a guest',
      ownKey: false,
      amountTrm: '9',
      modelId: 'm',
      timestampMs: new Date(2026, 10, 28, hour).getTime(),
      ...change,
    } as Trade,
  })
  const none = { nightTold: null, sentinelRed: false, nodeId: 'me' }

  it('the first earning of a night once, across midnight, and none by day or of his own', () => {
    let state: Parameters<typeof noticeOf>[1] = none
    const told = [12, 19, 20, 23, 24, 24 + 8, 24 + 12, 24 + 21].map((hour) => {
      const { notice, state: next } = noticeOf(trade(hour), state)
      state = next
      return notice !== null
    })
    expect(told).toEqual([false, false, true, false, false, false, false, true])
    expect(noticeOf(trade(22, { ownKey: true }), none).notice).toBeNull()
  })
  it('no purchase is an earning: neither of the owner from another host, nor for a guest', () => {
    const bought = { provider: 'another host', consumer: 'me' }
    expect(noticeOf(trade(22, bought), none)).toEqual({ state: none, notice: null })
    expect(noticeOf(trade(22, { ...bought, passedOnTrm: '9' }), none).notice).toBeNull()
    expect(noticeOf(trade(22, { passedOnTrm: '9' }), none).notice).toBeNull()
    // Who it is, it has from its status.
    const unknown = { ...none, nodeId: null }
    expect(noticeOf(trade(22), unknown).notice).toBeNull()
    const status = { seq: 1, name: 'status.changed', data: exampleStatus({ nodeId: 'me' }) } as HostEvent
    expect(noticeOf(trade(22), noticeOf(status, unknown).state).notice).not.toBeNull()
  })
  it('a night has the name of its evening, on every day of the year', () => {
    for (let day = 1; day <= 366; day++) {
      const evening = nightOf(new Date(2028, 0, day, 22).getTime())
      expect(nightOf(new Date(2028, 0, day + 1, 3).getTime())).toBe(evening)
      expect(nightOf(new Date(2028, 0, day + 1, 8, 59).getTime())).toBe(evening)
      expect(nightOf(new Date(2028, 0, day, 15).getTime())).toBeNull()
      expect(evening).not.toBe(nightOf(new Date(2028, 0, day + 1, 22).getTime()))
    }
  })
  it('a red sentinel when it turns red, not as long as it is', () => {
    const status = (reasonCode: 'sentinel-red' | 'ready'): HostEvent => ({
      seq: 1,
      name: 'status.changed',
      data: exampleStatus({ reasonCode, reason: 'It loses money.' }),
    })
    const first = noticeOf(status('sentinel-red'), none)
    expect(first.notice).toEqual({ kind: 'sentinelRed', reason: 'It loses money.' })
    expect(noticeOf(status('sentinel-red'), first.state).notice).toBeNull()
    const green = noticeOf(status('ready'), first.state)
    expect(noticeOf(status('sentinel-red'), green.state).notice).not.toBeNull()
  })
  it.each(['firstEarning', 'sentinelRed', 'updateReady'] as const)('%s can be turned off', (kind) => {
    const notice = { kind, amountTrm: '1', modelId: 'm', reason: 'r', version: '1' } as never
    expect(noticeWanted(notice, DEFAULT_SETTINGS)).toBe(true)
    const off = changeSettings(DEFAULT_SETTINGS, { notifications: { [kind]: false } })
    expect(noticeWanted(notice, off)).toBe(false)
  })
})

describe('what the app remembers', () => {
  it('outlives a restart, and a damaged part costs only itself', () => {
    const path = join(directory, 'app.json')
    const first = openAppMemory(path)
    expect(first.get()).toMatchObject({ settings: DEFAULT_SETTINGS, trayHintShown: false })
    first.set({ settings: changeSettings(DEFAULT_SETTINGS, { closeToTray: false }), nightTold: '2026-11-28' })
    expect(openAppMemory(path).get()).toMatchObject({
      settings: { closeToTray: false },
      nightTold: '2026-11-28',
    })
    const text = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...text, settings: { ...text.settings, updates: 'yes' } }))
    expect(openAppMemory(path).get()).toMatchObject({ settings: DEFAULT_SETTINGS, nightTold: '2026-11-28' })
    for (const damage of ['', '{', 'null', '[]', '1']) {
      writeFileSync(path, damage)
      expect(openAppMemory(path).get().settings).toEqual(DEFAULT_SETTINGS)
    }
  })
  it('holds until the end where the disk refuses it', () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const memory = openAppMemory(join(directory, 'nowhere', 'app.json'))
    memory.set({ trayHintShown: true })
    expect(memory.get().trayHintShown).toBe(true)
  })
  it('changes nothing that was not named', () => {
    expect(changeSettings(DEFAULT_SETTINGS, {})).toEqual(DEFAULT_SETTINGS)
    expect(changeSettings(DEFAULT_SETTINGS, { updates: { channel: 'beta' } })).toEqual({
      ...DEFAULT_SETTINGS,
      updates: { ...DEFAULT_SETTINGS.updates, channel: 'beta' },
    })
  })
})

describe('what main sees of the machine', () => {
  const facts = {
    atMs: 1,
    platform: 'darwin',
    idleSeconds: 7,
    idleState: 'active',
    onBattery: true,
    thermal: 'serious',
  } as const
  it('is passed on where it can be believed', () => {
    expect(shellReading(facts, false)).toEqual({
      atMs: 1,
      idleSeconds: 7,
      locked: false,
      onBattery: true,
      thermal: 'serious',
    })
    expect(shellReading({ ...facts, idleState: 'locked' }, false).locked).toBe(true)
  })
  it('is unknown where the system does not say it', () => {
    expect(shellReading({ ...facts, platform: 'linux' }, true)).toMatchObject({
      idleSeconds: null,
      onBattery: null,
      thermal: null,
    })
    expect(shellReading({ ...facts, platform: 'win32', thermal: 'unknown' }, false).thermal).toBeNull()
    expect(shellReading({ ...facts, idleState: 'unknown', idleSeconds: -1 }, false)).toMatchObject({
      locked: null,
      idleSeconds: null,
    })
  })
})

describe('where updates come from', () => {
  it('stands in a file beside the app, or nowhere', () => {
    const read = (text: string | null) => feedInstalled(() => text)?.url ?? null
    expect(read('provider: generic\nurl: https://updates.example/feed\n')).toBe(
      'https://updates.example/feed/',
    )
    for (const text of [
      null,
      '',
      '[',
      'provider: github\nowner: a\nrepo: b',
      'provider: generic\nurl: http://updates.example/',
      'provider: generic\nurl: [1]',
    ]) {
      expect(read(text)).toBeNull()
    }
  })
})
