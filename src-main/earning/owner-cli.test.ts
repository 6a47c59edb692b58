import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../owner-cli.ts', import.meta.url))
let data: string

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'tirami-owner-cli-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

function run(...args: string[]) {
  const command = [program, ...args, '--data-dir', data]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  return { status, stdout: stdout.trim(), stderr }
}
const text = () => readFileSync(join(data, 'owner.yaml'), 'utf8')

it('lists, reads and changes settings, comments kept', () => {
  expect(run('set', 'sentinel.daily_budget', '2.5')).toEqual({
    status: 0,
    stdout: 'sentinel.daily_budget: 2.5',
    stderr: '',
  })
  expect(statSync(join(data, 'owner.yaml')).mode & 0o077).toBe(0)
  writeFileSync(join(data, 'owner.yaml'), `# mine\n${text()}`)
  expect(run('set', 'prices.per_trm', 'null').status).toBe(0)
  expect(run('pause').stdout).toBe('serving.paused: true')
  expect(run('full-depth', 'on').stdout).toBe('serving.force_full_depth: true')
  expect(run('get', 'serving.paused').stdout).toBe('true')
  expect(run('resume').status).toBe(0)
  expect(run('get', 'serving.paused').stdout).toBe('false')
  expect(run('list').stdout).toContain(
    'sentinel.daily_budget: 2.5 [0…1000000000000]  Most electricity cost per day',
  )
  expect(text()).toMatch(/^# mine\n/)
  expect(run('check').stdout).toBe('{"ok":true,"problem":null}')
  expect(readdirSync(data)).toEqual(['owner.yaml'])
})

it('refuses what is out of bounds or unknown, and leaves the file as it was', () => {
  run('pause')
  const before = text()
  for (const [key, value, code] of [
    ['sentinel.daily_budget', '1e13', 'OWNER_VALUE_INVALID'],
    ['serving.paused', 'maybe', 'OWNER_VALUE_INVALID'],
    ['serving.wallet', '1', 'OWNER_KEY_UNKNOWN'],
  ] as const) {
    const { status, stderr } = run('set', key, value)
    expect([status, stderr.split(':')[0]]).toEqual([1, code])
  }
  expect(text()).toBe(before)
  writeFileSync(join(data, 'owner.yaml'), 'serving:\n  paused: 7\n')
  const { status, stdout } = run('check')
  expect(status).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, problem: { line: 2 } })
  expect(run('burn').status).toBe(2)
  expect(run('set', 'serving.paused').status).toBe(2)
})
