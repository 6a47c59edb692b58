import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Earnings, type EarningView, HostStatus } from '../../src-preload/contract/index.ts'
import { exampleEarning } from './testing/earning.ts'
import { exampleStatus } from './testing/status.ts'
import {
  earnedToday,
  type TrayAction,
  type TrayFacts,
  type TrayIcon,
  type TrayItem,
  type TrayModel,
  trayIconFile,
  trayModel,
} from './tray-model.ts'
import { wordsIn } from './words.ts'

const facts = (change: Partial<TrayFacts> = {}): TrayFacts => ({
  view: { phase: 'up', status: exampleStatus() },
  earning: exampleEarning(),
  earnedTodayTrm: null,
  updateReady: null,
  safeMode: null,
  languages: ['en'],
  words: wordsIn(['en']),
  ...change,
})
const texts = (model: TrayModel) => model.items.flatMap((item) => (item.type === 'text' ? [item.label] : []))
const flat = (items: TrayItem[], enabled = true): (TrayItem & { type: 'action' })[] =>
  items.flatMap((item) => {
    if (item.type === 'action') return [{ ...item, enabled: item.enabled && enabled }]
    return item.type === 'menu' ? flat(item.items, item.enabled) : []
  })
/** What can be clicked, menus opened. */
const possible = (model: TrayModel) =>
  flat(model.items).flatMap(({ action, enabled }) => (enabled ? [action] : []))
const up = (change: Partial<HostStatus>, earning: Partial<EarningView> = {}) =>
  trayModel(facts({ view: { phase: 'up', status: exampleStatus(change) }, earning: exampleEarning(earning) }))
const SNOOZES = ['snooze-hour', 'snooze-hours', 'snooze-morning']
const MODES = ['mode-now', 'mode-idle', 'mode-schedule']

