import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HostStatus } from '../../src-preload/contract/index.ts'
import { exampleStatus } from './testing/status.ts'
import { type TrayAction, type TrayIcon, type TrayModel, trayIconFile, trayModel } from './tray-model.ts'

const texts = (model: TrayModel) => model.items.flatMap((item) => (item.type === 'text' ? [item.label] : []))
const actions = (model: TrayModel) =>
  model.items.flatMap((item) => (item.type === 'action' ? [[item.action, item.enabled]] : []))
const up = (change: Partial<HostStatus>) => trayModel({ phase: 'up', status: exampleStatus(change) })

describe('trayModel', () => {
  const expected: Record<HostStatus['state'], [line: string, icon: TrayIcon, TrayAction, enabled: boolean]> =
    {
      starting: ['Starting…', 'busy', 'pause', false],
      serving: ['Earning', 'earning', 'pause', true],
      resting: ['Resting', 'paused', 'pause', true],
      paused: ['Paused', 'paused', 'resume', true],
      draining: ['Pausing: finishing jobs', 'busy', 'resume', true],
      'engine-down': ['Not earning: engine down', 'error', 'pause', true],
    }

  it.each(HostStatus.shape.state.options)('says what “%s” means', (state) => {
    const model = up({ state, reason: 'Because.' })
    const [line, icon, action, enabled] = expected[state]
    expect(model.tooltip).toBe(`Tirami Host: ${line}`)
    expect(model.icon).toBe(icon)
    expect(texts(model)).toEqual([line, 'Because.'])
    expect(actions(model)).toEqual([
      ['open', true],
      [action, enabled],
      ['quit', true],
    ])
  })

  it('counts running jobs', () => {
    expect(texts(up({ jobs: { running: 1, queued: 0 } }))).toContain('1 job running')
    expect(texts(up({ jobs: { running: 3, queued: 9 } }))).toContain('3 jobs running')
  })

  it('shows why the host is away, even after it was seen earning', () => {
    const error = {
      code: 'PORT_IN_USE',
      message: 'Port 3000 is in use.',
      nextStep: 'Close the other program.',
    }
    const model = trayModel({ phase: 'down', status: exampleStatus(), error, retryAtMs: 1 })
    expect(model.icon).toBe('error')
    expect(texts(model)).toEqual(['Not earning: host down', 'Port 3000 is in use.'])
    expect(actions(model)).toContainEqual(['pause', false])
  })

  it.each([
    ['starting', 'Starting…'],
    ['stopped', 'Stopped'],
  ] as const)('while %s nothing but Open and Quit works', (phase, line) => {
    const model = trayModel({ phase, status: null })
    expect(texts(model)).toEqual([line])
    expect(actions(model)).toEqual([
      ['open', true],
      ['pause', false],
      ['quit', true],
    ])
  })

  it('keeps long and multi-line reasons to one short line', () => {
    const [, reason] = texts(up({ reason: `a\nb ${'🙂'.repeat(200)}` }))
    expect(reason).toMatch(/^a b 🙂+…$/u)
    expect([...(reason ?? '')].length).toBe(72)
  })

  it('leaves out an empty reason', () => expect(texts(up({ reason: '' }))).toEqual(['Earning']))
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
