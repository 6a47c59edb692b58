import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock, TiramiError } from '../../kernel/index.ts'
import {
  type Asked,
  chatChunk,
  chatMessages,
  json,
  llamaServerRoutes,
  models,
  openUpstreamServer,
  type Route,
  sse,
  type UpstreamServer,
  vllmRoutes,
} from '../testing/upstream-server.ts'
import { createToolCallParser, FORCED_TOOL_CALL_FORMAT, forcedToolFormat } from '../tool-calls.ts'
import type { Engine, GenerateEvent, GenerateRequest, ToolDefinition } from '../types.ts'
import { upstreamBase } from './address.ts'
import { CallText } from './call-text.ts'
import { createUpstreamEngine, type UpstreamOptions } from './engine.ts'

const CHAT = '/v1/chat/completions'
const never = new AbortController().signal
const servers: UpstreamServer[] = []
const engines: Engine[] = []
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()))
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serverWith(routes: Record<string, Route>): Promise<UpstreamServer> {
  const server = await openUpstreamServer({ '/v1/models': models('m'), ...routes })
  servers.push(server)
  return server
}

function engineOver(server: UpstreamServer, options: Partial<UpstreamOptions> = {}): Engine {
  const engine = createUpstreamEngine({
    baseUrl: server.baseUrl,
    model: 'm',
    slots: 2,
    contextTokens: 4096,
    clock: systemClock,
    backoff: { firstMs: 1, maxMs: 2, maxFailures: 3, watchMs: 60_000 },
    ...options,
  })
  engines.push(engine)
  return engine
}

async function started(routes: Record<string, Route>, options: Partial<UpstreamOptions> = {}) {
  const server = await serverWith(routes)
  const engine = engineOver(server, options)
  await engine.start()
  return { server, engine }
}

const request = (changes: Partial<GenerateRequest> = {}): GenerateRequest => ({
  prompt: { type: 'chat', turns: [{ role: 'user', content: 'hello' }] },
  tenant: 'tenant',
  maxTokens: 16,
  temperature: 0,
  topP: 1,
  stop: [],
  ...changes,
})

async function eventsOf(engine: Engine, changes: Partial<GenerateRequest> = {}, signal = never) {
  const events: GenerateEvent[] = []
  for await (const event of engine.generate(request(changes), signal)) events.push(event)
  return events
}

const textOf = (events: readonly GenerateEvent[]) =>
  events.map((event) => (event.type === 'text' ? event.text : '')).join('')

async function refusalOf(action: Promise<unknown>): Promise<TiramiError> {
  const error = await action.then(
    () => null,
    (cause: unknown) => cause,
  )
  if (!(error instanceof TiramiError)) throw new Error(`no typed error, but ${String(error)}`)
  return error
}

function stateOf(engine: Engine, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (engine.status().state !== wanted) return
      end()
      resolve()
    }
    const end = engine.onChange(look)
    look()
  })
}

/** Timers that go off when the test says so. */
function manualTimers() {
  const waiting = new Set<{ delayMs: number; action: () => void }>()
  return {
    timers: {
      after: (delayMs: number, action: () => void) => {
        const entry = { delayMs, action }
        waiting.add(entry)
        return () => void waiting.delete(entry)
      },
    },
    fire: (delayMs: number) => {
      const due = [...waiting].filter((entry) => entry.delayMs === delayMs)
      for (const entry of due) {
        waiting.delete(entry)
        entry.action()
      }
      return due.length
    },
  }
}

const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 }
const hello = sse(chatMessages(['Hello', ' you'], usage))

