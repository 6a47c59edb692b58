import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeepAwake, type KeepAwakeProblem } from './keep-awake.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-awake-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** A program of that name which writes down how it was called, and runs as long as its standard input is open. */
function standIn(name: string, script = 'exec cat > /dev/null'): NodeJS.ProcessEnv {
  const path = join(directory, name)
  const note = (what: string) => `echo "${what}" > '${directory}/${what.startsWith('$$') ? 'pid' : 'args'}'`
  writeFileSync(path, `#!/bin/sh\n${note('$*')}\n${note('$$')}\n${script}\n`)
  chmodSync(path, 0o755)
  return { ...process.env, PATH: `${directory}:${process.env.PATH}` }
}

const noted = (name: string) => readFileSync(join(directory, name), 'utf8').trim()
const runs = () => {
  try {
    return process.kill(Number(noted('pid')), 0)
  } catch {
    return false
  }
}
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}
const started = () => until(() => existsSync(join(directory, 'pid')) && noted('pid') !== '')

describe('the system is kept awake', () => {
  it.each([
    ['linux', 'systemd-inhibit', /^--what=sleep --mode=block /],
    ['darwin', 'caffeinate', new RegExp(`^-i -w ${process.pid}$`)],
  ] as const)('on %s by %s, while it is wanted, and the display is not', async (platform, name, args) => {
    const awake = createKeepAwake({ platform, environment: standIn(name) })
    expect(existsSync(join(directory, 'args'))).toBe(false)
    awake.set(true)
    awake.set(true)
    await started()
    expect(noted('args')).toMatch(args)
    expect(noted('args')).not.toMatch(/idle|-d|-u|display/)
    expect([runs(), awake.problem()]).toEqual([true, null])
    awake.set(false)
    await until(() => !runs())
    expect(awake.problem()).toBeNull()
  })

  it('not by what a killed host has left behind', async () => {
    const environment = standIn('systemd-inhibit')
    const module = JSON.stringify(join(import.meta.dirname, 'keep-awake.ts'))
    const script = `import(${module}).then((m) => { m.createKeepAwake({ platform: 'linux' }).set(true); setInterval(() => {}, 1000) })`
    const host = spawn(process.execPath, ['-e', script], { env: environment, stdio: 'ignore' })
    await started()
    expect(runs()).toBe(true)
    host.kill('SIGKILL')
    await until(() => !runs())
  })

  it.each([
    ['linux', 'no-program', () => ({ PATH: directory })],
    ['freebsd', 'no-program', () => ({})],
    ['linux', 'refused', () => standIn('systemd-inhibit', 'exit 1')],
  ] as const)('or why it is not is said (%s: %s)', async (platform, expected, environment) => {
    const told: (KeepAwakeProblem | null)[] = []
    const awake = createKeepAwake({
      platform,
      environment: environment(),
      onProblem: () => void told.push(awake.problem()),
    })
    setTimeout(() => awake.set(true), 0)
    await until(() => told.length > 0)
    expect(told).toEqual([expected])
    awake.close()
    expect(awake.problem()).toBeNull()
  })
})
