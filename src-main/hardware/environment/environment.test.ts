import { describe, expect, it } from 'vitest'
import { createHardwareMonitor } from '../monitor.ts'
import type { HardwarePorts } from '../ports.ts'
import { createEnvironment, firstRunning } from './environment.ts'
import {
  familyTimes,
  othersBetween,
  parseActiveWindow,
  parseNmMetered,
  parsePidStat,
  parseProcStat,
  parseWindowState,
  parseXprintidle,
  powerState,
  type Supply,
  seatedSessions,
  sessionIds,
  thermalState,
} from './linux.ts'
import {
  parseComm,
  parseConsoleLocked,
  parseHidIdle,
  parsePmsetBatt,
  parsePmsetTherm,
  parsePsCpu,
} from './macos.ts'
import type { EnvironmentWants } from './types.ts'
import { fullScreenOf, meteredOf, parseAnswer, parsePerfCpu, parseTasklist, powerOf } from './windows.ts'

/** What a program that is missing, changed or cut off prints. */
const NONSENSE = ['', 'command not found\n', '{}', '\u0000\u0001', 'null']

describe('Linux', () => {
  it('rest in milliseconds', () => {
    expect(parseXprintidle('73519\n')).toBe(73_519)
    for (const output of [...NONSENSE, '-1', 'couldn’t open display'])
      expect(parseXprintidle(output)).toBeNull()
  })

  const SESSIONS = `      2 1000 mika  seat0 1234 user    tty2 no  -
     c7 1000 mika  -     5678 user    -    no  -
`
  const SHOWN = `Id=2
Class=user
Seat=seat0
State=active
IdleHint=yes
IdleSinceHint=1795000000000000
LockedHint=yes

Id=c7
Class=user
Seat=
State=active
IdleHint=no
IdleSinceHint=0
LockedHint=no
`

  it('people at the computer, not those who are logged in from afar', () => {
    expect(sessionIds(SESSIONS)).toEqual(['2', 'c7'])
    expect(seatedSessions(SHOWN)).toEqual([{ locked: true, idleSinceUs: 1_795_000_000_000_000 }])
    expect(seatedSessions(SHOWN.replace('IdleHint=yes', 'IdleHint=no'))).toEqual([
      { locked: true, idleSinceUs: null },
    ])
    for (const output of NONSENSE) expect(seatedSessions(output)).toEqual([])
  })

  const supply = (change: Partial<Supply>): Supply => ({
    type: 'Battery',
    scope: '',
    online: '',
    status: '',
    capacity: '',
    ...change,
  })
  it.each<[string, Supply[], ReturnType<typeof powerState>]>([
    ['no battery', [], { onBattery: false, percent: null }],
    [
      'only that of a mouse',
      [supply({ scope: 'Device', status: 'Discharging' })],
      { onBattery: false, percent: null },
    ],
    [
      'a laptop on mains',
      [supply({ status: 'Charging', capacity: '81' }), supply({ type: 'Mains', online: '1' })],
      { onBattery: false, percent: 81 },
    ],
    [
      'a laptop on battery',
      [supply({ status: 'Discharging', capacity: '40' }), supply({ type: 'Mains', online: '0' })],
      { onBattery: true, percent: 40 },
    ],
    [
      'charged over USB',
      [supply({ status: 'Unknown', capacity: '40' }), supply({ type: 'USB', online: '1' })],
      { onBattery: false, percent: 40 },
    ],
    [
      'two batteries',
      [supply({ status: 'Discharging', capacity: '20' }), supply({ status: 'Unknown', capacity: '61' })],
      { onBattery: true, percent: 41 },
    ],
    ['a battery that says nothing', [supply({ status: 'Unknown' })], null],
  ])('power: %s', (_name, supplies, expected) => {
    expect(powerState(supplies)).toEqual(expected)
  })

  it('heat from the trip points of the firmware', () => {
    const trips = [
      { type: 'critical', celsius: 105 },
      { type: 'passive', celsius: 95 },
      { type: 'active', celsius: 70 },
      { type: 'hot', celsius: -274 },
    ]
    const at = (celsius: number | null) => thermalState([{ celsius, trips }])
    expect([at(50), at(75), at(95), at(105)]).toEqual(['nominal', 'fair', 'serious', 'critical'])
    expect(at(null)).toBeNull()
    expect(thermalState([])).toBeNull()
    expect(thermalState([{ celsius: 99, trips: [] }])).toBeNull()
  })

  it('the window in front and whether it fills the screen', () => {
    expect(parseActiveWindow('_NET_ACTIVE_WINDOW(WINDOW): window id # 0x3a00007\n')).toBe('0x3a00007')
    expect(parseActiveWindow('_NET_ACTIVE_WINDOW(WINDOW): window id # 0x0\n')).toBeNull()
    expect(parseWindowState('_NET_WM_STATE(ATOM) = _NET_WM_STATE_FOCUSED, _NET_WM_STATE_FULLSCREEN\n')).toBe(
      true,
    )
    expect(parseWindowState('_NET_WM_STATE(ATOM) = _NET_WM_STATE_FOCUSED\n')).toBe(false)
    expect(parseWindowState('_NET_WM_STATE:  not found.\n')).toBe(false)
    for (const output of NONSENSE)
      expect([parseActiveWindow(output), parseWindowState(output)]).toEqual([null, null])
  })

  it.each<[string, boolean | null]>([
    ['u 1\n', true],
    ['u 2\n', false],
    ['u 3\n', true],
    ['u 4\n', false],
    ['u 0\n', null],
    ['u 9', null],
    ...NONSENSE.map((output): [string, null] => [output, null]),
  ])('metered: %j', (output, expected) => {
    expect(parseNmMetered(output)).toBe(expected)
  })

  it('the share of others: all that is busy, less our own family', () => {
    expect(parseProcStat('cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 2 3 4\n')).toEqual({ busy: 20, total: 100 })
    const line = '42 (a (b) c) S 7 42 42 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 1 0 100 0 0\n'
    expect(parsePidStat(line)).toEqual({ pid: 42, parent: 7, time: 42 })
    for (const output of NONSENSE) expect([parseProcStat(output), parsePidStat(output)]).toEqual([null, null])
    const family = familyTimes(
      [
        { pid: 1, parent: 0, time: 5 },
        { pid: 7, parent: 1, time: 10 },
        { pid: 42, parent: 7, time: 20 },
        { pid: 9, parent: 1, time: 99 },
      ],
      7,
    )
    expect([...family]).toEqual([
      [7, 10],
      [42, 20],
    ])
    const before = { busy: 100, total: 1_000, own: new Map([[7, 50]]) }
    const now = {
      busy: 160,
      total: 1_100,
      own: new Map([
        [7, 60],
        [8, 20],
      ]),
    }
    expect(othersBetween(before, now)).toBeCloseTo(0.3)
    expect(othersBetween(now, now)).toBeNull()
  })
})

