import { join } from 'node:path'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { addTool, TEXT_ANSWER, TOOL_RESULT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'
import { ChatChunk, ChatCompletion } from './support/openai-shapes.ts'

const data = temporaryDirectory()
let host: HostProcess
let model: string

beforeAll(async () => {
  host = await startHeadless(
    join(data.path, 'host'),
    '--model',
    writeAssistantModel(join(data.path, 'assistant.gguf')),
  )
  model = host.ready.model
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

type ChatParams = OpenAI.ChatCompletionCreateParamsNonStreaming
const text = TEXT_ANSWER.join('')
const question = { role: 'user', content: 'Tell me something.' } as const

/** An answer that has the documented shape. */
async function ask(params: Partial<ChatParams> & Record<string, unknown> = {}) {
  const answer = await host.client.chat.completions.create({
    model,
    messages: [question],
    temperature: 0,
    ...params,
  })
  return ChatCompletion.parse(answer)
}

/** All chunks of a stream, each of the documented shape. */
async function stream(params: Partial<ChatParams> & Record<string, unknown> = {}) {
  const chunks: z.infer<typeof ChatChunk>[] = []
  const events = await host.client.chat.completions.create({
    model,
    messages: [question],
    temperature: 0,
    ...params,
    stream: true,
  } as OpenAI.ChatCompletionCreateParamsStreaming)
  for await (const chunk of events) chunks.push(ChatChunk.parse(chunk))
  return chunks
}

const textOf = (chunks: z.infer<typeof ChatChunk>[], choice = 0) =>
  chunks
    .flatMap(({ choices }) => choices)
    .filter(({ index }) => index === choice)
    .map(({ delta }) => delta.content ?? '')
    .join('')

describe('a chat completion', () => {
  it('is what the model says, whole and streamed', async () => {
    const answer = await ask()
    expect(answer.choices[0]).toMatchObject({
      message: { content: text },
      finish_reason: 'stop',
      logprobs: null,
    })
    expect(answer.usage.completion_tokens).toBe(TEXT_ANSWER.length)
    const chunks = await stream()
    expect(textOf(chunks)).toBe(text)
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant', content: '' })
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
    expect(chunks.slice(1).every(({ choices }) => choices[0]?.delta.role === undefined)).toBe(true)
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([
      ...chunks.slice(1).map(() => null),
      'stop',
    ])
    expect(chunks.at(-1)?.x_tirami?.trade_ids).toHaveLength(1)
    expect(chunks.slice(0, -1).every(({ x_tirami }) => x_tirami === undefined)).toBe(true)
  })

  it('counts tokens in a chunk of its own when asked to', async () => {
    const chunks = await stream({ stream_options: { include_usage: true } })
    const last = chunks.at(-1)
    expect(last?.choices).toEqual([])
    expect(last?.usage?.completion_tokens).toBe(TEXT_ANSWER.length)
    expect(last?.x_tirami).toBeDefined()
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  })

  it('ends at max_tokens, at max_completion_tokens and at a stop string, which is not shown', async () => {
    for (const limit of [{ max_tokens: 2 }, { max_completion_tokens: 2 }]) {
      const answer = await ask(limit)
      expect(answer.choices[0]).toMatchObject({
        message: { content: 'Deep in the' },
        finish_reason: 'length',
      })
      expect(answer.usage.completion_tokens).toBe(2)
    }
    for (const stop of ['garden', ['nothing', 'gard']]) {
      const answer = await ask({ stop })
      expect(answer.choices[0]).toMatchObject({ message: { content: 'Deep in the ' }, finish_reason: 'stop' })
      expect(textOf(await stream({ stop }))).toBe('Deep in the ')
    }
  })

  it('takes parts of text, developer messages and what it said before', async () => {
    const answer = await ask({
      messages: [
        { role: 'developer', content: 'Be short.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Tell' },
            { type: 'text', text: 'me' },
          ],
        },
        { role: 'assistant', content: 'No.', refusal: null },
        question,
      ],
    })
    expect(answer.choices[0]?.message.content).toBe(text)
  })
})

describe('several choices', () => {
  it('are a job and a trade each; the prompt counts once, the cost sums up', async () => {
    const one = await ask()
    const three = await ask({ n: 3, cache_prompt: false })
    expect(three.choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, text],
      [1, text],
      [2, text],
    ])
    expect(three.usage.prompt_tokens).toBe(one.usage.prompt_tokens)
    expect(three.usage.completion_tokens).toBe(3 * one.usage.completion_tokens)
    const { trades } = (await (await host.api('/tirami/trades?limit=3')).json()) as {
      trades: { trade_id: string; trm_amount: number; flops_estimated: number }[]
    }
    expect(new Set(three.x_tirami.trade_ids)).toEqual(new Set(trades.map(({ trade_id }) => trade_id)))
    expect(three.x_tirami.trm_cost).toBe(trades.reduce((sum, { trm_amount }) => sum + trm_amount, 0))
    expect(three.x_tirami.flops).toBe(trades.reduce((sum, { flops_estimated }) => sum + flops_estimated, 0))
  })

  it('stream side by side, each to its own end', async () => {
    const chunks = await stream({ n: 2 })
    expect([textOf(chunks, 0), textOf(chunks, 1)]).toEqual([text, text])
    const ends = chunks
      .flatMap(({ choices }) => choices)
      .filter(({ finish_reason }) => finish_reason !== null)
    expect(ends.map(({ index }) => index).sort()).toEqual([0, 1])
    expect(chunks.at(-1)?.x_tirami?.trade_ids).toHaveLength(2)
  })

  it('more than there are slots take their turns', async () => {
    const answer = await ask({ n: 8 })
    expect(answer.choices.map(({ message }) => message.content)).toEqual(Array(8).fill(text))
  })

  it('with a seed differ from each other and come back the same', async () => {
    // Without its habits the model draws from all its tokens.
    const params = { n: 2, seed: 7, temperature: 2, top_k: 0, max_tokens: 12 }
    const contents = async () => (await ask(params)).choices.map(({ message }) => message.content)
    const first = await contents()
    expect(first[0]).not.toBe(first[1])
    expect(await contents()).toEqual(first)
  })
})

