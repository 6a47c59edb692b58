import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { EventLog } from '../../host/events.ts'
import { type Dashboard, openDashboard } from './dashboard.ts'

const CHAT = 'a'.repeat(32)
const EVENTS = 100_000
const MIB = 1024 * 1024

let directory: string
let dashboard: Dashboard
let log: EventLog
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tirami-events-'))
  writeFileSync(join(directory, 'index.html'), '<p>page</p>')
  log = new EventLog('run')
  dashboard = await openDashboard(
    () => ({
      call: async () => ({ ok: false, error: { code: 'X', message: 'm', nextStep: 'n' } }),
      subscribe: (listener, after) => log.subscribe(listener, after),
      placeOf: (event) => log.placeOf(event),
    }),
    { port: 0, bundleDirectory: directory },
  )
})
afterEach(async () => {
  await dashboard.close()
  rmSync(directory, { recursive: true, force: true })
})

/** The raw event stream, over a real socket. */
async function openStream(lastEventId?: string): Promise<{ socket: Socket; text(): string }> {
  const url = new URL(dashboard.url)
  const cookie = await new Promise<string>((resolve) => {
    request(url, (response) => resolve(response.headers['set-cookie']?.[0]?.split(';')[0] ?? '')).end()
  })
  const socket = connect(Number(url.port), url.hostname)
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
  })
  const resume = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`
  socket.write(`GET /events HTTP/1.1\r\nHost: ${url.host}\r\nCookie: ${cookie}\r\n${resume}\r\n`)
  await until(() => text.includes('\r\n\r\n'))
  return { socket, text: () => text }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const received = (text: string) =>
  [...text.matchAll(/^id: (\d+)-run\nevent: (\S+)\ndata: (.*)$/gm)].map(([, seq, name, data]) => ({
    seq: Number(seq),
    name,
    data: JSON.parse(data ?? 'null') as { missed?: number },
  }))

it('a hundred thousand events at a reader that stands still cost a bounded memory; then it learns what it missed', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = () => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const reader = await openStream()
  reader.socket.pause()
  const filler = 'x'.repeat(1_000)
  const before = used()
  for (let sent = 0; sent < EVENTS; sent++) {
    log.emit('chat.delta', { chatId: CHAT, text: `${sent} ${filler}` })
    // Lets the stream write, as it would between the tokens of an answer.
    if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  // Kept in full they would be 100 MB, and as much again in words.
  expect(used() - before).toBeLessThan(16 * MIB)

  reader.socket.resume()
  log.emit('models.changed', {})
  await until(() => reader.text().includes('event: models.changed'))
  const got = received(reader.text())
  expect(got.map(({ seq }) => seq)).toEqual([...got.map(({ seq }) => seq)].sort((a, b) => a - b))
  expect(got.some(({ name }) => name === 'resync')).toBe(true)
  const accounted = got.reduce((sum, { name, data }) => sum + (name === 'resync' ? (data.missed ?? 0) : 1), 0)
  expect(accounted).toBe(EVENTS + 1)
  reader.socket.destroy()
})

it('a reader that comes back with the place it had gets what it missed, and one of another run a resync', async () => {
  const first = await openStream()
  for (let sent = 0; sent < 3; sent++) log.emit('chat.delta', { chatId: CHAT, text: String(sent) })
  await until(() => received(first.text()).length === 3)
  first.socket.destroy()
  log.emit('models.changed', {})
  log.emit('models.changed', {})

  const again = await openStream('3-run')
  await until(() => received(again.text()).length === 2)
  expect(received(again.text()).map(({ seq, name }) => [seq, name])).toEqual([
    [4, 'models.changed'],
    [5, 'models.changed'],
  ])
  again.socket.destroy()

  const stranger = await openStream('3-elsewhere')
  await until(() => received(stranger.text()).length === 1)
  expect(received(stranger.text())).toEqual([{ seq: 5, name: 'resync', data: { missed: null } }])
  stranger.socket.destroy()
})
