import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openTelemetry } from './index.ts'

const program = fileURLToPath(new URL('../telemetry-cli.ts', import.meta.url))
let data: string

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'tirami-telemetry-cli-'))
  const log = await openTelemetry({
    directory: join(data, 'telemetry'),
    clock: { nowMs: () => 1_700_000_000_000 },
    limits: () => ({ maxFileBytes: 1_000, maxTotalBytes: null, keepDays: null }),
  })
  for (let i = 0; i < 10; i++) {
    log.record('OwnerAction', { action: 'set', source: 'api', key: 'a.b', old: i, new: i + 1, line: null })
  }
  await log.close()
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

it('verifies, and names the file and line of a fault', () => {
  const good = run('verify', '--data-dir', data)
  expect(JSON.parse(good.stdout)).toMatchObject({ ok: true, events: 10, torn_bytes: 0, faults: [] })
  expect(good.status).toBe(0)
  const [, second = ''] = readdirSync(join(data, 'telemetry')).toSorted()
  const path = join(data, 'telemetry', second)
  writeFileSync(path, readFileSync(path, 'utf8').replace('"source":"api"', '"source":"cli"'))
  const bad = run('verify', '--data-dir', data)
  expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false, faults: [{ file: second, line: 1 }] })
  expect(bad.status).toBe(1)
})

it('exports what fits, as lines or CSV, and replaces no file', () => {
  const text = run(
    'export',
    '--data-dir',
    data,
    '--format',
    'jsonl',
    '--text',
    '"old":3',
    '--kinds',
    'OwnerAction',
  )
  expect(
    text.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).seq),
  ).toEqual([4])
  const out = join(data, 'events.csv')
  expect(run('export', '--data-dir', data, '--format', 'csv', '--out', out).status).toBe(0)
  expect(readFileSync(out, 'utf8').split('\r\n')).toHaveLength(12)
  const again = run('export', '--data-dir', data, '--format', 'csv', '--out', out)
  expect(again.status).toBe(1)
  expect(again.stderr).toContain('FILE_REFUSED')
  const late = run('export', '--data-dir', data, '--from', '2030-01-01T00:00:00Z')
  expect(late).toEqual({ status: 0, stdout: '', stderr: '' })
})

it('says what it does not understand', () => {
  for (const args of [
    [],
    ['burn'],
    ['verify', 'x'],
    ['export', '--format', 'xml'],
    ['export', '--kinds', 'Nothing'],
    ['export', '--from', 'monday'],
    ['verify', '--nope'],
  ]) {
    const { status, stderr } = run(...args, ...(args.includes('--nope') ? [] : ['--data-dir', data]))
    expect(status, args.join(' ')).toBe(2)
    expect(stderr).toContain('Usage:')
  }
})
