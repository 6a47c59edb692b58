import type { Earnings, EarningView, HostStatus } from '../../src-preload/contract/index.ts'
import type { HostView } from './host-supervisor.ts'
import type { WordCode, Words } from './words.ts'

export type TrayIcon = 'earning' | 'paused' | 'busy' | 'error'
export type TrayAction =
  | 'open'
  | 'pause'
  | 'resume'
  | 'wake'
  | 'snooze-hour'
  | 'snooze-hours'
  | 'snooze-morning'
  | 'finish'
  | 'mode-now'
  | 'mode-idle'
  | 'mode-schedule'
  | 'install'
  | 'leave-safe-mode'
  | 'quit'

export type TrayItem =
  | { type: 'action'; action: TrayAction; label: string; enabled: boolean; checked?: boolean }
  | { type: 'menu'; label: string; enabled: boolean; items: TrayItem[] }
  | { type: 'text'; label: string }
  | { type: 'separator' }

export interface TrayModel {
  tooltip: string
  icon: TrayIcon
  items: TrayItem[]
}

export interface TrayFacts {
  view: HostView
  /** Null until the host has said. */
  earning: EarningView | null
  /** From others, since midnight; null until the host has said. */
  earnedTodayTrm: string | null
  /** Version that is ready to be installed. */
  updateReady: string | null
  /** Why the app runs without model and network. */
  safeMode: string | null
  languages: readonly string[]
  words: Words
}

/** Menus cut long lines badly on their own. */
const MAX_LINE = 72
/** Windows shows no more of a tooltip. */
const MAX_TOOLTIP = 127

const STATES: Record<HostStatus['state'], { icon: TrayIcon; can: 'pause' | 'resume' | null }> = {
  starting: { icon: 'busy', can: null },
  serving: { icon: 'earning', can: 'pause' },
  resting: { icon: 'paused', can: 'pause' },
  paused: { icon: 'paused', can: 'resume' },
  draining: { icon: 'busy', can: 'resume' },
  'engine-down': { icon: 'error', can: 'pause' },
}

/** What the tray shows for what is known of the host. */
export function trayModel(facts: TrayFacts): TrayModel {
  const { words } = facts
  const { line, icon, details } = headline(facts)
  const earned =
    facts.earnedTodayTrm === null
      ? []
      : [words('tray.earned-today', { amount: grouped(facts.earnedTodayTrm, facts.languages) })]
  const texts = [line, ...details, ...earned].filter((label) => label !== '')
  return {
    tooltip: shorten([`Tirami Host: ${line}`, ...earned].join('\n'), MAX_TOOLTIP, false),
    icon,
    items: [
      ...texts.map((label): TrayItem => ({ type: 'text', label: shorten(label, MAX_LINE, true) })),
      { type: 'separator' },
      action(facts, 'open', 'tray.open'),
      ...controls(facts),
      { type: 'separator' },
      ...(facts.updateReady === null
        ? []
        : [action(facts, 'install', 'tray.install', { version: facts.updateReady })]),
      action(facts, 'quit', 'tray.quit'),
    ],
  }
}

function headline({ view, earning, safeMode, words, languages }: TrayFacts): {
  line: string
  icon: TrayIcon
  details: string[]
} {
  if (safeMode !== null) {
    return { line: words('state.safe-mode'), icon: 'error', details: [safeMode] }
  }
  if (view.phase === 'down') {
    const { code, message } = view.error
    return {
      line: words('state.host-down'),
      icon: 'error',
      details: [words.host(`errors.${code}.message`, message)],
    }
  }
  if (view.phase !== 'up') {
    const line = words(view.phase === 'stopped' ? 'state.stopped' : 'state.starting')
    return { line, icon: 'busy', details: [] }
  }
  const { state, reason, reasonCode, reasonParams, jobs } = view.status
  const running =
    jobs.running === 0
      ? []
      : [words(jobs.running === 1 ? 'tray.jobs-one' : 'tray.jobs-many', { count: jobs.running })]
  const until = earning?.snooze?.untilMs
  const snoozed =
    until === undefined ? [] : [words('tray.snoozed-until', { time: timeOfDay(until, languages) })]
  return {
    line: words(`state.${state}`),
    icon: STATES[state].icon,
    details: [words.host(`earning.${reasonCode}`, reason, reasonParams), ...snoozed, ...running],
  }
}