describe('servers that speak OpenAI’s API', () => {
  const words = (text: string) => text.split(/\s+/).length

  it('vLLM: counts the prompt before the work, keeps customers’ caches apart', async () => {
    const { server, engine } = await started({ ...vllmRoutes('m', words), [CHAT]: hello })
    expect(engine.loaded()).toMatchObject({ contextTokens: 4096, backend: null, slots: 2 })
    const events = await eventsOf(engine, { prompt: chat('one two three'), repeatPenalty: 1.1 })
    // Three words, and room for the template's marks.
    expect(events[0]).toEqual({ type: 'prompt', promptTokens: 3 + 64 })
    expect(textOf(events)).toBe('Hello you')
    expect(events.at(-1)).toEqual({
      type: 'end',
      finishReason: 'stop',
      promptTokens: 9,
      cachedTokens: 0,
      completionTokens: 2,
    })
    await eventsOf(engine, { tenant: 'other' })
    await eventsOf(engine, { tenant: 'other' })
    const [first, second, third] = server.askedAt(CHAT)
    expect(first).toMatchObject({
      model: 'm',
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 16,
      repetition_penalty: 1.1,
      messages: [{ role: 'user', content: 'one two three' }],
    })
    expect(first?.cache_salt).not.toBe(second?.cache_salt)
    expect(second?.cache_salt).toBe(third?.cache_salt)
    expect(JSON.stringify(server.asked)).not.toContain('tenant')
    expect(await engine.tokenize('a b')).toEqual([0, 1])
    expect(await engine.detokenize([1])).toBe('text')
  })

  it('vLLM: an answer is asked for no longer than the context has room', async () => {
    const { server, engine } = await started({ ...vllmRoutes('m', () => 4090), [CHAT]: hello })
    await eventsOf(engine, { maxTokens: 100 })
    expect(server.askedAt(CHAT)[0]?.max_tokens).toBe(6)
    const full = await started({ ...vllmRoutes('m', () => 4096), [CHAT]: hello })
    expect((await refusalOf(eventsOf(full.engine))).code).toBe('PROMPT_TOO_LONG')
    expect(full.server.askedAt(CHAT)).toEqual([])
  })

  it('llama-server: renders the template, counts it, and keeps nothing of a prompt', async () => {
    const counts = (text: string) => [...text].length
    const { server, engine } = await started({ ...llamaServerRoutes('m', counts), [CHAT]: hello })
    const events = await eventsOf(engine, { topK: 5, minP: 0.1, repeatPenalty: 1.1, seed: 3 })
    expect(events[0]).toEqual({ type: 'prompt', promptTokens: '<user>hello'.length + 64 })
    expect(server.askedAt(CHAT)[0]).toMatchObject({
      cache_prompt: false,
      top_k: 5,
      min_p: 0.1,
      repeat_penalty: 1.1,
      seed: 3,
    })
    expect(await engine.tokenize('abc')).toEqual([0, 1, 2])
  })

  it('Ollama: has no tokenizer, so the bytes of the prompt are the bound', async () => {
    const { server, engine } = await started({
      // Its last chunk has an empty choice beside the count.
      [CHAT]: sse([
        chatChunk({ role: 'assistant', content: 'Hello' }),
        chatChunk({ role: 'assistant', content: '' }, { finish_reason: 'stop' }),
        { id: 'x', object: 'chat.completion.chunk', choices: [], usage },
      ]),
    })
    const content = 'ünïcödé'.repeat(20)
    const [prompt] = await eventsOf(engine, { prompt: chat(content) })
    expect(prompt).toMatchObject({ type: 'prompt' })
    expect(prompt?.type === 'prompt' && prompt.promptTokens).toBeGreaterThan(Buffer.byteLength(content))
    const [body] = server.askedAt(CHAT)
    expect(Object.keys(body ?? {})).not.toContain('cache_prompt')
    expect((await refusalOf(engine.tokenize('x'))).code).toBe('UPSTREAM_UNSUPPORTED')
    const embedding = engine.embed({ tenant: 't', texts: ['x'] }, never).next()
    expect((await refusalOf(embedding)).code).toBe('EMBEDDINGS_UNSUPPORTED')
  })

  it('raw completions, with log-probabilities in either shape', async () => {
    const openAi = {
      tokens: ['a'],
      token_logprobs: [-0.5],
      top_logprobs: [{ a: -0.5, b: -1 }],
      text_offset: [0],
    }
    const llamaCpp = {
      content: [
        {
          id: 1,
          token: 'a',
          bytes: [97],
          logprob: -0.5,
          top_logprobs: [{ id: 2, token: 'b', bytes: [98], logprob: null }],
        },
      ],
    }
    for (const [logprobs, top] of [
      [
        openAi,
        [
          { token: 'a', bytes: [97], logprob: -0.5 },
          { token: 'b', bytes: [98], logprob: -1 },
        ],
      ],
      [llamaCpp, [{ token: 'b', bytes: [98], logprob: -9999 }]],
    ]) {
      const { server, engine } = await started({
        '/v1/completions': sse([
          { choices: [{ index: 0, text: 'a', logprobs, finish_reason: null }] },
          { choices: [{ index: 0, text: '', finish_reason: 'length' }], usage },
        ]),
      })
      const events = await eventsOf(engine, { prompt: { type: 'text', text: 'go' }, topLogprobs: 2 })
      expect(server.askedAt('/v1/completions')[0]).toMatchObject({ prompt: 'go', logprobs: 2 })
      expect(events[1]).toEqual({
        type: 'text',
        text: 'a',
        tokens: 1,
        logprobs: [{ token: 'a', bytes: [97], logprob: -0.5, top }],
      })
      expect(events.at(-1)).toMatchObject({ finishReason: 'length' })
    }
  })

  it('a server that leaves log-probabilities out is found out, and nothing ends', async () => {
    const { engine } = await started({ [CHAT]: hello })
    expect((await refusalOf(eventsOf(engine, { topLogprobs: 0 }))).code).toBe('UPSTREAM_UNSUPPORTED')
  })

  it('thoughts that a server keeps apart are shown, marked as models mark them', async () => {
    const thinking = [
      chatChunk({ reasoning_content: 'Hm' }),
      chatChunk({ reasoning_content: '…' }),
      ...chatMessages(['Yes'], usage),
    ]
    const { engine } = await started({ [CHAT]: sse(thinking) })
    expect(textOf(await eventsOf(engine))).toBe('<think>\nHm…\n</think>\n\nYes')
  })

  it('forms: the answer must be JSON, or it is not sold', async () => {
    const format = { type: 'json-schema', schema: { type: 'object' } } as const
    const { server, engine } = await started({ [CHAT]: sse(chatMessages(['{"a"', ':1}'], usage)) })
    expect(textOf(await eventsOf(engine, { format }))).toBe('{"a":1}')
    expect(server.askedAt(CHAT)[0]?.response_format).toMatchObject({
      type: 'json_schema',
      json_schema: { schema: { type: 'object' } },
    })
    server.routes[CHAT] = hello
    expect((await refusalOf(eventsOf(engine, { format }))).code).toBe('UPSTREAM_UNSUPPORTED')
  })

  it('vectors: counted before, of length 1, in order; another count refuses them', async () => {
    const vectors = (promptTokens: number): Route =>
      json({
        data: [
          { object: 'embedding', index: 1, embedding: [0, 2] },
          { object: 'embedding', index: 0, embedding: [3, 4] },
        ],
        usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      })
    const { server, engine } = await started({ ...vllmRoutes('m', words), '/v1/embeddings': vectors(5) })
    const embed = async () => {
      const events = []
      for await (const event of engine.embed({ tenant: 't', texts: ['a b', 'c'] }, never)) events.push(event)
      return events
    }
    expect(await embed()).toEqual([
      { type: 'prompt', promptTokens: 3, textTokens: [2, 1] },
      {
        type: 'vectors',
        vectors: [
          [0.6, 0.8],
          [0, 1],
        ],
      },
      { type: 'end', finishReason: 'stop', promptTokens: 3, cachedTokens: 0, completionTokens: 0 },
    ])
    for (const count of [2, 8]) {
      server.routes['/v1/embeddings'] = vectors(count)
      expect((await refusalOf(embed())).code).toBe('UPSTREAM_INVALID')
    }
  })
})