describe('macOS', () => {
  it('rest and lock', () => {
    expect(parseHidIdle('    | |   "HIDIdleTime" = 83500000000\n')).toBe(83.5)
    expect(
      parseConsoleLocked(
        '  "IOConsoleLocked" = No\n  "IOConsoleUsers" = ({"kCGSSessionUserNameKey"="mika"})',
      ),
    ).toBe(false)
    expect(parseConsoleLocked('  "IOConsoleLocked" = Yes\n')).toBe(true)
    expect(parseConsoleLocked('"IOConsoleUsers" = ({"CGSSessionScreenIsLocked"=Yes})')).toBe(true)
    for (const output of NONSENSE)
      expect([parseHidIdle(output), parseConsoleLocked(output)]).toEqual([null, null])
  })

  it.each<[string, ReturnType<typeof parsePmsetBatt>]>([
    ["Now drawing from 'AC Power'\n", { onBattery: false, percent: null }],
    [
      "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=6619235)\t85%; discharging; 3:21 remaining present: true\n",
      { onBattery: true, percent: 85 },
    ],
    [
      "Now drawing from 'AC Power'\n -InternalBattery-0 (id=6619235)\t100%; charged; 0:00 remaining present: true\n",
      { onBattery: false, percent: 100 },
    ],
    ["Now drawing from 'UPS Power'\n", { onBattery: true, percent: null }],
    ...NONSENSE.map((output): [string, null] => [output, null]),
  ])('power: %j', (output, expected) => {
    expect(parsePmsetBatt(output)).toEqual(expected)
  })

  it.each<[string, string | null]>([
    [
      'Note: No thermal warning level has been recorded\nNote: No performance warning level has been recorded\n',
      'nominal',
    ],
    [
      'CPU Power notify\n\tCPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 8\n\tCPU_Speed_Limit \t= 100\n',
      'nominal',
    ],
    ['\tCPU_Speed_Limit \t= 93\n', 'fair'],
    ['\tCPU_Speed_Limit \t= 70\n', 'serious'],
    ['\tCPU_Speed_Limit \t= 20\n', 'critical'],
    ...NONSENSE.map((output): [string, null] => [output, null]),
  ])('heat: %j', (output, expected) => {
    expect(parsePmsetTherm(output)).toBe(expected)
  })

  it('programs, and the share of others', () => {
    expect(parseComm('/Applications/Game.app/Contents/MacOS/Game\n/sbin/launchd\n')).toEqual([
      'Game',
      'launchd',
    ])
    expect(parseComm('')).toBeNull()
    const output = '    1     0   0.5\n  200     1  80,0\n  201   200 100.0\n  300     1 199.5\n'
    expect(parsePsCpu(output, 200, 8)).toBeCloseTo(0.25)
    expect(parsePsCpu('nothing', 200, 8)).toBeNull()
  })
})

