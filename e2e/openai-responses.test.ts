import { join } from 'node:path'
import type OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { addTool, TEXT_ANSWER, TOOL_RESULT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'
import { ErrorAnswer, Response, ResponseEvent } from './support/openai-shapes.ts'

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

type Params = OpenAI.Responses.ResponseCreateParamsNonStreaming
const text = TEXT_ANSWER.join('')
const tool = { type: 'function', strict: null, ...addTool.function } as const

async function respond(params: Partial<Params> & Record<string, unknown> = {}) {
  return Response.parse(
    await host.client.responses.create({ model, input: 'Tell me.', temperature: 0, ...params } as Params),
  )
}

async function events(params: Record<string, unknown> = {}): Promise<ResponseEvent[]> {
  const stream = await host.client.responses.create({
    model,
    input: 'Tell me.',
    temperature: 0,
    ...params,
    stream: true,
  } as OpenAI.Responses.ResponseCreateParamsStreaming)
  const seen: ResponseEvent[] = []
  for await (const event of stream) seen.push(ResponseEvent.parse(event))
  return seen
}

describe('a response', () => {
  it('holds one message, with its cost', async () => {
    const answer = await respond({ instructions: 'Be short.', metadata: { shelf: '7' } })
    expect(answer).toMatchObject({
      status: 'completed',
      output: [{ type: 'message', status: 'completed', content: [{ type: 'output_text', text }] }],
      instructions: 'Be short.',
      metadata: { shelf: '7' },
      usage: { output_tokens: TEXT_ANSWER.length },
    })
    expect(answer.x_tirami.trm_cost).toBe(Math.ceil(answer.x_tirami.flops / 1e9))
    const raw = await host.client.responses.create({ model, input: 'Tell me.', temperature: 0 })
    expect(raw.output_text).toBe(text)
  })

  it('is incomplete when it was cut off', async () => {
    expect(await respond({ max_output_tokens: 2 })).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete', content: [{ text: 'Deep in the' }] }],
    })
  })

  it('takes a conversation, with calls and their outputs', async () => {
    const answer = await respond({
      tools: [tool],
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'What is 2 + 3?' }] },
        { type: 'function_call', call_id: 'call_1', name: 'add', arguments: '{"a":2,"b":3}' },
        { type: 'function_call_output', call_id: 'call_1', output: '5' },
      ],
    })
    expect(answer.output).toMatchObject([
      { type: 'message', content: [{ text: TOOL_RESULT_ANSWER.join('') }] },
    ])
  })

  it('calls functions as items of their own', async () => {
    const answer = await respond({ tools: [tool] })
    expect(answer.output).toMatchObject([
      { type: 'message', content: [{ text: 'I add. ' }] },
      { type: 'function_call', name: 'add', status: 'completed' },
    ])
    const call = answer.output[1]
    expect(call?.type === 'function_call' && JSON.parse(call.arguments)).toEqual({ a: 2, b: 3 })
  })

  it('is parsed by the client when it is bound to a schema', async () => {
    const parsed = await host.client.responses.parse({
      model,
      input: 'Tell me.',
      temperature: 0,
      text: { format: zodTextFormat(z.object({ sure: z.literal(true) }), 'verdict') },
    })
    expect(parsed.output_parsed).toEqual({ sure: true })
  })

  it('gives log-probabilities when they are included', async () => {
    const answer = await respond({ include: ['message.output_text.logprobs'], top_logprobs: 2 })
    const [message] = answer.output
    const logprobs = message?.type === 'message' ? message.content[0]?.logprobs : []
    expect(logprobs?.map(({ token }) => token)).toEqual(TEXT_ANSWER)
    expect(logprobs?.every(({ top_logprobs }) => top_logprobs.length === 2)).toBe(true)
  })
})

describe('a streamed response', () => {
  it('says everything in order', async () => {
    const seen = await events()
    const deltas = seen.filter(({ type }) => type === 'response.output_text.delta')
    expect(seen.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      ...deltas.map(({ type }) => type),
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(deltas.map((event) => ('delta' in event ? event.delta : '')).join('')).toBe(text)
    expect(seen.map(({ sequence_number }) => sequence_number)).toEqual(seen.map((_, index) => index))
    const last = seen.at(-1)
    expect(last?.type === 'response.completed' && last.response.x_tirami.trade_ids).toHaveLength(1)
  })

  it('tells a function call’s arguments as they come', async () => {
    const seen = await events({ tools: [tool] })
    const types = seen.map(({ type }) => type).filter((type) => type.startsWith('response.function_call'))
    expect(types.at(-1)).toBe('response.function_call_arguments.done')
    expect(types.length).toBeGreaterThan(2)
    const done = seen.find(({ type }) => type === 'response.function_call_arguments.done')
    expect(done && 'arguments' in done && JSON.parse(done.arguments)).toEqual({ a: 2, b: 3 })
    const last = seen.at(-1)
    expect(last?.type === 'response.completed' && last.response.output.map(({ type }) => type)).toEqual([
      'message',
      'function_call',
    ])
  })

  it('ends as incomplete when it was cut off', async () => {
    expect((await events({ max_output_tokens: 1 })).at(-1)?.type).toBe('response.incomplete')
  })

  it('is put together by the client as the whole answer is', async () => {
    const stream = host.client.responses.stream({ model, input: 'Tell me.', temperature: 0 })
    const final = await stream.finalResponse()
    expect(final.output_text).toBe(text)
    expect(final.status).toBe('completed')
  })
})

describe('what is not there', () => {
  it.each<[string, Record<string, unknown>]>([
    ['store', { store: true }],
    ['previous_response_id', { previous_response_id: 'resp_1' }],
    ['conversation', { conversation: 'conv_1' }],
    ['background', { background: true }],
    ['truncation', { truncation: 'auto' }],
    ['prompt', { prompt: { id: 'pmpt_1' } }],
    ['reasoning', { reasoning: { effort: 'high' } }],
    ['max_tool_calls', { max_tool_calls: 3 }],
    ['tools.0.type', { tools: [{ type: 'web_search' }] }],
    ['include.0', { include: ['file_search_call.results'] }],
    ['tool_choice', { tool_choice: 'required' }],
    ['tool_choice', { tools: [tool], tool_choice: { type: 'function', name: 'subtract' } }],
    ['text.format', { tools: [tool], text: { format: { type: 'json_object' } } }],
    ['text.format.schema', { text: { format: { type: 'json_schema', name: 'x' } } }],
    ['text.format', { text: { format: { type: 'json_schema', name: 'x', schema: { type: 'hiccup' } } } }],
    ['input.0.call_id', { input: [{ type: 'function_call_output', call_id: 'x', output: 'y' }] }],
    ['input', { input: [{ type: 'item_reference', id: 'x' }] }],
    ['input', { input: [] }],
    ['max_output_tokens', { max_output_tokens: 0 }],
  ])('“%s” is refused by name (%#)', async (param, wrong) => {
    const response = await host.api('/responses', {
      method: 'POST',
      body: JSON.stringify({ model, input: 'Tell me.', ...wrong }),
    })
    expect(response.status).toBe(400)
    const { error } = ErrorAnswer.parse(await response.json())
    expect(error.param === param || error.param?.startsWith(`${param}.`)).toBe(true)
  })

  it('stored responses: there are none to get', async () => {
    expect((await host.api('/responses/resp_1')).status).toBe(404)
  })
})