describe('where one of several choices fails', () => {
  const post = async (path: string, body: unknown) =>
    (await host.api(`/tirami/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()

  it.each([false, true])(
    'the finished ones are charged, and the error says so (stream: %s)',
    async (stream) => {
      const { token } = (await post('tokens/issue', { scope: 'inference', label: 'a guest' })) as {
        token: string
      }
      const asGuest = { authorization: `Bearer ${token}` }
      const account = async () =>
        (await (await host.api('/tirami/safety', { headers: asGuest })).json()) as {
          node_id: string
          held: number
          lifetime_spend: number
        }
      const { node_id } = await account()
      // Eight choices, four at a time: the sixth is refused when some of the first are finished.
      await post('policy', { node_id, max_requests_per_minute: 5, human_approval_threshold: null })
      const response = await host.api('/chat/completions', {
        method: 'POST',
        headers: asGuest,
        body: JSON.stringify({ model, messages: [question], n: 8, stream }),
      })
      expect(response.status).toBe(stream ? 200 : 429)
      const answer = await response.text()
      const told = JSON.parse(stream ? (/^data: (\{"error".*)$/m.exec(answer)?.[1] ?? '') : answer)
      expect(told.error.code).toBe('velocity_anomaly')
      expect(told.x_tirami.trade_ids.length).toBeGreaterThan(0)
      const { lifetime_spend, held } = await account()
      expect(told.x_tirami.trm_cost).toBe(lifetime_spend)
      expect(held).toBe(0)
    },
  )
})

describe('sampling', () => {
  it('logit_bias forbids a token, by the id that tokenize gives', async () => {
    const { tokens } = (await (
      await host.api('/tokenize', { method: 'POST', body: JSON.stringify({ content: 'Deep' }) })
    ).json()) as { tokens: number[] }
    const answer = await ask({
      logit_bias: Object.fromEntries(tokens.map((token) => [token, -100])),
      max_tokens: 1,
    })
    expect(answer.choices[0]?.message.content).not.toBe('Deep')
  })

  it('takes top_k, min_p and the penalties', async () => {
    const greedy = { temperature: 1, top_k: 1 }
    expect((await ask(greedy)).choices[0]?.message.content).toBe(text)
    const answer = await ask({
      ...greedy,
      min_p: 0.05,
      frequency_penalty: 0.1,
      presence_penalty: 0.1,
      repeat_penalty: 1.01,
    })
    expect(answer.choices[0]?.message.content).toBe(text)
  })
})

describe('log-probabilities', () => {
  it('are given per token, with alternatives, whole and streamed', async () => {
    const params = { logprobs: true, top_logprobs: 3 }
    const content = (await ask(params)).choices[0]?.logprobs?.content ?? []
    expect(content.map(({ token }) => token).join('')).toBe(text)
    for (const { logprob, top_logprobs, bytes, token } of content) {
      expect(top_logprobs).toHaveLength(3)
      expect(top_logprobs[0]).toMatchObject({ token, logprob })
      expect(Buffer.from(bytes ?? []).toString()).toBe(token)
    }
    const streamed = (await stream(params)).flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])
    expect(streamed).toEqual(content)
    expect((await ask({ logprobs: true })).choices[0]?.logprobs?.content?.[0]?.top_logprobs).toEqual([])
  })
})

describe('structured output', () => {
  const Verdict = z.object({ kind: z.enum(['yes']), sure: z.literal(true) })

  it('json_schema binds a model that would say something else', async () => {
    const answer = await host.client.chat.completions.parse({
      model,
      messages: [question],
      temperature: 0,
      response_format: zodResponseFormat(Verdict, 'verdict'),
    })
    expect(answer.choices[0]?.message.parsed).toEqual({ kind: 'yes', sure: true })
  })

  it('streams, too', async () => {
    const events = host.client.chat.completions.stream({
      model,
      messages: [question],
      temperature: 0,
      response_format: zodResponseFormat(Verdict, 'verdict'),
    })
    const final = await events.finalChatCompletion()
    expect(final.choices[0]?.message.parsed).toEqual({ kind: 'yes', sure: true })
  })

  it('json_object begins an object', async () => {
    const answer = await ask({ response_format: { type: 'json_object' }, max_tokens: 8 })
    expect(answer.choices[0]?.message.content?.trimStart()).toMatch(/^\{/)
  })

  it('a schema that no grammar can hold is refused by name', async () => {
    const response_format = {
      type: 'json_schema',
      json_schema: { name: 'x', schema: { type: 'hiccup' } },
    } as const
    await expect(ask({ response_format })).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_schema',
      param: 'response_format',
    })
  })
})

describe('tools', () => {
  it('a call comes apart from the text, whole and streamed', async () => {
    const { message, finish_reason } = (await ask({ tools: [addTool] })).choices[0] ?? {}
    expect(finish_reason).toBe('tool_calls')
    expect(message?.content).toBe('I add. ')
    expect(message?.tool_calls).toMatchObject([{ type: 'function', function: { name: 'add' } }])
    expect(JSON.parse(message?.tool_calls?.[0]?.function.arguments ?? '')).toEqual({ a: 2, b: 3 })

    const chunks = await stream({ tools: [addTool] })
    expect(textOf(chunks)).toBe('I add. ')
    const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
    expect(deltas[0]).toMatchObject({ index: 0, type: 'function', function: { name: 'add', arguments: '' } })
    expect(deltas.length).toBeGreaterThan(2)
    expect(JSON.parse(deltas.map((delta) => delta.function?.arguments ?? '').join(''))).toEqual({
      a: 2,
      b: 3,
    })
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('several calls in one answer, or one where the caller wants no parallel ones', async () => {
    const twice: Partial<ChatParams> = {
      messages: [{ role: 'user', content: 'Add twice.' }],
      tools: [addTool],
    }
    const both = (await ask(twice)).choices[0]?.message
    expect(both?.content).toBeNull()
    expect(both?.tool_calls?.map((call) => JSON.parse(call.function.arguments))).toEqual([
      { a: 1, b: 1 },
      { a: 4, b: 4 },
    ])
    expect(new Set(both?.tool_calls?.map(({ id }) => id)).size).toBe(2)
    const single = await ask({ ...twice, parallel_tool_calls: false })
    expect(single.choices[0]?.message.tool_calls).toHaveLength(1)
    expect(single.usage.completion_tokens).toBeLessThan(4)
  })

  it('tool_choice none hides them; required and a named one force a call by grammar', async () => {
    expect((await ask({ tools: [addTool], tool_choice: 'none' })).choices[0]?.message.content).toBe(text)
    const flag = {
      type: 'function',
      function: {
        name: 'raise_flag',
        parameters: {
          type: 'object',
          properties: { up: { $ref: '#/$defs/up' } },
          required: ['up'],
          additionalProperties: false,
          $defs: { up: { const: true } },
        },
      },
    } satisfies OpenAI.ChatCompletionFunctionTool
    const forced = [
      { tool_choice: 'required', tools: [flag] },
      { tool_choice: named('raise_flag'), tools: [addTool, flag] },
    ]
    for (const params of forced as Partial<ChatParams>[]) {
      const { message, finish_reason } = (await ask({ max_tokens: 1000, ...params })).choices[0] ?? {}
      expect(finish_reason).toBe('tool_calls')
      expect(message?.content).toBeNull()
      expect(message?.tool_calls).toMatchObject([{ function: { name: 'raise_flag' } }])
      expect(JSON.parse(message?.tool_calls?.[0]?.function.arguments ?? '')).toEqual({ up: true })
    }
    const cut = (await ask({ max_tokens: 1, tools: [flag], tool_choice: 'required' })).choices[0]
    expect(cut).toMatchObject({ message: { content: '' }, finish_reason: 'length' })
  })

  it('run to the end with the client’s own runner', async () => {
    const seen: unknown[] = []
    const runner = host.client.chat.completions.runTools({
      model,
      messages: [{ role: 'user', content: 'What is 2 + 3?' }],
      temperature: 0,
      tools: [
        {
          type: 'function',
          function: {
            ...addTool.function,
            parse: (written: string) => JSON.parse(written),
            function: (args: { a: number; b: number }) => {
              seen.push(args)
              return String(args.a + args.b)
            },
          },
        },
      ],
    })
    expect(await runner.finalContent()).toBe(TOOL_RESULT_ANSWER.join(''))
    expect(seen).toEqual([{ a: 2, b: 3 }])
  })
})

const named = (name: string) => ({ type: 'function', function: { name } })

describe('the client’s error classes', () => {
  it('match what went wrong', async () => {
    await expect(ask({ max_tokens: -1 })).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await expect(ask({ model: 'gpt-42' })).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    const stranger = new OpenAI({ baseURL: host.ready.api, apiKey: 'sk-wrong', maxRetries: 0 })
    await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  })

  it('an aborted stream leaves the host ready for the next', async () => {
    const events = await host.client.chat.completions.create({ model, messages: [question], stream: true })
    for await (const _ of events) {
      events.controller.abort()
      break
    }
    expect((await ask()).choices[0]?.message.content).toBe(text)
  })
})

describe('while the host takes no requests', () => {
  /** As the dashboard does it. */
  const control = async (procedure: string) => {
    const opened = await fetch(host.ready.dashboard, { redirect: 'manual' })
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
    const response = await fetch(new URL(`/rpc/${procedure}`, host.ready.dashboard), {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json' },
      body: '{}',
    })
    expect(response.status).toBe(200)
  }

  it('a 503 says when to come back, and the client comes back by itself', async () => {
    await control('host.pause')
    const refused = await host.api('/chat/completions', {
      method: 'POST',
      body: JSON.stringify({ model, messages: [question] }),
    })
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const statuses: number[] = []
    const patient = new OpenAI({
      baseURL: host.ready.api,
      apiKey: host.apiKey,
      maxRetries: 3,
      fetch: async (url, init) => {
        const response = await fetch(url, init)
        statuses.push(response.status)
        if (statuses.length === 1) await control('host.resume')
        return response
      },
    })
    const answer = await patient.chat.completions.create({ model, messages: [question], temperature: 0 })
    expect(answer.choices[0]?.message.content).toBe(text)
    expect(statuses[0]).toBe(503)
    expect(statuses.at(-1)).toBe(200)
  })
})
