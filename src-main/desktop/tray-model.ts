import type { HostStatus } from '../../src-preload/contract/index.ts'
import type { HostView } from './host-supervisor.ts'

export type TrayIcon = 'earning' | 'paused' | 'busy' | 'error'
export type TrayAction = 'open' | 'pause' | 'resume' | 'quit'

export type TrayItem =
  | { type: 'action'; action: TrayAction; label: string; enabled: boolean }
  | { type: 'text'; label: string }
  | { type: 'separator' }

export interface TrayModel {
  tooltip: string
  icon: TrayIcon
  items: TrayItem[]
}

/** Menus cut long lines badly on their own. */
const MAX_LINE = 72

const STATES: Record<
  HostStatus['state'],
  { line: string; icon: TrayIcon; switch: 'pause' | 'resume'; enabled: boolean }
> = {
  starting: { line: 'Starting…', icon: 'busy', switch: 'pause', enabled: false },
  serving: { line: 'Earning', icon: 'earning', switch: 'pause', enabled: true },
  resting: { line: 'Resting', icon: 'paused', switch: 'pause', enabled: true },
  paused: { line: 'Paused', icon: 'paused', switch: 'resume', enabled: true },
  draining: { line: 'Pausing: finishing jobs', icon: 'busy', switch: 'resume', enabled: true },
  'engine-down': { line: 'Not earning: engine down', icon: 'error', switch: 'pause', enabled: true },
}

/** What the tray shows for what is known of the host. */
export function trayModel(view: HostView): TrayModel {
  if (view.phase === 'up') {
    const state = STATES[view.status.state]
    const { running } = view.status.jobs
    const jobs = running === 0 ? [] : [running === 1 ? '1 job running' : `${running} jobs running`]
    return model(state.line, state.icon, [view.status.reason, ...jobs], state.switch, state.enabled)
  }
  if (view.phase === 'down')
    return model('Not earning: host down', 'error', [view.error.message], 'pause', false)
  return model(view.phase === 'stopped' ? 'Stopped' : 'Starting…', 'busy', [], 'pause', false)
}

function model(
  line: string,
  icon: TrayIcon,
  details: string[],
  action: 'pause' | 'resume',
  enabled: boolean,
): TrayModel {
  const text = (label: string): TrayItem => ({ type: 'text', label: shorten(label) })
  return {
    tooltip: `Tirami Host: ${line}`,
    icon,
    items: [
      ...[line, ...details].filter((label) => label !== '').map(text),
      { type: 'separator' },
      { type: 'action', action: 'open', label: 'Open Tirami Host', enabled: true },
      { type: 'action', action, label: action === 'pause' ? 'Pause' : 'Resume', enabled },
      { type: 'separator' },
      { type: 'action', action: 'quit', label: 'Quit', enabled: true },
    ],
  }
}

function shorten(text: string): string {
  const characters = [...text.replace(/\s+/gu, ' ')]
  return characters.length <= MAX_LINE
    ? characters.join('')
    : `${characters.slice(0, MAX_LINE - 1).join('')}…`
}

/** File of an icon in resources/tray. macOS tints a template itself; elsewhere the file fits the theme. */
export function trayIconFile(icon: TrayIcon, platform: NodeJS.Platform, dark: boolean): string {
  if (platform === 'darwin') return `${icon}Template.png`
  return `${icon}-${dark ? 'dark' : 'light'}.png`
}
