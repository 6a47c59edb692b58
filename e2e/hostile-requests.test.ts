import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { eventually, type HostProcess, root, startHeadless, temporaryDirectory } from './support/host.ts'

/*
 * What a hostile or careless caller can send, row by row:
 *
 *  1 bind address         here
 *  2 Host header          here
 *  3 Origin               here
 *  4 keys and scopes      here; scopes, rotation and revocation in safety.test.ts
 *  5 control plane        here
 *  6 method, media type   here
 *  7 limits               here; a reader that stalls in src-main/gateway/sse.test.ts
 *  8 parameters           here; what each call refuses in openai-*.test.ts
 *  9 going away           disconnect.test.ts
 * 10 other tenants        here what a caller is told; the engine's own canaries in src-main/inference
 * 11 a full queue         here; draining in disconnect.test.ts
 * 12 what is written down here
 * 13 a killed engine      disconnect.test.ts
 */

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
function raw(request: string | Buffer): Promise<{ status: number; head: string; body: string }> {
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
        head: answer.split('\r\n\r\n')[0] ?? '',
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
const tool = { type: 'function', function: { name: 'f' } }

describe('2 Host header', () => {
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

describe('3 Origin', () => {
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

  it('answers no private-network preflight', async () => {
    const { status, head } = await raw(
      `OPTIONS /v1/models HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: https://evil.example\r\n` +
        'Access-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true\r\nConnection: close\r\n\r\n',
    )
    expect(status).toBe(403)
    expect(head.toLowerCase()).not.toContain('access-control-allow')
  })
})

describe('4 API key', () => {
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

describe('6 to 8 request bodies', () => {
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
    ['messages', { messages: null }],
    ['messages.0', { messages: [123] }],
    ['messages.0.role', { messages: [{}] }],
    ['messages.0.role', { messages: [{ role: 123 }] }],
    ['messages.1.role', { messages: [...messages, {}] }],
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
    ['n', { messages, n: 0 }],
    ['n', { messages, n: 129 }],
    ['top_k', { messages, top_k: -1 }],
    ['min_p', { messages, min_p: 2 }],
    ['frequency_penalty', { messages, frequency_penalty: 2.5 }],
    ['presence_penalty', { messages, presence_penalty: -3 }],
    ['repeat_penalty', { messages, repeat_penalty: 0 }],
    ['logit_bias.hello', { messages, logit_bias: { hello: 1 } }],
    ['logit_bias.7', { messages, logit_bias: { 7: 1e9 } }],
    ['logit_bias', { messages, logit_bias: { 999999: 1 } }],
    ['top_logprobs', { messages, top_logprobs: 3 }],
    ['top_logprobs', { messages, logprobs: true, top_logprobs: 21 }],
    ['stream_options.include_usage', { messages, stream_options: { include_usage: 'yes' } }],
    ['response_format.type', { messages, response_format: { type: 'sound' } }],
    [
      'response_format.json_schema.schema',
      { messages, response_format: { type: 'json_schema', json_schema: { name: 'x' } } },
    ],
    ['tools.0.type', { messages, tools: [{ type: 'code_interpreter' }] }],
    ['tools.0.function.name', { messages, tools: [{ type: 'function', function: { name: 'a b' } }] }],
    ['tools', { messages, tools: [tool, tool] }],
    ['tools', { messages, tools: [tool] }],
    ['tool_choice', { messages, tool_choice: 'required' }],
    ['tool_choice', { messages, tools: [tool], tool_choice: { type: 'function', function: { name: 'g' } } }],
    ['response_format', { messages, tools: [tool], response_format: { type: 'json_object' } }],
    [
      'messages.1.tool_call_id',
      { messages: [...messages, { role: 'tool', content: '5', tool_call_id: 'x' }] },
    ],
    ['messages.0.content', { messages: [{ role: 'assistant' }] }],
    ['store', { messages, store: true }],
    ['audio', { messages, audio: { voice: 'alloy', format: 'mp3' } }],
    ['modalities', { messages, modalities: ['text', 'audio'] }],
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
    for (const stream of [false, true]) {
      const response = await chat({ ...long(30_000), stream })
      expect(response.status).toBe(400)
      expect(await errorOf(response)).toMatchObject({ code: 'prompt_too_long', param: 'messages' })
    }
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

describe('1 bind address', () => {
  it('is loopback, and no other address of this machine', async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4')
      .map(({ address }) => address)
    for (const address of [...others, '127.0.0.2']) {
      await expect(fetch(`http://${address}:${port}/health`)).rejects.toThrow()
    }
  })
})

describe('5 control plane', () => {
  it('is not on the API port, and the API not on the dashboard’s', async () => {
    const dashboard = new URL(host.ready.dashboard)
    expect(dashboard.port).not.toBe(String(port))
    const pause = await fetch(`http://127.0.0.1:${port}/rpc/host.pause`, { method: 'POST' })
    expect(pause.status).toBe(404)
    const models = await fetch(`${dashboard.origin}/v1/models`, {
      headers: { authorization: `Bearer ${host.apiKey}` },
    })
    expect([401, 404]).toContain(models.status)
    expect((await fetch(`${dashboard.origin}/rpc/host.pause`, { method: 'POST' })).status).toBe(401)
  })
})

describe('7 limits', () => {
  /** Opens a connection, sends what it is given, and says how it ended. */
  const closed = (bytes: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
      let answer = ''
      socket.on('data', (chunk) => {
        answer += chunk
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(answer))
    })
  const post = (length: number) =>
    `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${host.apiKey}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${length}\r\n`

  it('headers and bodies that never end are cut off, while others are served', async () => {
    const slow = [closed('GET /health HTTP/1.1\r\nHost: 127.0.0.1'), closed(`${post(100)}\r\n{"mess`)]
    expect((await host.api('/models')).status).toBe(200)
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^(HTTP\/1\.1 408|$)/)
  })

  it('headers are at most 16 KiB', async () => {
    const { status } = await raw(get([`Host: 127.0.0.1:${port}`, `X-Long: ${'x'.repeat(20_000)}`]))
    expect(status).toBe(431)
  })

  it('messages, tools and stops are counted', async () => {
    const many = (count: number, item: unknown) => Array.from({ length: count }, () => item)
    for (const [param, body] of [
      ['messages', { messages: many(257, messages[0]) }],
      ['tools', { messages, tools: many(65, tool) }],
      ['stop', { messages, stop: many(5, 'x') }],
      ['logit_bias', { messages, logit_bias: Object.fromEntries(many(1025, 0).map((_, id) => [id, 1])) }],
    ] as const) {
      const response = await chat(body)
      expect(response.status).toBe(400)
      expect((await errorOf(response)).param).toBe(param)
    }
  })

  it('hundreds of idle connections keep nobody out for good', async () => {
    const sockets: Socket[] = []
    for (let index = 0; index < 300; index++) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      sockets.push(socket)
    }
    await Promise.all(
      sockets.map(
        (socket) => new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve)),
      ),
    )
    for (const socket of sockets) socket.destroy()
    const status = await eventually(async () => (await host.api('/models').catch(() => null))?.status)
    expect(status).toBe(200)
  })
})

describe('8 parameters', () => {
  const NUMERIC = [
    'temperature',
    'top_p',
    'top_k',
    'min_p',
    'frequency_penalty',
    'presence_penalty',
    'repeat_penalty',
    'seed',
    'n',
    'max_tokens',
    'max_completion_tokens',
    'top_logprobs',
  ]
  const HOSTILE = ['-1e308', '1e308', '1e309', '-1e309', '"NaN"', 'true', '[1]', '{}', '9007199254740993']

  it.each(NUMERIC)('%s takes no impossible value', async (name) => {
    for (const value of HOSTILE) {
      const response = await chat(
        `{"messages":[{"role":"user","content":"hi"}],"logprobs":true,"${name}":${value}}`,
      )
      expect([value, response.status]).toEqual([value, 400])
      expect((await errorOf(response)).param).toBe(name)
    }
  })

  it('a gzip bomb is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' '))
    const { status } = await raw(
      Buffer.concat([
        Buffer.from(
          `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${host.apiKey}\r\n` +
            `Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\nConnection: close\r\n\r\n`,
        ),
        bomb,
      ]),
    )
    expect(status).toBe(415)
  })

  it('schemas and patterns that explode are refused or done with, and the host goes on', async () => {
    const nested = (depth: number): object =>
      depth === 0
        ? { type: 'boolean' }
        : { type: 'object', properties: { a: nested(depth - 1) }, required: ['a'] }
    const branching = (depth: number): object =>
      depth === 0 ? { type: 'boolean' } : { anyOf: [branching(depth - 1), branching(depth - 1)] }
    const loop = {
      $ref: '#/$defs/a',
      $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] } },
    }
    const schemas = [
      nested(400),
      branching(11),
      loop,
      { type: 'string', pattern: '^(a+)+$' },
      { type: 'string', minLength: 1e9 },
      { type: 'array', items: { type: 'boolean' }, minItems: 1e9 },
      { enum: Array.from({ length: 10_000 }, (_, index) => `value ${index}`) },
    ]
    for (const schema of schemas) {
      const response = await chat({
        messages,
        max_tokens: 4,
        response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
      })
      expect([200, 400, 413]).toContain(response.status)
    }
    expect((await chat({ messages, max_tokens: 1 })).status).toBe(200)
  })
})

