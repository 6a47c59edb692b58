import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, it } from 'vitest'
import { endProcess, root, temporaryDirectory } from './support/host.ts'

const data = temporaryDirectory()
afterAll(() => data.remove())

it('npm start without a display says so in one line and prints the dashboard’s address', async () => {
  const { DISPLAY: _display, WAYLAND_DISPLAY: _wayland, ...env } = process.env
  const child = spawn(
    process.execPath,
    [join(root, 'build/scripts/start.mjs'), '--data-dir', data.path, '--port', '0'],
    {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      if (line.includes('Press Ctrl+C')) resolve()
    })
    child.on('exit', (code) => reject(new Error(`ended with ${code}: ${lines.join('\n')}`)))
  })
  expect(lines[0]).toMatch(/^No display was found: starting headless/)
  const dashboard = lines.find((line) => line.startsWith('Dashboard:'))?.split(/\s+/)[1] ?? ''
  const page = await fetch(dashboard, { redirect: 'manual' })
  expect(page.status).toBe(303)
  expect(await endProcess(child, 'SIGTERM')).toBe(0)
})

it('refuses arguments that make no sense', async () => {
  for (const args of [
    ['--port', '70000'],
    ['--port', 'x'],
    ['--colour', 'blue'],
  ]) {
    const child = spawn(process.execPath, [join(root, 'out/main/headless.js'), ...args], { stdio: 'ignore' })
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(2)
  }
})