describe('tool calls', () => {
  const tools: ToolDefinition[] = [
    { name: 'weather', parameters: { type: 'object' } },
    { name: 'time', parameters: { type: 'object' } },
  ]
  const withTools = (changes: Partial<GenerateRequest> = {}): Partial<GenerateRequest> => ({
    prompt: {
      type: 'chat',
      turns: [
        { role: 'user', content: 'go' },
        { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'time', argumentsJson: '{}' }] },
        { role: 'tool', content: 'noon', toolCallId: 'c1' },
      ],
      tools,
    },
    ...changes,
  })
  const call = (index: number, name: string | undefined, args: string) =>
    chatChunk({
      tool_calls: [
        { index, ...(name ? { id: 'x', type: 'function' } : {}), function: { name, arguments: args } },
      ],
    })
  const ending = [chatChunk({}, { finish_reason: 'tool_calls' }), { choices: [], usage }]

  function callsIn(text: string, format: 'hermes' | typeof FORCED_TOOL_CALL_FORMAT) {
    const parser = createToolCallParser({ format, names: new Set(['weather', 'time']), newId: () => 'id' })
    const calls: { name: string; args: string }[] = []
    let content = ''
    for (const piece of [...parser.push(text), ...parser.finish()]) {
      if (piece.type === 'content') content += piece.text
      else if (piece.type === 'tool-call') calls.push({ name: piece.name, args: '' })
      else
        calls[piece.index] = {
          name: calls[piece.index]?.name ?? '',
          args: (calls[piece.index]?.args ?? '') + piece.argumentsDelta,
        }
    }
    return { content, calls }
  }

  it('come as the text that the parser of answers reads', async () => {
    const { server, engine } = await started({
      [CHAT]: sse([
        chatChunk({ content: 'Let me look.' }),
        call(0, 'weather', ''),
        call(0, undefined, '{"city": '),
        call(0, undefined, '"Bern"}'),
        call(1, 'time', ''),
        ...ending,
      ]),
    })
    const events = await eventsOf(engine, withTools({ stop: ['END', '</tool_call>'] }))
    expect(callsIn(textOf(events), 'hermes')).toEqual({
      content: 'Let me look.',
      calls: [
        { name: 'weather', args: '{"city": "Bern"}' },
        { name: 'time', args: '{}' },
      ],
    })
    expect(events.at(-1)).toMatchObject({ finishReason: 'stop' })
    const [body] = server.askedAt(CHAT)
    // The mark that ends a call is ours: the server is asked for one call in its own way.
    expect(body).toMatchObject({ stop: ['END'], parallel_tool_calls: false })
    expect(body?.messages).toEqual([
      { role: 'user', content: 'go' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'time', arguments: '{}' } }],
      },
      { role: 'tool', content: 'noon', tool_call_id: 'c1' },
    ])
  })

  it('survive any cut of any arguments', () => {
    const argument = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('weather', 'time'), argument), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 7 }),
        (wanted, size) => {
          const writer = new CallText('hermes')
          let text = ''
          wanted.forEach(([name, value], index) => {
            const args = JSON.stringify(value)
            text += writer.push({ index, name, argumentsDelta: '' })
            for (let from = 0; from < args.length; from += size)
              text += writer.push({ index, name: '', argumentsDelta: args.slice(from, from + size) })
          })
          const read = callsIn(text + writer.finish(), 'hermes')
          expect(read.content).toBe('')
          expect(read.calls.map(({ name, args }) => [name, JSON.parse(args)])).toEqual(
            wanted.map(([name, value]) => [name, JSON.parse(JSON.stringify(value))]),
          )
        },
      ),
    )
  })

  it('that are cut off are not made whole', async () => {
    const cut = [
      call(0, 'time', '{"zone": 1'),
      chatChunk({}, { finish_reason: 'length' }),
      { choices: [], usage },
    ]
    const { server, engine } = await started({ [CHAT]: sse(cut) })
    expect(callsIn(textOf(await eventsOf(engine, withTools())), 'hermes').calls).toEqual([
      { name: 'time', args: '{"zone": 1' },
    ])
    server.routes[CHAT] = sse([call(0, 'time', '{"zone": 1'), call(1, 'weather', '{}'), ...ending])
    expect((await refusalOf(eventsOf(engine, withTools()))).code).toBe('UPSTREAM_INVALID')
  })

  it('that are required are asked for as such, and read as the forced form', async () => {
    const { server, engine } = await started({
      [CHAT]: sse([call(0, 'time', '{"zone": 1}'), call(1, 'time', '{}'), ...ending]),
    })
    const any = await eventsOf(engine, withTools({ format: forcedToolFormat(tools) }))
    expect(callsIn(textOf(any), FORCED_TOOL_CALL_FORMAT)).toEqual({
      content: '',
      calls: [{ name: 'time', args: '{"zone": 1}' }],
    })
    await eventsOf(engine, withTools({ format: forcedToolFormat(tools.slice(1)) }))
    expect(server.askedAt(CHAT).map(({ tool_choice }) => tool_choice)).toEqual([
      'required',
      { type: 'function', function: { name: 'time' } },
    ])
    server.routes[CHAT] = hello
    const refused = await refusalOf(eventsOf(engine, withTools({ format: forcedToolFormat(tools) })))
    expect(refused.code).toBe('UPSTREAM_UNSUPPORTED')
  })
})