describe('10 other tenants', () => {
  it('a prompt that somebody else has just sent is not cached for the next', async () => {
    const guest = async (label: string) => {
      const issued = await host.api('/tirami/tokens/issue', {
        method: 'POST',
        body: JSON.stringify({ scope: 'inference', ttl_secs: 3600, label }),
      })
      return ((await issued.json()) as { token: string }).token
    }
    const [one, two] = [await guest('one'), await guest('two')]
    const cachedTokens = async (token: string) => {
      const response = await chat(
        {
          messages: [{ role: 'user', content: `a secret of some length: ${'7'.repeat(200)}` }],
          max_tokens: 1,
        },
        { authorization: `Bearer ${token}` },
      )
      expect(response.status).toBe(200)
      const { usage } = (await response.json()) as {
        usage: { prompt_tokens_details: { cached_tokens: number } }
      }
      return usage.prompt_tokens_details.cached_tokens
    }
    expect(await cachedTokens(one)).toBe(0)
    expect(await cachedTokens(two)).toBe(0)
  })
})

it('after all that the host still answers, and its key is the same', async () => {
  const answer = await host.client.chat.completions.create({
    model: host.ready.model,
    messages: [{ role: 'user', content: 'hello' }],
  })
  expect(answer.choices[0]?.message.content).toBeTruthy()
  expect(readFileSync(host.ready.apiKeyFile, 'utf8').trim()).toBe(host.apiKey)
})