function controls(facts: TrayFacts): TrayItem[] {
  const { view, earning, safeMode, words } = facts
  if (safeMode !== null) return [action(facts, 'leave-safe-mode', 'tray.leave-safe-mode')]
  const can = view.phase === 'up' ? STATES[view.status.state].can : null
  const paused = earning?.mode === 'paused'
  const snoozed = earning !== null && earning.snooze !== null
  const may = can !== null
  const toggle =
    can === 'resume' ? action(facts, 'resume', 'tray.resume') : action(facts, 'pause', 'tray.pause', {}, may)
  if (earning === null) return [toggle]
  const mode = (name: TrayAction, code: WordCode, is: EarningView['mode']): TrayItem => ({
    ...action(facts, name, code),
    checked: earning.modeWhenResumed === is,
  })
  return [
    ...(snoozed ? [action(facts, 'wake', 'tray.wake')] : []),
    toggle,
    {
      type: 'menu',
      label: words('tray.snooze'),
      enabled: may && !paused,
      items: [
        action(facts, 'snooze-hour', 'tray.snooze-hour'),
        action(facts, 'snooze-hours', 'tray.snooze-hours'),
        action(facts, 'snooze-morning', 'tray.snooze-morning'),
      ],
    },
    action(facts, 'finish', 'tray.finish', {}, may && !paused && !earning.finishing),
    {
      type: 'menu',
      label: words('tray.mode'),
      enabled: may,
      items: [
        mode('mode-now', 'tray.mode-now', 'now'),
        mode('mode-idle', 'tray.mode-idle', 'when-idle'),
        mode('mode-schedule', 'tray.mode-schedule', 'schedule'),
      ],
    },
  ]
}

function action(
  { words }: TrayFacts,
  name: TrayAction,
  code: WordCode,
  parameters: Record<string, string> = {},
  enabled = true,
): TrayItem & { type: 'action' } {
  return { type: 'action', action: name, label: words(code, parameters), enabled }
}

/** From others, since the last midnight on the clock on the wall; a bucket counts to the day that it begins on. */
export function earnedToday(earnings: Earnings, nowMs: number): string {
  const midnightMs = new Date(nowMs).setHours(0, 0, 0, 0)
  const today = earnings.buckets.filter(({ startMs }) => startMs >= midnightMs)
  return String(
    today.reduce((sum, { amountTrm, ownKeysTrm }) => sum + BigInt(amountTrm) - BigInt(ownKeysTrm), 0n),
  )
}

function grouped(amountTrm: string, languages: readonly string[]): string {
  return new Intl.NumberFormat([...languages, 'en']).format(BigInt(amountTrm))
}

function timeOfDay(ms: number, languages: readonly string[]): string {
  return new Intl.DateTimeFormat([...languages, 'en'], { hour: 'numeric', minute: '2-digit' }).format(ms)
}

function shorten(text: string, most: number, oneLine: boolean): string {
  const characters = [...(oneLine ? text.replace(/\s+/gu, ' ') : text)]
  return characters.length <= most ? characters.join('') : `${characters.slice(0, most - 1).join('')}…`
}

/** File of an icon in resources/tray. macOS tints a template itself; elsewhere the file fits the theme. */
export function trayIconFile(icon: TrayIcon, platform: NodeJS.Platform, dark: boolean): string {
  if (platform === 'darwin') return `${icon}Template.png`
  return `${icon}-${dark ? 'dark' : 'light'}.png`
}