describe('a server that counts wrongly sells nothing', () => {
  it.each([
    ['says nothing', null],
    ['more than was asked for', { ...usage, completion_tokens: 17 }],
    ['a longer prompt than there was', { ...usage, prompt_tokens: 1e6 }],
    ['more kept than read', { ...usage, prompt_tokens_details: { cached_tokens: 10 } }],
    ['below zero', { ...usage, completion_tokens: -1 }],
    ['half a token', { ...usage, completion_tokens: 1.5 }],
    ['text', { ...usage, prompt_tokens: '9' }],
  ])('%s', async (_name, counted) => {
    const { engine } = await started({ [CHAT]: sse(chatMessages(['Hello'], counted)) })
    const seen: GenerateEvent[] = []
    const run = async () => {
      for await (const event of engine.generate(request(), never)) seen.push(event)
    }
    expect((await refusalOf(run())).code).toBe('UPSTREAM_INVALID')
    expect(seen.some(({ type }) => type === 'end')).toBe(false)
  })
})

/** Which of the limits it was. */
const WORDS: Record<string, RegExp> = {
  'a redirect': /elsewhere/,
  'a page': /something other than text\/event-stream/,
  'a packed body': /packed/,
  'broken JSON': /broken JSON/,
  'no end': /ended before/,
  'a line without end': /a line without end/,
  'a message without end': /a message without end/,
  'comments without end': /far more/,
  'headers without end': /HTTP/,
}

