import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'

const data = temporaryDirectory()
let host: HostProcess
let port: number

beforeAll(async () => {
  host = await startHeadless(data.path)
  port = Number(new URL(host.ready.api).port)
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

/** Sends bytes as they are and gives the status of the answer. */
function raw(request: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => {
      resolve({
        status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0),
        body: answer.split('\r\n\r\n').slice(1).join('\r\n\r\n'),
      })
    })
  })
}

function get(headers: string[], target = '/health'): string {
  return `GET ${target} HTTP/1.1\r\n${headers.map((header) => `${header}\r\n`).join('')}Connection: close\r\n\r\n`
}

const chat = (body: unknown, headers: Record<string, string> = {}) =>
  host.api('/chat/completions', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  })
const errorOf = async (response: Response) =>
  (
    (await response.json()) as {
      error: { code: string; message: string; type: string; param: string | null }
    }
  ).error
const messages = [{ role: 'user', content: 'hello' }]

describe('Host header', () => {
  it.each([
    ['evil.example'],
    ['127.0.0.1.evil.example'],
    [''],
    ['127.0.0.1'],
    ['127.0.0.1:1'],
    ['2130706433:PORT'],
    ['0x7f000001:PORT'],
    ['localhost.:PORT'],
    ['0.0.0.0:PORT'],
    ['user@127.0.0.1:PORT'],
  ])('refuses “%s”', async (value) => {
    const { status } = await raw(get([`Host: ${value.replace('PORT', String(port))}`]))
    expect(status).toBe(403)
  })

  it('refuses two of them, an absolute target, and none at all', async () => {
    const own = `Host: 127.0.0.1:${port}`
    expect((await raw(get([own, 'Host: evil.example']))).status).toBe(403)
    expect([400, 403]).toContain((await raw(get([own], `http://127.0.0.1:${port}/health`))).status)
    expect((await raw(get([]))).status).toBe(400)
  })

  it('accepts the loopback names with the right port', async () => {
    for (const name of ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST']) {
      expect((await raw(get([`Host: ${name}:${port}`]))).status).toBe(200)
    }
  })

  it('is refused before the body is read', async () => {
    const head =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n'
    const { status } = await raw(`${head}Content-Length: 1000000\r\nConnection: close\r\n\r\n{`)
    expect(status).toBe(403)
  })
})

describe('Origin', () => {
  it.each(['https://evil.example', 'null', 'http://127.0.0.1', 'http://localhost:1', 'file://'])(
    'refuses %s and gives no CORS headers',
    async (origin) => {
      const response = await chat({ messages }, { origin })
      expect(response.status).toBe(403)
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    },
  )

  it('answers no preflight', async () => {
    const response = await fetch(`${host.ready.api}/chat/completions`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    })
    expect(response.status).toBe(403)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('API key', () => {
  it.each([
    ['none', ''],
    ['another scheme', 'Basic abc'],
    ['no token', 'Bearer '],
    ['a wrong one', 'Bearer sk-wrong'],
    ['a very long one', `Bearer ${'x'.repeat(4000)}`],
  ])('refuses %s', async (_name, authorization) => {
    const response = await fetch(`${host.ready.api}/models`, {
      headers: authorization ? { authorization } : {},
    })
    expect(response.status).toBe(401)
    const error = await errorOf(response)
    expect(error.type).toBe('authentication_error')
    expect(JSON.stringify(error)).not.toContain('sk-wrong')
  })

  it('refuses a prefix of the right one, on every path under /v1', async () => {
    for (const path of ['/models', '/tirami/balance', '/tirami/trades', '/nothing-here']) {
      const response = await host.api(path, {
        headers: { authorization: `Bearer ${host.apiKey.slice(0, -1)}` },
      })
      expect(response.status).toBe(401)
    }
  })
})

describe('request bodies', () => {
  it.each([
    ['broken JSON', '{"messages": ['],
    ['no JSON at all', 'hello'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a prototype key', '{"__proto__": {"x": 1}, "messages": [{"role":"user","content":"hi"}]}'],
    ['a constructor key', '{"constructor": {"prototype": {}}, "messages": [{"role":"user","content":"hi"}]}'],
    ['a depth bomb', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('%s is a 400', async (_name, body) => {
    const response = await chat(body)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).type).toBe('invalid_request_error')
  })

  it.each<[string, Record<string, unknown>]>([
    ['messages', {}],
    ['messages', { messages: [] }],
    ['messages', { messages: 'hi' }],
    ['messages.0.role', { messages: [{ role: 'wizard', content: 'hi' }] }],
    ['messages.0.content', { messages: [{ role: 'user', content: 7 }] }],
    ['messages.0.content', { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }],
    ['max_tokens', { messages, max_tokens: 0 }],
    ['max_tokens', { messages, max_tokens: -5 }],
    ['max_tokens', { messages, max_tokens: 1e9 }],
    ['max_tokens', { messages, max_tokens: 2.5 }],
    ['max_completion_tokens', { messages, max_completion_tokens: '9' }],
    ['temperature', { messages, temperature: -1 }],
    ['temperature', { messages, temperature: 1e300 }],
    ['top_p', { messages, top_p: 0 }],
    ['seed', { messages, seed: 1e300 }],
    ['stop', { messages, stop: ['a', 'b', 'c', 'd', 'e'] }],
    ['n', { messages, n: 2 }],
    ['tools', { messages, tools: [{ type: 'function', function: { name: 'f' } }] }],
    ['logprobs', { messages, logprobs: true }],
    ['response_format', { messages, response_format: { type: 'json_object' } }],
    ['n_discard', { messages, n_discard: -1 }],
  ])('“%s” is named when it is wrong (%#)', async (param, body) => {
    const response = await chat(body)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).param).toBe(param)
  })

  it('1e309 is no number', async () => {
    const response = await chat('{"messages":[{"role":"user","content":"hi"}],"temperature":1e309}')
    expect(response.status).toBe(400)
  })

  it('a form or plain text is a 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      expect((await chat({ messages }, { 'content-type': type })).status).toBe(415)
    }
  })

  it('a body over the limit is a 413, a prompt over the context a 400', async () => {
    const long = (length: number) => ({ messages: [{ role: 'user', content: 'x'.repeat(length) }] })
    expect((await chat(long(300_000))).status).toBe(413)
    const response = await chat(long(30_000))
    expect(response.status).toBe(400)
    expect((await errorOf(response)).code).toBe('prompt_too_long')
  })

  it('an unknown model is a 404', async () => {
    const response = await chat({ model: 'gpt-42', messages })
    expect(response.status).toBe(404)
    expect((await errorOf(response)).code).toBe('model_not_found')
  })

  it('unknown paths and methods are 404', async () => {
    expect((await host.api('/unknown')).status).toBe(404)
    expect((await host.api('/chat/completions')).status).toBe(404)
    expect((await host.api('/tirami/trades?limit=0')).status).toBe(400)
    expect((await host.api('/tirami/trades?limit=1e9')).status).toBe(400)
  })
})

it('after all that the host still answers, and nothing was charged for what it refused', async () => {
  const answer = await host.client.chat.completions.create({
    model: host.ready.model,
    messages: [{ role: 'user', content: 'hello' }],
  })
  expect(answer.choices[0]?.message.content).toBeTruthy()
  const network = (await (await host.api('/tirami/network')).json()) as { total_trades: number }
  expect(network.total_trades).toBe(1)
  expect(readFileSync(host.ready.apiKeyFile, 'utf8').trim()).toBe(host.apiKey)
})
