import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HostEvent } from '../../src-preload/contract/index.ts'
import { callTimeoutMs } from '../../src-preload/contract/index.ts'
import { NodeEventSource } from '../testing/event-source.ts'
import { sampleModels, sampleStatus, sampleTrade } from '../testing/samples.ts'
import { HttpClient } from './http-client.ts'

let server: Server
let handle: (request: IncomingMessage, response: ServerResponse) => void
let client: HttpClient
let ends: (() => void)[]

beforeEach(async () => {
  ends = []
  server = createServer((request, response) => handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  client = new HttpClient({
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    EventSource: NodeEventSource as unknown as typeof EventSource,
    firstRetryMs: 20,
    // Long enough for a machine at work, short enough to wait for.
    callTimeoutMs: (procedure) => callTimeoutMs(procedure) / 20,
  })
})

afterEach(async () => {
  for (const end of ends) end()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const answerWith = (status: number, body: string) => {
  handle = (_, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

describe('calls', () => {
  it('posts the input as JSON to the procedure and gives back the result', async () => {
    let asked = ''
    handle = async (request, response) => {
      asked = `${request.method} ${request.url} ${request.headers['content-type']} `
      for await (const chunk of request) asked += chunk
      response.end(JSON.stringify({ ok: true, result: { trades: [sampleTrade(4)], total: 5 } }))
    }
    const { trades } = await client.call('trades.list', { limit: 1, beforeIndex: 5 })
    expect(asked).toBe('POST /rpc/trades.list application/json {"limit":1,"beforeIndex":5}')
    expect(trades[0]?.index).toBe(4)
  })

  it('gives a refusal its code, message and next step, whatever the HTTP status', async () => {
    const error = { code: 'PAUSED', message: 'The host is paused.', nextStep: 'Press Resume.' }
    for (const status of [200, 403, 503]) {
      answerWith(status, JSON.stringify({ ok: false, error }))
      await expect(client.call('host.pause', {})).rejects.toMatchObject({ name: 'HostCallError', ...error })
    }
  })

  it.each([
    ['no JSON', '<html>'],
    ['nothing', ''],
    ['null', 'null'],
    ['no envelope', JSON.stringify(sampleStatus())],
    ['a result off contract', JSON.stringify({ ok: true, result: { ...sampleStatus(), nodeId: 'XYZ' } })],
    ['success without a result', '{"ok":true}'],
    ['an error without a next step', '{"ok":false,"error":{"code":"A","message":"B"}}'],
  ])('takes %s for a malformed answer', async (_, body) => {
    answerWith(200, body)
    await expect(client.call('status.get', {})).rejects.toMatchObject({ code: 'MALFORMED_ANSWER' })
  })

  it('says so when the host is gone or silent', async () => {
    handle = () => undefined
    await expect(client.call('status.get', {})).rejects.toMatchObject({ code: 'HOST_TIMEOUT' })
    handle = (request) => request.socket.destroy()
    await expect(client.call('status.get', {})).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' })
  })
})

describe('calls that take long', () => {
  it('waits for a model to be loaded after it would have given up on a look-up', async () => {
    let answer = (): void => undefined
    handle = (request, response) => {
      if (request.url === '/rpc/models.load') {
        answer = () => response.end(JSON.stringify({ ok: true, result: sampleModels() }))
      }
    }
    const loaded = client.call('models.load', { id: 'x' })
    await expect(client.call('status.get', {})).rejects.toMatchObject({ code: 'HOST_TIMEOUT' })
    answer()
    expect((await loaded).installed).toHaveLength(2)
  })
})

describe('events', () => {
  /** Serves event streams; `streams` are those that are open. */
  function serveEvents() {
    const streams: ServerResponse[] = []
    const lastEventIds: unknown[] = []
    handle = (request, response) => {
      lastEventIds.push(request.headers['last-event-id'])
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      streams.push(response)
      response.on('close', () => streams.splice(streams.indexOf(response), 1))
    }
    return { streams, lastEventIds }
  }

  const message = (seq: number | string, name: string, data: unknown) =>
    `id: ${seq}\nevent: ${name}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

  function listen() {
    const heard: HostEvent[] = []
    const connection: boolean[] = []
    ends.push(
      client.subscribe((event) => heard.push(event)),
      client.onConnection((connected) => connection.push(connected)),
    )
    return { heard, connection }
  }

  it('opens one stream for all listeners and closes it after the last', async () => {
    const { streams } = serveEvents()
    listen()
    listen()
    await vi.waitFor(() => expect(streams).toHaveLength(1))
    for (const end of ends.splice(0)) end()
    await vi.waitFor(() => expect(streams).toHaveLength(0))
  })

  it('passes on what is in the contract and drops what is not', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const { streams } = serveEvents()
    const { heard } = listen()
    await vi.waitFor(() => expect(streams).toHaveLength(1))
    streams[0]?.write(message(1, 'trade.booked', sampleTrade(0)))
    streams[0]?.write(message(2, 'trade.booked', { ...sampleTrade(1), amountTrm: 1.5 }))
    streams[0]?.write(message(3, 'chat.delta', 'not JSON'))
    streams[0]?.write(message(4, 'weather.changed', {}))
    streams[0]?.write(message('x', 'status.changed', sampleStatus()))
    streams[0]?.write(message(6, 'status.changed', sampleStatus()))
    await vi.waitFor(() =>
      expect(heard.map(({ seq, name }) => [seq, name])).toContainEqual([6, 'status.changed']),
    )
    expect(heard).toHaveLength(2)
    expect(warn).toHaveBeenCalledTimes(3)
    warn.mockRestore()
  })

  it('tells that the stream broke and that it is back, and goes on after the last event', async () => {
    const { streams, lastEventIds } = serveEvents()
    const { heard, connection } = listen()
    await vi.waitFor(() => expect(connection).toEqual([true]))
    streams[0]?.write(message(41, 'status.changed', sampleStatus()))
    await vi.waitFor(() => expect(heard).toHaveLength(1))
    streams[0]?.destroy()
    await vi.waitFor(() => expect(connection).toEqual([true, false, true]))
    expect(lastEventIds).toEqual([undefined, '41'])
    streams[0]?.write(message(42, 'status.changed', sampleStatus()))
    await vi.waitFor(() => expect(heard.map(({ seq }) => seq)).toEqual([41, 42]))
  })

  it('opens the stream again by itself after an HTTP error, for which the browser gives up', async () => {
    let refusals = 3
    const { streams } = serveEvents()
    const serve = handle
    handle = (request, response) => {
      refusals -= 1
      if (refusals >= 0) response.writeHead(503).end()
      else serve(request, response)
    }
    const { connection } = listen()
    await vi.waitFor(() => expect(connection).toEqual([false, true]))
    expect(streams).toHaveLength(1)
  })

  it('tells a late listener how things stand', async () => {
    serveEvents()
    const { connection } = listen()
    await vi.waitFor(() => expect(connection).toEqual([true]))
    expect(listen().connection).toEqual([true])
  })

  it('lets no listener silence the others', async () => {
    const error = vi.spyOn(console, 'error').mockReturnValue()
    const { streams } = serveEvents()
    ends.push(
      client.subscribe(() => {
        throw new Error('a defect')
      }),
    )
    const { heard } = listen()
    await vi.waitFor(() => expect(streams).toHaveLength(1))
    streams[0]?.write(message(1, 'status.changed', sampleStatus()))
    await vi.waitFor(() => expect(heard).toHaveLength(1))
    error.mockRestore()
  })
})