describe('hostile answers', () => {
  const head = (response: Parameters<Route>[0]) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' })
  const endless =
    (piece: string): Route =>
    (response) => {
      head(response)
      const pump = () => {
        while (!response.destroyed && response.write(piece));
        if (!response.destroyed) response.once('drain', pump)
      }
      pump()
    }
  it.each<[string, Route, string]>([
    [
      'a redirect',
      (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'UPSTREAM_INVALID',
    ],
    [
      'a page',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      'UPSTREAM_INVALID',
    ],
    ['no stream', json({ choices: [] }), 'UPSTREAM_INVALID'],
    [
      'a packed body',
      (response) =>
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).end(),
      'UPSTREAM_INVALID',
    ],
    ['broken JSON', (response) => head(response).end('data: {"choices":\n\n'), 'UPSTREAM_INVALID'],
    ['other JSON', sse([{ choices: 'all' }]), 'UPSTREAM_INVALID'],
    ['an unknown end', sse([chatChunk({}, { finish_reason: 'abort' })]), 'UPSTREAM_INVALID'],
    [
      'no end',
      (response) => head(response).end(`data: ${JSON.stringify(chatChunk({ content: 'Hel' }))}\n\n`),
      'UPSTREAM_INVALID',
    ],
    ['nothing', (response) => head(response).end(), 'UPSTREAM_INVALID'],
    ['a line without end', endless('x'.repeat(65_536)), 'UPSTREAM_INVALID'],
    ['a message without end', endless('data: xxxxxxxxxxxxxxxx\n'), 'UPSTREAM_INVALID'],
    [
      'text without end',
      endless(`data: ${JSON.stringify(chatChunk({ content: 'x'.repeat(500) }))}\n\n`),
      'UPSTREAM_INVALID',
    ],
    ['comments without end', endless(`: ${'x'.repeat(5000)}\n\n`), 'UPSTREAM_INVALID'],
    [
      'a connection that breaks',
      (response) => void head(response).write('data: ', () => response.destroy()),
      'UPSTREAM_UNREACHABLE',
    ],
    ['no answer at all', (response) => void response.destroy(), 'UPSTREAM_UNREACHABLE'],
    [
      'something that is no HTTP',
      (response) => void response.socket?.end('SSH-2.0-x\r\n'),
      'UPSTREAM_INVALID',
    ],
    [
      'headers without end',
      (response) => void response.socket?.write(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(9000)}`),
      'UPSTREAM_INVALID',
    ],
    ['its own failure', json({ error: { message: 'secret trace' } }, 500), 'UPSTREAM_INVALID'],
    [
      'a failure midway',
      sse([
        chatChunk({ content: 'Hel' }),
        { error: { message: 'CUDA', code: 500, type: 'InternalServerError' } },
      ]),
      'UPSTREAM_INVALID',
    ],
    ['too much to do', json({}, 429, { 'retry-after': '7' }), 'ENGINE_BUSY'],
    ['a wrong key', json({}, 401), 'UPSTREAM_UNAUTHORISED'],
    [
      'a model that went',
      json({ error: { message: 'The model `m` does not exist.' } }, 404),
      'UPSTREAM_MODEL_MISSING',
    ],
    [
      'a refusal',
      json({ object: 'error', message: 'top_k must be\u0000 -1 or more.', code: 400 }, 400),
      'UPSTREAM_REFUSED',
    ],
    [
      'a prompt too long (vLLM)',
      json(
        {
          error: {
            message: 'This model’s maximum context length is 4096 tokens.',
            type: 'BadRequestError',
            code: 400,
          },
        },
        400,
      ),
      'PROMPT_TOO_LONG',
    ],
    [
      'a prompt too long (llama-server)',
      json(
        {
          error: {
            code: 400,
            message: 'the request exceeds the available context size',
            type: 'exceed_context_size_error',
          },
        },
        400,
      ),
      'PROMPT_TOO_LONG',
    ],
  ])('%s', async (name, route, code) => {
    const { server, engine } = await started({ [CHAT]: route })
    const error = await refusalOf(eventsOf(engine))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(WORDS[name] ?? /./)
    expect(error.message + error.nextStep).not.toMatch(/secret|CUDA|\p{C}/u)
    if (code !== 'UPSTREAM_INVALID') return
    // It is still there, and its next answer counts.
    server.routes[CHAT] = hello
    expect(textOf(await eventsOf(engine))).toBe('Hello you')
    expect(engine.jobs()).toEqual({ running: 0, queued: 0 })
  })

  it('no more text than was asked for comes through', async () => {
    const { engine } = await started({
      [CHAT]: endless(`data: ${JSON.stringify(chatChunk({ content: 'x'.repeat(500) }))}\n\n`),
    })
    let characters = 0
    const run = async () => {
      for await (const event of engine.generate(request({ maxTokens: 2 }), never))
        if (event.type === 'text') characters += event.text.length
    }
    expect((await refusalOf(run())).code).toBe('UPSTREAM_INVALID')
    expect(characters).toBeLessThanOrEqual(2 * 1024)
  })

  it('a stream that nobody reads stops at the server: nothing piles up here', async () => {
    const message = `data: ${JSON.stringify(chatChunk({ content: 'x' }))}\n\n`
    let sentBytes = 0
    let stalled: () => void = () => undefined
    const full = new Promise<void>((resolve) => {
      stalled = resolve
    })
    const { engine } = await started({
      [CHAT]: (response) => {
        head(response)
        const pump = () => {
          do sentBytes += message.length
          while (!response.destroyed && response.write(message))
          const waiting = setTimeout(stalled, 500)
          response.once('drain', () => {
            clearTimeout(waiting)
            pump()
          })
        }
        pump()
      },
    })
    const events = engine.generate(request({ maxTokens: 4096 }), never)
    await events.next()
    await events.next()
    await full
    const budgetBytes = (1 << 20) + 4096 * 16 * 1024
    expect(sentBytes).toBeLessThan(budgetBytes / 2)
    await events.return()
  })

  it.each([
    ['headers', 1111, (() => undefined) as Route],
    ['the rest of a stream', 2222, ((response) => void head(response).write(': hello\n\n')) as Route],
    ['an end, though it pings', 3333, ((response) => void head(response).write(': ping\n\n')) as Route],
  ])('silence instead of %s', async (_name, delayMs, route) => {
    const manual = manualTimers()
    const arrived = Promise.withResolvers<void>()
    const limits = { firstByteMs: 1111, silenceMs: 2222, streamMs: 3333 }
    const { engine } = await started(
      {
        [CHAT]: (response, asked: Asked) => {
          route(response, asked)
          arrived.resolve()
        },
      },
      { limits, timers: manual.timers },
    )
    const refused = refusalOf(eventsOf(engine))
    await arrived.promise
    // The bytes are on their way to us; the timer stands once they are here.
    while (manual.fire(delayMs) === 0) await new Promise((resolve) => setImmediate(resolve))
    expect((await refused).code).toMatch(/^UPSTREAM_(UNREACHABLE|INVALID)$/)
    expect(engine.jobs().running).toBe(0)
  })
})

describe('whether the server is there', () => {
  it('is ready once the model is listed, and says what else there is until then', async () => {
    const server = await serverWith({ '/v1/models': models('other'), [CHAT]: hello })
    const engine = engineOver(server)
    const first = refusalOf(engine.start())
    await stateOf(engine, 'restarting')
    expect(engine.status().error?.message).toContain('“other”')
    expect((await refusalOf(eventsOf(engine))).code).toBe('ENGINE_NOT_READY')
    expect((await first).code).toBe('UPSTREAM_MODEL_MISSING')
    expect(engine.status()).toMatchObject({ state: 'failed', restarts: 2, slots: null })
    server.routes['/v1/models'] = models('other', 'm')
    await engine.start()
    expect(engine.status()).toMatchObject({ state: 'ready', backend: null, slots: 2, error: null })
  })

  it('is waited for when it goes away later, and comes back by itself', async () => {
    const { server, engine } = await started({ [CHAT]: hello })
    const list = server.routes['/v1/models'] as Route
    server.routes['/v1/models'] = json('', 500)
    server.routes[CHAT] = (response) => void response.destroy()
    expect((await refusalOf(eventsOf(engine))).code).toBe('UPSTREAM_UNREACHABLE')
    await stateOf(engine, 'restarting')
    expect(engine.loaded()).toBeNull()
    server.routes['/v1/models'] = list
    server.routes[CHAT] = hello
    await stateOf(engine, 'ready')
    expect(textOf(await eventsOf(engine))).toBe('Hello you')
  })

  it('a refused key ends at once: only the owner can help', async () => {
    const server = await serverWith({ '/v1/models': json({}, 401) })
    const engine = engineOver(server, { apiKey: 'wrong' })
    expect((await refusalOf(engine.start())).code).toBe('UPSTREAM_UNAUTHORISED')
    expect(server.asked).toHaveLength(1)
    expect(server.asked[0]?.headers.authorization).toBe('Bearer wrong')
    expect(engine.status().error?.message).not.toContain('wrong')
  })

  it('nobody listens at all', async () => {
    const server = await openUpstreamServer({})
    await server.close()
    expect((await refusalOf(engineOver(server).start())).code).toBe('UPSTREAM_UNREACHABLE')
  })
})

describe('turns', () => {
  /** Answers are held back until the test lets them go. */
  async function held(options: Partial<UpstreamOptions> = {}) {
    const waiting: { content: unknown; go(): void; gone: Promise<void> }[] = []
    const { engine, server } = await started(
      {
        [CHAT]: (response, asked) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          response.write(`data: ${JSON.stringify(chatChunk({ content: 'a' }))}\n\n`)
          const { content } = (asked.body.messages as { content: string }[])[0] ?? {}
          const gone = new Promise<void>((resolve) => response.on('close', resolve))
          const rest = chatMessages([], usage).map((message) => `data: ${JSON.stringify(message)}\n\n`)
          waiting.push({ content, gone, go: () => response.end(`${rest.join('')}data: [DONE]\n\n`) })
        },
      },
      options,
    )
    return { engine, server, waiting }
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20))
  const ask = (engine: Engine, tenant: string, content: string, signal = never) =>
    eventsOf(engine, { tenant, prompt: chat(content) }, signal)

  it('runs as many as there are slots; tenants take turns', async () => {
    const { engine, waiting } = await held({ slots: 1 })
    const jobs = [
      ask(engine, 'a', 'a1'),
      ask(engine, 'a', 'a2'),
      ask(engine, 'a', 'a3'),
      ask(engine, 'b', 'b1'),
    ]
    for (let turn = 0; turn < jobs.length; turn++) {
      while (waiting.length <= turn) await settle()
      expect(engine.jobs()).toEqual({ running: 1, queued: jobs.length - turn - 1 })
      waiting[turn]?.go()
    }
    await Promise.all(jobs)
    expect(waiting.map(({ content }) => content)).toEqual(['a1', 'a2', 'b1', 'a3'])
    expect(engine.jobs()).toEqual({ running: 0, queued: 0 })
  })

  it('refuses what would wait too long', async () => {
    const { engine, waiting } = await held({ slots: 1, maxQueuedJobs: 2, maxQueuedJobsPerTenant: 1 })
    const jobs = [ask(engine, 'a', '1')]
    while (waiting.length === 0) await settle()
    jobs.push(ask(engine, 'a', '2'))
    expect((await refusalOf(ask(engine, 'a', '3'))).code).toBe('ENGINE_BUSY')
    jobs.push(ask(engine, 'b', '4'))
    expect((await refusalOf(ask(engine, 'c', '5'))).code).toBe('ENGINE_BUSY')
    for (let turn = 0; turn < jobs.length; turn++) {
      while (waiting.length <= turn) await settle()
      waiting[turn]?.go()
    }
    await Promise.all(jobs)
  })

  it('an abort closes the connection; one that waits leaves the queue', async () => {
    const { engine, waiting } = await held({ slots: 1 })
    const [running, queued] = [new AbortController(), new AbortController()]
    const first = ask(engine, 'a', '1', running.signal)
    while (waiting.length === 0) await settle()
    const second = ask(engine, 'a', '2', queued.signal)
    await settle()
    queued.abort()
    const cancelled = {
      type: 'end',
      finishReason: 'cancelled',
      promptTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
    }
    expect(await second).toEqual([cancelled])
    running.abort()
    expect((await first).at(-1)).toEqual(cancelled)
    await waiting[0]?.gone
    expect(waiting).toHaveLength(1)
    expect(engine.jobs()).toEqual({ running: 0, queued: 0 })
  })

  it('nobody gets a turn while the server is away; those who waited get theirs when it is back', async () => {
    const backoff = { firstMs: 1, maxMs: 2, maxFailures: 1_000_000, watchMs: 1 }
    const { engine, server, waiting } = await held({ slots: 1, backoff })
    const jobs = [ask(engine, 'a', '1')]
    while (waiting.length === 0) await settle()
    jobs.push(ask(engine, 'a', '2'))
    const list = server.routes['/v1/models'] as Route
    server.routes['/v1/models'] = json('', 500)
    await stateOf(engine, 'restarting')
    waiting[0]?.go()
    await jobs[0]
    await settle()
    expect(engine.jobs()).toEqual({ running: 0, queued: 1 })
    expect(waiting).toHaveLength(1)
    server.routes['/v1/models'] = list
    while (waiting.length === 1) await settle()
    waiting[1]?.go()
    await jobs[1]
  })

  it('those who wait are told when the server stays away', async () => {
    const backoff = { firstMs: 1, maxMs: 2, maxFailures: 3, watchMs: 1 }
    const { engine, server, waiting } = await held({ slots: 1, backoff })
    const running = ask(engine, 'a', '1')
    while (waiting.length === 0) await settle()
    const queued = refusalOf(ask(engine, 'a', '2'))
    server.routes['/v1/models'] = json('', 500)
    expect((await queued).code).toBe('UPSTREAM_INVALID')
    // What runs goes on: its connection still stands.
    waiting[0]?.go()
    expect((await running).at(-1)).toMatchObject({ finishReason: 'stop' })
  })

  it('a reader that leaves early closes the connection', async () => {
    const { engine, waiting } = await held()
    for await (const event of engine.generate(request(), never)) if (event.type === 'text') break
    await waiting[0]?.gone
    expect(engine.jobs().running).toBe(0)
  })

  it('computes nothing before it is asked for more than the length of the prompt', async () => {
    const { engine, waiting } = await held()
    const events = engine.generate(request(), never)
    expect((await events.next()).value).toMatchObject({ type: 'prompt' })
    await events.return()
    await settle()
    expect(waiting).toEqual([])
  })

  it('draining lets answers end, stopping ends them', async () => {
    const { engine, waiting } = await held()
    const finishing = ask(engine, 'a', '1')
    while (waiting.length === 0) await settle()
    const drained = engine.drain(60_000)
    expect((await refusalOf(ask(engine, 'a', '2'))).code).toBe('ENGINE_DRAINING')
    waiting[0]?.go()
    await drained
    expect((await finishing).at(-1)).toMatchObject({ finishReason: 'stop' })
    await engine.start()
    const cut = refusalOf(ask(engine, 'a', '3'))
    while (waiting.length === 1) await settle()
    await engine.stop()
    expect((await cut).code).toBe('ENGINE_STOPPED')
    expect(engine.status().state).toBe('stopped')
    expect((await refusalOf(ask(engine, 'a', '4'))).code).toBe('ENGINE_NOT_READY')
  })
})

describe('addresses', () => {
  it.each([
    'http://127.0.0.1:8000/v1',
    'http://localhost:11434/v1',
    'http://[::1]:8080/v1/',
    'http://192.168.1.5:8000/v1',
    'http://100.100.1.2/v1',
    'http://gpu.local:8000/v1',
    'https://inference.example.com/v1',
  ])('takes %s', (text) => {
    expect(upstreamBase(text).pathname).toBe('/v1')
  })

  it.each([
    'http://8.8.8.8/v1',
    'http://169.254.169.254/latest',
    'http://[2001:4860:4860::8888]/v1',
    'ftp://127.0.0.1/v1',
    'file:///etc/passwd',
    'https://user:key@example.com/v1',
    'https://example.com/v1?key=1',
    'nonsense',
  ])('refuses %s', (text) => {
    expect(() => upstreamBase(text)).toThrow(expect.objectContaining({ code: 'UPSTREAM_ADDRESS_REFUSED' }))
  })
})

function chat(content: string): GenerateRequest['prompt'] {
  return { type: 'chat', turns: [{ role: 'user', content }] }
}