describe('Windows', () => {
  const answer = (change: object) =>
    parseAnswer(
      `${JSON.stringify({
        idleMs: 4_000,
        locked: false,
        power: { ac: 1, flag: 8, percent: 77 },
        screen: 5,
        cost: 'Unrestricted',
        ...change,
      })}\r\n`,
    )
  it('power, full screen and the cost of the network', () => {
    expect(powerOf(answer({}))).toEqual({ onBattery: false, percent: 77 })
    expect(powerOf(answer({ power: { ac: 0, flag: 1, percent: 40 } }))).toEqual({
      onBattery: true,
      percent: 40,
    })
    expect(powerOf(answer({ power: { ac: 1, flag: 128, percent: 255 } }))).toEqual({
      onBattery: false,
      percent: null,
    })
    expect(powerOf(answer({ power: { ac: 255, flag: 255, percent: 255 } }))).toBeNull()
    expect([2, 3, 4, 5, 1].map((screen) => fullScreenOf(answer({ screen })))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
    expect(fullScreenOf(answer({ screen: null }))).toBeNull()
    expect(
      ['Unrestricted', 'Fixed', 'Variable', 'Unknown'].map((cost) => meteredOf(answer({ cost }))),
    ).toEqual([false, true, true, null])
  })

  it('says nothing where the answer is cut off or of another shape', () => {
    for (const output of [...NONSENSE, '{"idleMs":4', '{"idleMs":"4"}']) {
      const parsed = parseAnswer(output)
      expect([parsed, powerOf(parsed), fullScreenOf(parsed), meteredOf(parsed)]).toEqual([
        null,
        null,
        null,
        null,
      ])
    }
  })

  it('programs, and the share of others', () => {
    const output =
      '"System Idle Process","0","Services","0","8 K"\r\n"Game.exe","4242","Console","1","81,920 K"\r\n'
    expect(parseTasklist(output)).toEqual(['System Idle Process', 'Game.exe'])
    expect(parseTasklist('INFO: No tasks\r\n')).toBeNull()
    expect(parsePerfCpu('0 0 600\r\n10 4 100\r\n11 10 200\r\n20 4 100\r\n', 10, 4)).toBeCloseTo(0.25)
    expect(parsePerfCpu('', 10, 4)).toBeNull()
  })
})

describe('exclusive apps', () => {
  it.each([
    ['Game', ['bash', 'Game.exe'], 'Game'],
    ['game.EXE', ['game'], 'game.EXE'],
    ['ThePerfectTower2', ['ThePerfectTower'], 'ThePerfectTower2'],
    ['The', ['ThePerfectTower'], null],
    ['gam', ['game'], null],
  ])('%s among %j', (app, running, expected) => {
    expect(firstRunning(['other', app], running)).toBe(expected)
  })
})

describe('looking', () => {
  const NOTHING: EnvironmentWants = {
    idle: false,
    power: false,
    thermal: false,
    apps: [],
    fullScreen: false,
    metered: false,
    cpu: false,
    figures: false,
  }
  /** A Linux machine that counts how often its programs are asked. */
  function machine(answers: Record<string, string | null>) {
    let nowMs = 1_000_000
    const asked: string[] = []
    const ports = {
      platform: 'linux',
      clock: { nowMs: () => nowMs },
      node: { cpuModel: '', cores: 4, memoryTotalBytes: 1 },
      run: async (program: string) => {
        asked.push(program)
        return answers[program] ?? null
      },
      readText: async () => null,
      list: async () => [],
    } as unknown as HardwarePorts
    const environment = createEnvironment(ports, createHardwareMonitor(ports))
    return {
      environment,
      asked,
      answers,
      pass: (ms: number) => {
        nowMs += ms
      },
    }
  }

  it('asks only what is wanted, and not again before its time', async () => {
    const { environment, asked, pass } = machine({ busctl: 'u 1' })
    await environment.look(NOTHING)
    expect(asked).toEqual([])
    for (let i = 0; i < 10; i++) {
      await environment.look({ ...NOTHING, metered: true })
      pass(2_000)
    }
    expect(asked).toEqual(['busctl'])
    expect(environment.snapshot().metered).toMatchObject({
      known: true,
      value: true,
      source: 'NetworkManager',
    })
    expect(environment.snapshot().idleSeconds).toMatchObject({ known: false, problem: 'not-asked' })
  })

  it('a program that is not there is asked seldom, and what it knew before ages', async () => {
    const { environment, asked, answers, pass } = machine({ busctl: 'u 2' })
    const look = () => environment.look({ ...NOTHING, metered: true })
    await look()
    answers.busctl = null
    pass(31_000)
    await look()
    expect(environment.snapshot().metered).toMatchObject({ known: true, atMs: 1_000_000 })
    pass(31_000)
    await look()
    expect(environment.snapshot().metered).toMatchObject({ known: false, problem: 'not-told' })
    pass(31_000)
    await look()
    const before = asked.length
    for (let i = 0; i < 35; i++) {
      pass(1_000)
      await look()
    }
    expect(asked.length).toBe(before)
  })

  it('one that throws is one that does not tell', async () => {
    const { environment } = machine({})
    const broken = createEnvironment(
      { platform: 'linux', clock: { nowMs: () => 5 } } as unknown as HardwarePorts,
      {} as never,
      { power: () => Promise.reject(new Error('no')) },
    )
    await expect(broken.look({ ...NOTHING, power: true, thermal: true })).resolves.toBeUndefined()
    expect(broken.snapshot().power.known).toBe(false)
    expect(broken.snapshot().thermal).toMatchObject({ known: false, problem: 'no-sensor' })
    await environment.look({ ...NOTHING, idle: true })
    expect(environment.snapshot().idleSeconds.known).toBe(false)
  })

  it('a share that needs two looks is there with the second', async () => {
    let nowMs = 0
    const looks = [null, 0.4]
    const environment = createEnvironment(
      { platform: 'linux', clock: { nowMs: () => nowMs } } as unknown as HardwarePorts,
      {} as never,
      { cpuByOthers: async () => ({ value: looks.shift() ?? null, source: 'test' }) },
    )
    await environment.look({ ...NOTHING, cpu: true })
    nowMs += 9_000
    await environment.look({ ...NOTHING, cpu: true })
    expect(environment.snapshot().cpuByOthers).toMatchObject({ known: true, value: 0.4 })
  })
})
