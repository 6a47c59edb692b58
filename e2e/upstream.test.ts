import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobFlop } from '../src-main/inference/index.ts'
import { readGgufModel } from '../src-main/models/index.ts'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { addTool, TEXT_ANSWER, TOOL_RESULT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import {
  eventually,
  firstLine,
  type HostProcess,
  root,
  startHeadless,
  temporaryDirectory,
} from './support/host.ts'

const data = temporaryDirectory()
afterAll(() => data.remove())

/** Serves from `upstream`; the file of its model says what is metered. */
const serveFrom = (upstream: HostProcess, directory: string, modelPath: string) =>
  startHeadless(
    join(data.path, directory),
    ...['--upstream', upstream.ready.api, '--upstream-model', upstream.ready.model],
    ...['--upstream-gguf', modelPath, '--upstream-key-file', upstream.ready.apiKeyFile],
  )

interface TradeView {
  model_id: string
  flops_estimated: number
  tokens_processed: number
  trm_amount: number
  provider: string
  provider_signed: boolean
  consumer_signed: boolean
}
const trades = async (host: HostProcess) =>
  ((await (await host.api('/tirami/trades?limit=100')).json()) as { trades: TradeView[] }).trades
const reserved = async (host: HostProcess) =>
  ((await (await host.api('/tirami/balance')).json()) as { caller: { reserved: number } }).caller.reserved

describe('a host that serves from another host', () => {
  const modelPath = join(data.path, 'assistant.gguf')
  let computing: HostProcess
  let selling: HostProcess
  beforeAll(async () => {
    writeAssistantModel(modelPath)
    computing = await startHeadless(join(data.path, 'computing'), '--model', modelPath)
    selling = await serveFrom(computing, 'selling', modelPath)
  })
  afterAll(async () => {
    await selling?.end('SIGKILL')
    await computing?.end('SIGKILL')
  })
  const ask = (content: string) => ({
    model: selling.ready.model,
    messages: [{ role: 'user' as const, content }],
    temperature: 0,
  })

  it('streams the answer piece by piece and books it, metered by the file it was given', async () => {
    const stream = await selling.client.chat.completions.create({
      ...ask('tell me'),
      stream: true,
      stream_options: { include_usage: true },
    })
    const pieces: string[] = []
    let usage: { prompt_tokens: number; completion_tokens: number } | undefined | null
    for await (const chunk of stream) {
      const content = chunk.choices[0]?.delta.content
      if (content) pieces.push(content)
      usage = chunk.usage ?? usage
    }
    expect(pieces).toEqual(TEXT_ANSWER)
    const [trade, ...others] = await trades(selling)
    expect(others).toEqual([])
    const gguf = await readGgufModel(modelPath)
    const { prompt_tokens = 0, completion_tokens = 0 } = usage ?? {}
    expect(completion_tokens).toBe(TEXT_ANSWER.length)
    expect(trade).toMatchObject({
      model_id: selling.ready.model,
      provider: selling.ready.nodeId,
      flops_estimated: Number(jobFlop(gguf, prompt_tokens, completion_tokens)),
      tokens_processed: prompt_tokens + completion_tokens,
      provider_signed: true,
      consumer_signed: true,
    })
    // There, this host was the customer.
    expect(await trades(computing)).toHaveLength(1)
    expect(await reserved(selling)).toBe(0)
  })

  it('tool calls, their results and a call that is required pass through', async () => {
    const called = await selling.client.chat.completions.create({ ...ask('add'), tools: [addTool] })
    const [choice] = called.choices
    expect(choice?.finish_reason).toBe('tool_calls')
    expect(choice?.message.content).toBe('I add. ')
    const calls = choice?.message.tool_calls ?? []
    expect(calls).toMatchObject([
      { type: 'function', function: { name: 'add', arguments: '{"a": 2, "b": 3}' } },
    ])
    const [call] = calls
    if (!call) throw new Error('there is no call')
    const after = await selling.client.chat.completions.create({
      ...ask('add'),
      messages: [
        { role: 'user', content: 'add' },
        { role: 'assistant', content: null, tool_calls: [call] },
        { role: 'tool', tool_call_id: call.id, content: '5' },
      ],
      tools: [addTool],
    })
    expect(after.choices[0]?.message.content).toBe(TOOL_RESULT_ANSWER.join(''))
    const twice = await selling.client.chat.completions.create({
      ...ask('twice'),
      tools: [addTool],
      parallel_tool_calls: false,
    })
    expect(twice.choices[0]?.message.tool_calls).toHaveLength(1)
    const parameters = {
      type: 'object',
      properties: { up: { const: true } },
      required: ['up'],
      additionalProperties: false,
    }
    const forced = await selling.client.chat.completions.create({
      ...ask('go'),
      max_tokens: 1000,
      tools: [{ type: 'function', function: { name: 'raise_flag', parameters } }, addTool],
      tool_choice: { type: 'function', function: { name: 'raise_flag' } },
    })
    const [required] = forced.choices[0]?.message.tool_calls ?? []
    if (required?.type !== 'function') throw new Error('there is no call')
    expect(required.function.name).toBe('raise_flag')
    expect(JSON.parse(required.function.arguments)).toEqual({ up: true })
  })

  it('raw text, log-probabilities, tokens and vectors are those of the other host', async () => {
    const body = { prompt: 'go\n', max_tokens: 4, temperature: 0, logprobs: 2 }
    const [here, there] = await Promise.all(
      [selling, computing].map((host) =>
        host.client.completions.create({ ...body, model: host.ready.model }),
      ),
    )
    expect(here?.choices[0]?.text).toBe(there?.choices[0]?.text)
    expect(here?.choices[0]?.logprobs?.tokens).toEqual(there?.choices[0]?.logprobs?.tokens)
    expect(here?.usage).toEqual(there?.usage)
    const [mine, theirs] = await Promise.all(
      [selling, computing].map((host) =>
        host.client.embeddings.create({ model: host.ready.model, input: ['a', 'bc'] }),
      ),
    )
    expect(mine?.usage).toEqual(theirs?.usage)
    const difference = mine?.data.flatMap(({ embedding }, row) =>
      embedding.map((value, column) =>
        Math.abs(value - (theirs?.data[row]?.embedding[column] ?? Number.NaN)),
      ),
    )
    expect(Math.max(...(difference ?? [Number.NaN]))).toBeLessThan(1e-6)
    const tokens = await selling.api('/tokenize', { method: 'POST', body: JSON.stringify({ content: 'añ' }) })
    expect(await tokens.json()).toEqual({ tokens: [...Buffer.from('añ')] })
  })

  it('says whose the model is, and that its own models rest', async () => {
    const status = await selling.api('/tirami/network')
    expect(status.status).toBe(200)
    const { data: listed } = (await (await selling.api('/models')).json()) as { data: { id: string }[] }
    expect(listed.map(({ id }) => id)).toEqual([computing.ready.model])
  })

  it('a refusal of the other host reaches the caller as his own, and costs nothing', async () => {
    const before = (await trades(selling)).length
    const tooLong = selling.client.chat.completions.create(ask('x'.repeat(6_000)))
    await expect(tooLong).rejects.toMatchObject({ status: 400, code: 'prompt_too_long' })
    expect(await trades(selling)).toHaveLength(before)
    expect(await reserved(selling)).toBe(0)
  })

  it('while the other host is away it takes nothing, and serves again by itself', async () => {
    const port = new URL(computing.ready.api).port
    await computing.end('SIGKILL')
    const refused = await eventually(async () => {
      const answer = await selling.api('/chat/completions', {
        method: 'POST',
        body: JSON.stringify(ask('x')),
      })
      const { error } = (await answer.json()) as { error: { code: string } }
      return error.code === 'engine_not_ready' && answer
    })
    expect(refused.status).toBe(503)
    const count = (await trades(selling)).length
    computing = await startHeadless(join(data.path, 'computing'), '--model', modelPath, '--port', port)
    const answer = await eventually(async () =>
      selling.client.chat.completions.create(ask('tell me')).catch(() => null),
    )
    expect(answer.choices[0]?.message.content).toBe(TEXT_ANSWER.join(''))
    expect(await trades(selling)).toHaveLength(count + 1)
  })
})

it('a reader that goes away stops the work on both hosts, and pays on neither', async () => {
  // A model that never stops by itself.
  const modelPath = writeTinyGguf(join(data.path, 'endless.gguf'), {
    script: { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' },
  })
  const computing = await startHeadless(join(data.path, 'endless'), '--model', modelPath)
  const selling = await serveFrom(computing, 'reselling', modelPath)
  try {
    for (let round = 0; round < 10; round++) {
      const stream = await selling.client.chat.completions.create({
        model: selling.ready.model,
        messages: [{ role: 'user', content: 'go' }],
        max_tokens: 4000,
        stream: true,
      })
      let pieces = 0
      for await (const chunk of stream) {
        if (chunk.choices[0]?.delta.content) pieces++
        if (pieces > round % 3) break
      }
      stream.controller.abort()
    }
    for (const host of [selling, computing]) {
      await eventually(async () => (await reserved(host)) === 0)
      expect(await trades(host)).toEqual([])
    }
  } finally {
    await selling.end('SIGTERM')
    await computing.end('SIGTERM')
  }
})

it.each([
  [
    'a public address in the clear',
    ['--upstream', 'http://8.8.8.8/v1', '--upstream-model', 'm', '--upstream-params', '7B'],
    'UPSTREAM_ADDRESS_REFUSED',
  ],
  [
    'nobody there',
    ['--upstream', 'http://127.0.0.1:9/v1', '--upstream-model', 'm', '--upstream-params', '7B'],
    'UPSTREAM_UNREACHABLE',
  ],
  ['unknown cost', ['--upstream', 'http://127.0.0.1:9/v1', '--upstream-model', 'm'], 'UPSTREAM_COST_UNKNOWN'],
])('%s is said at the start', async (_name, extra, code) => {
  const directory = join(data.path, code)
  const args = [join(root, 'out/main/headless.js'), '--data-dir', directory, '--port', '0', ...extra]
  expect(JSON.parse((await firstLine(args)).line)).toMatchObject({ event: 'failed', error: { code } })
})
