import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, it } from 'vitest'
import type { SettingsView } from '../src-preload/contract/index.ts'
import { endProcess, eventually, type Ready, root, temporaryDirectory } from './support/host.ts'
import { openWindow } from './support/window-calls.ts'

const data = temporaryDirectory()
const children: ChildProcess[] = []
afterAll(async () => {
  await Promise.all(children.map((child) => endProcess(child, 'SIGKILL')))
  data.remove()
})

/** A host that was started without a port or an address, so that all of it is chosen in the window. */
async function start(name: string, ...extra: string[]) {
  const directory = join(data.path, name)
  mkdirSync(directory)
  const api = { address: '127.0.0.1', port: 0 }
  writeFileSync(
    join(directory, 'settings.json'),
    JSON.stringify({ api, guide: { state: 'skipped', step: 'machine' } }),
  )
  const args = [join(root, 'out/main/headless.js'), '--data-dir', directory, ...extra]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines: Ready[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line) as Ready)
  })
  /** The line that the host prints with its `count`th start. */
  const ready = (count: number) => eventually(async () => lines[count - 1])
  const first = await ready(1)
  const { call } = await openWindow({ ready: first })
  return { child, directory, first, ready, call }
}

/** Addresses of this machine that are not the loopback: what comes by them looks as if it came from outside. */
const outside = () =>
  Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ internal, family }) => !internal && family === 'IPv4')

const health = async (url: string) => (await fetch(url)).status

it('starts anew in the same process, at the address that was chosen, with its ledger and the page’s session', async () => {
  const { child, first, ready, call, directory } = await start('restart')
  const key = readFileSync(join(directory, 'api-key'), 'utf8').trim()
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'What is TRM?' }] })
  expect((await fetch(`${first.api}/chat/completions`, { method: 'POST', headers, body })).status).toBe(200)
  const before = await call('status.get', {})

  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  await expect(call('settings.setApi', { address: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  })
  await new Promise((resolve) => taken.close(resolve))
  await expect(call('settings.setApi', { address: '192.0.2.1', port })).rejects.toMatchObject({
    code: 'ADDRESS_NOT_HERE',
  })
  const waiting = await call('settings.setApi', { address: '127.0.0.1', port })
  expect(waiting.restart).toEqual({ needed: true, possible: true })
  expect(await call('host.restart', {})).toEqual({ restarting: true })
  const second = await ready(2)
  expect(second).toMatchObject({ api: `http://127.0.0.1:${port}/v1`, nodeId: first.nodeId })
  expect(second.dashboard).toBe(first.dashboard)
  expect(child.exitCode).toBe(null)
  const after = await call('status.get', {})
  expect(after.ledger.trades).toBe(1)
  expect(after.ledger.merkleRoot).toBe(before.ledger.merkleRoot)
  expect(after.startedAtMs).toBeGreaterThan(before.startedAtMs)
  expect((await call('settings.get', {})).restart.needed).toBe(false)
  expect((await fetch(`${second.api}/chat/completions`, { method: 'POST', headers, body })).status).toBe(200)
  expect(await endProcess(child, 'SIGTERM')).toBe(0)
})

it('opens itself to other machines only when somebody has a key, and answers them under its own address alone', async () => {
  const { first, ready, call, directory } = await start('bind')
  const everywhere = { address: '0.0.0.0', port: 0 }
  await expect(call('settings.setApi', everywhere)).rejects.toMatchObject({ code: 'BIND_NEEDS_KEY' })
  const { token } = await call('keys.issue', { label: 'Anna', scope: 'inference', days: null })
  await call('settings.setApi', everywhere)
  await call('host.restart', {})
  const { api } = await ready(2)
  const network = (await call('settings.get', {})).network
  expect(network).toMatchObject({ address: '0.0.0.0', loopbackOnly: false })
  // Every address of 127.0.0.0/8 is this machine's; the host was asked for none of them by name.
  const beyond = `http://127.0.0.2:${network.port}`
  expect(await health(`${beyond}/health`)).toBe(200)
  expect(await health(`${beyond}/v1/models`)).toBe(401)
  const rebound = await fetch(`${beyond}/health`, { headers: { origin: 'http://evil.example' } })
  expect(rebound.status).toBe(403)
  expect(api).not.toBe(first.api)

  // The owner's key works from this machine alone, whatever a header says of the way; a guest's works from outside.
  const ownKey = readFileSync(join(directory, 'api-key'), 'utf8').trim()
  const listed = (origin: string, key: string, more = {}) =>
    fetch(`${origin}/v1/models`, { headers: { authorization: `Bearer ${key}`, ...more } })
  expect((await listed(beyond, ownKey)).status).toBe(200)
  for (const { address } of outside()) {
    const origin = `http://${address}:${network.port}`
    expect((await listed(origin, token)).status).toBe(200)
    for (const claim of [{}, { 'x-forwarded-for': '127.0.0.1' }, { forwarded: 'for=127.0.0.1' }]) {
      const refused = await listed(origin, ownKey, claim)
      expect([refused.status, await refused.text()]).toEqual([
        403,
        expect.stringContaining('own_key_from_outside'),
      ])
    }
  }

  // The key is taken back: the next start is on this machine alone, and says why.
  const { keys } = await call('keys.list', {})
  await call('keys.revoke', { tokenHash: keys[0]?.tokenHash ?? '' })
  await call('host.restart', {})
  await ready(3)
  const closed = (await call('settings.get', {})).network
  expect(closed).toMatchObject({ loopbackOnly: true, api: { problem: { code: 'BIND_NEEDS_KEY' } } })
})

it('joins the market and leaves it while it runs, and says why where it cannot', async () => {
  const { first, call, ready } = await start('mesh')
  const setup: SettingsView['network']['mesh']['setup'] = {
    enabled: true,
    port: 0,
    reach: 'machine',
    bootstrap: [],
    group: 'test',
  }
  expect(first.mesh).toBe(null)
  expect((await call('mesh.get', {})).enabled).toBe(false)
  expect((await call('settings.setMesh', setup)).network.mesh.on).toBe(true)
  const { enabled, addresses } = await call('mesh.get', {})
  expect(enabled).toBe(true)
  expect(addresses[0]).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3/)
  await expect(call('settings.setMesh', { ...setup, bootstrap: ['nowhere'] })).rejects.toMatchObject({
    code: 'MESH_ADDRESS_INVALID',
  })
  expect((await call('settings.get', {})).network.mesh).toMatchObject({ on: true, setup })
  await call('host.restart', {})
  expect((await ready(2)).mesh).not.toBe(null)
  expect((await call('settings.setMesh', { ...setup, enabled: false })).network.mesh.on).toBe(false)
  expect((await call('mesh.get', {})).addresses).toEqual([])
})

it('leaves what the command line says as it is', async () => {
  const { call } = await start('fixed', '--port', '0', '--mesh-port', '0', '--mesh-loopback')
  const { network } = await call('settings.get', {})
  expect(network.api.fixed).toEqual({ address: false, port: true })
  expect(network.mesh).toMatchObject({ fixed: true, on: true })
  const { setup } = network.mesh
  await expect(call('settings.setMesh', { ...setup, enabled: false })).rejects.toMatchObject({
    code: 'SETTING_FIXED',
  })
  await expect(call('settings.setApi', { address: '127.0.0.1', port: 8123 })).rejects.toMatchObject({
    code: 'SETTING_FIXED',
  })
})