describe('trayModel', () => {
  const expected: Record<HostStatus['state'], [line: string, icon: TrayIcon, can: TrayAction | null]> = {
    starting: ['Starting…', 'busy', null],
    serving: ['Earning', 'earning', 'pause'],
    resting: ['Resting', 'paused', 'pause'],
    paused: ['Paused', 'paused', 'resume'],
    draining: ['Finishing answers', 'busy', 'resume'],
    'engine-down': ['Not earning: engine down', 'error', 'pause'],
  }

  it.each(HostStatus.shape.state.options)('says what “%s” means, and offers what it allows', (state) => {
    const paused = state === 'paused'
    const model = up({ state, reason: 'Because.' }, { mode: paused ? 'paused' : 'now' })
    const [line, icon, can] = expected[state]
    expect(model.tooltip).toBe(`Tirami Host: ${line}`)
    expect(model.icon).toBe(icon)
    expect(texts(model)).toEqual([line, 'Because.'])
    const more = can === null ? [] : [can, ...(paused ? [] : [...SNOOZES, 'finish']), ...MODES]
    expect(possible(model)).toEqual(['open', ...more, 'quit'])
  })

  it('counts answers under way, and what others paid today, in the tooltip too', () => {
    expect(texts(up({ jobs: { running: 1, queued: 0 } }))).toContain('1 answer is being written')
    expect(texts(up({ jobs: { running: 3, queued: 9 } }))).toContain('3 answers are being written')
    const model = trayModel(facts({ earnedTodayTrm: '1234567' }))
    expect(texts(model)).toContain('Today from others: 1,234,567 TRM')
    expect(model.tooltip).toBe('Tirami Host: Earning\nToday from others: 1,234,567 TRM')
  })

  it('offers to end a snooze before its time, and does not offer to finish twice', () => {
    const snoozed = up({ state: 'resting' }, { snooze: { untilMs: new Date(2026, 10, 29, 6, 30).getTime() } })
    expect(texts(snoozed).join('\n')).toMatch(/Snoozed until 6:30/)
    expect(possible(snoozed)).toContain('wake')
    expect(possible(up({}))).not.toContain('wake')
    expect(possible(up({ state: 'draining' }, { finishing: true }))).not.toContain('finish')
  })

  it('marks the one mode that is in force', () => {
    for (const [index, mode] of (['now', 'when-idle', 'schedule'] as const).entries()) {
      const marked = flat(up({}, { modeWhenResumed: mode }).items).filter(({ checked }) => checked === true)
      expect(marked.map(({ action }) => action)).toEqual([MODES[index]])
    }
  })

  it('offers an update that is ready, and to leave safe mode', () => {
    expect(possible(trayModel(facts({ updateReady: '1.3.0' })))).toContain('install')
    const model = trayModel(facts({ safeMode: 'Safe mode, because it was asked for.', earning: null }))
    expect(texts(model)).toEqual(['Safe mode', 'Safe mode, because it was asked for.'])
    expect(possible(model)).toEqual(['open', 'leave-safe-mode', 'quit'])
  })

  it('shows why the host is away, even after it was seen earning', () => {
    const error = {
      code: 'PORT_IN_USE',
      message: 'Port 3000 is in use.',
      nextStep: 'Close the other program.',
    }
    const view = { phase: 'down', status: exampleStatus(), error, retryAtMs: 1 } as const
    const model = trayModel(facts({ view, earning: null }))
    expect(model.icon).toBe('error')
    expect(texts(model)).toEqual(['Not earning: host down', 'Port 3000 is in use.'])
    expect(possible(model)).toEqual(['open', 'quit'])
  })

  it.each([
    ['starting', 'Starting…'],
    ['stopped', 'Stopped'],
  ] as const)('while %s nothing but Open and Quit works', (phase, line) => {
    const model = trayModel(facts({ view: { phase, status: null }, earning: null }))
    expect(texts(model)).toEqual([line])
    expect(possible(model)).toEqual(['open', 'quit'])
  })

  it('keeps long and multi-line reasons to one short line, and the tooltip to what Windows shows', () => {
    const [, reason] = texts(up({ reason: `a\nb ${'🙂'.repeat(200)}` }))
    expect(reason).toMatch(/^a b 🙂+…$/u)
    expect([...(reason ?? '')].length).toBe(72)
    expect([...trayModel(facts({ earnedTodayTrm: '9'.repeat(40) })).tooltip].length).toBeLessThanOrEqual(127)
  })

  it('speaks the owner’s language, and English where it knows none', () => {
    const japanese = trayModel(facts({ words: wordsIn(['ja-JP']), languages: ['ja-JP'] }))
    expect(texts(japanese)[0]).toBe('稼働中')
    const labels = flat(japanese.items).map(({ label }) => label)
    expect(labels.every((label) => /[぀-ヿ一-鿿]/u.test(label))).toBe(true)
    expect(wordsIn(['de-DE', 'ja-JP'])('tray.quit')).toBe('終了')
    expect(wordsIn(['de-DE'])('tray.quit')).toBe('Quit')
  })
})

describe('earnedToday', () => {
  it('adds up what others paid since midnight', () => {
    const noon = new Date(2026, 10, 29, 12).getTime()
    const hour = 3_600_000
    const earnings = Earnings.parse({
      range: '24h',
      allTimeTrm: '0',
      allTimeOwnKeysTrm: '0',
      allTimeOnCreditTrm: '0',
      rangeTrm: '0',
      rangeOwnKeysTrm: '0',
      rangeTrades: 0,
      bucketMs: hour,
      buckets: Array.from({ length: 24 }, (_, index) => ({
        startMs: noon - (23 - index) * hour,
        amountTrm: '12345678901234567890',
        ownKeysTrm: '7890',
        trades: 1,
      })),
    })
    // 0:00 to 12:00: thirteen of them.
    expect(earnedToday(earnings, noon)).toBe(String(13n * 12345678901234560000n))
  })
})

describe('trayIconFile', () => {
  const cases = (['earning', 'paused', 'busy', 'error'] as const).flatMap((icon) =>
    (['darwin', 'win32', 'linux'] as const).flatMap((platform) =>
      [true, false].map((dark) => [icon, platform, dark] as const),
    ),
  )
  it.each(cases)('%s on %s (dark: %s) exists', (icon, platform, dark) => {
    const file = trayIconFile(icon, platform, dark)
    const folder = join(import.meta.dirname, '../../resources/tray')
    expect(existsSync(join(folder, file))).toBe(true)
    // macOS takes a file as a template by its name, and finds the sharp one by its suffix.
    if (platform === 'darwin') expect(existsSync(join(folder, file.replace('.png', '@2x.png')))).toBe(true)
  })
})
