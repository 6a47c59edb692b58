import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { SseStream } from './sse.ts'

let server: Server | null = null
let reader: Socket | null = null
afterEach(() => {
  reader?.destroy()
  server?.close()
})

/** A stream to a reader over a real socket. */
async function streamTo(read: (socket: Socket) => void, stallMs?: number): Promise<SseStream> {
  const stream = Promise.withResolvers<SseStream>()
  server = createServer((_request, response) => stream.resolve(new SseStream(response, {}, stallMs)))
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  reader = connect(port, '127.0.0.1', () => reader?.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  reader.on('error', () => {})
  read(reader)
  return stream.promise
}

it('a reader that stops reading is cut off, and whoever feeds the stream goes on', async () => {
  const stream = await streamTo((socket) => socket.pause(), 100)
  const data = 'x'.repeat(1024 * 1024)
  for (let sent = 0; !stream.gone.aborted; sent++) {
    if (sent > 200) throw new Error('the stream takes everything')
    await stream.send({ data })
  }
  await stream.send({ data })
  expect(stream.gone.aborted).toBe(true)
})

it('a slow reader gets everything', async () => {
  let received = 0
  const stream = await streamTo((socket) => {
    socket.on('data', (chunk) => {
      received += chunk.length
      socket.pause()
      setTimeout(() => socket.resume(), 1)
    })
  })
  const done = new Promise((resolve) => reader?.on('close', resolve))
  for (let message = 0; message < 20; message++) await stream.send({ data: 'y'.repeat(50_000) })
  stream.end()
  await done
  expect(received).toBeGreaterThan(20 * 50_000)
  expect(stream.pendingBytes).toBe(0)
})