describe('11 a full queue', () => {
  it('is a 429 that says when to come back; what was accepted is finished', async () => {
    const busy = temporaryDirectory()
    const model = writeTinyGguf(join(busy.path, 'endless.gguf'), {
      script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
    })
    const crowded = await startHeadless(join(busy.path, 'host'), '--model', model)
    try {
      const responses = await Promise.all(
        Array.from({ length: 120 }, () =>
          crowded.api('/chat/completions', {
            method: 'POST',
            body: JSON.stringify({ messages, max_tokens: 300 }),
          }),
        ),
      )
      const refused = responses.filter(({ status }) => status !== 200)
      expect(refused.length).toBeGreaterThan(0)
      expect(refused.length).toBeLessThan(120)
      for (const response of refused) {
        expect(response.status).toBe(429)
        expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
        expect((await errorOf(response)).code).toBe('engine_busy')
      }
      for (const response of responses.filter(({ status }) => status === 200)) {
        const { usage } = (await response.json()) as { usage: { completion_tokens: number } }
        expect(usage.completion_tokens).toBe(300)
      }
    } finally {
      await crowded.end('SIGKILL')
      busy.remove()
    }
  })
})

describe('12 what is written down', () => {
  it('holds no prompt, no answer and no key', async () => {
    const quiet = temporaryDirectory()
    const child = spawn(process.execPath, [
      join(root, 'out/main/headless.js'),
      '--data-dir',
      quiet.path,
      '--port',
      '0',
    ])
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    try {
      const line = await eventually(async () =>
        output.split('\n').find((text) => text.startsWith('{"event":"ready"')),
      )
      const ready = JSON.parse(line) as { api: string; apiKeyFile: string }
      const key = readFileSync(ready.apiKeyFile, 'utf8').trim()
      const send = (path: string, body: string, authorization = `Bearer ${key}`) =>
        fetch(`${ready.api}${path}`, {
          method: 'POST',
          body,
          headers: { authorization, 'content-type': 'application/json' },
        }).then((response) => response.text())
      const marked = JSON.stringify({ messages: [{ role: 'user', content: 'MARKER-PROMPT' }], max_tokens: 8 })
      const answer = JSON.parse(await send('/chat/completions', marked)) as {
        choices: { message: { content: string } }[]
      }
      await send('/chat/completions', `{"MARKER-BROKEN": ${marked}`)
      await send('/chat/completions', marked, 'Bearer MARKER-KEY')
      await send('/embeddings', JSON.stringify({ input: 'MARKER-EMBEDDING' }))
      const said = answer.choices[0]?.message.content ?? ''
      expect(said.length).toBeGreaterThan(8)
      const written = filesUnder(quiet.path)
        .filter((file) => file !== ready.apiKeyFile)
        .map((file) => readFileSync(file, 'latin1'))
        .concat(output)
      for (const secret of ['MARKER-', said, key]) {
        expect(written.filter((content) => content.includes(secret))).toEqual([])
      }
    } finally {
      child.kill('SIGKILL')
      quiet.remove()
    }
  })
})

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
}
