import { join } from 'node:path'
import type OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEXT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'
import {
  Completion,
  CompletionChunk,
  Embeddings,
  ErrorAnswer,
  Model,
  ModelList,
} from './support/openai-shapes.ts'

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

const post = (path: string, body: unknown) => host.api(path, { method: 'POST', body: JSON.stringify(body) })
const posted = async (path: string, body: unknown) => (await post(path, body)).json() as Promise<unknown>
const refusal = async (path: string, body: unknown) => {
  const response = await post(path, body)
  return { status: response.status, ...ErrorAnswer.parse(await response.json()).error }
}
const text = TEXT_ANSWER.join('')
/** The model goes on from a line feed. */
const prompt = 'Once:\n'

describe('completions', () => {
  const complete = async (
    params: Partial<OpenAI.CompletionCreateParamsNonStreaming> & Record<string, unknown>,
  ) => Completion.parse(await host.client.completions.create({ model, prompt, temperature: 0, ...params }))
  const chunksOf = async (params: Record<string, unknown>) => {
    const events = await host.client.completions.create({
      model,
      prompt,
      temperature: 0,
      ...params,
      stream: true,
    })
    const chunks = []
    for await (const chunk of events) chunks.push(CompletionChunk.parse(chunk))
    return chunks
  }

  it('go on from a prompt, whole and streamed, with 16 tokens where nothing is said', async () => {
    const answer = await complete({})
    expect(answer.choices).toMatchObject([{ text, finish_reason: 'stop', logprobs: null }])
    expect(answer.usage.prompt_tokens).toBe(prompt.length)
    const chunks = await chunksOf({ stream_options: { include_usage: true } })
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe(text)
    const { prompt_tokens, completion_tokens } = answer.usage
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens, completion_tokens } })
    expect(chunks.at(-1)?.x_tirami).toBeDefined()
  })

  it('answer several prompts, n times each, numbered in order', async () => {
    const answer = await complete({ prompt: [prompt, 'Then:\n'], n: 2, max_tokens: 2 })
    expect(answer.choices.map(({ index, text }) => [index, text])).toEqual(
      [0, 1, 2, 3].map((index) => [index, 'Deep in the']),
    )
    expect(answer.usage.prompt_tokens).toBe(2 * prompt.length)
    expect(answer.x_tirami.trade_ids).toHaveLength(4)
  })

  it('take token ids, which are the same as their text', async () => {
    const { tokens } = (await posted('/tokenize', { content: prompt })) as { tokens: number[] }
    expect(await posted('/detokenize', { tokens })).toEqual({ content: prompt })
    expect((await complete({ prompt: tokens })).choices[0]?.text).toBe(text)
    expect((await complete({ prompt: [tokens, tokens] })).choices.map((choice) => choice.text)).toEqual([
      text,
      text,
    ])
    expect((await complete({ prompt: tokens, echo: true })).choices[0]?.text).toBe(prompt + text)
  })

  it('echo the prompt before the answer', async () => {
    expect((await complete({ echo: true })).choices[0]?.text).toBe(prompt + text)
    const chunks = await chunksOf({ echo: true })
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe(prompt + text)
  })

  it('give log-probabilities in the legacy form', async () => {
    const { logprobs } = (await complete({ logprobs: 2 })).choices[0] ?? {}
    expect(logprobs?.tokens).toEqual(TEXT_ANSWER)
    expect(logprobs?.text_offset).toEqual(
      TEXT_ANSWER.map((_, index) => TEXT_ANSWER.slice(0, index).join('').length),
    )
    logprobs?.top_logprobs.forEach((top, index) => {
      expect(top[logprobs.tokens[index] ?? '']).toBe(logprobs.token_logprobs[index])
    })
    const streamed = (await chunksOf({ logprobs: 2 })).map(({ choices }) => choices[0]?.logprobs)
    expect(streamed.flatMap((part) => part?.text_offset ?? [])).toEqual(logprobs?.text_offset)
  })

  it.each<[string, Record<string, unknown>]>([
    ['prompt', { prompt: [] }],
    ['prompt', { prompt: [1, 'two'] }],
    ['prompt', { prompt: { text: 'x' } }],
    ['prompt', { prompt: [999_999] }],
    ['prompt', { prompt: [prompt, prompt, prompt], n: 3 }],
    ['n', { n: 0 }],
    ['n', { n: 129 }],
    ['suffix', { suffix: 'the end' }],
    ['best_of', { best_of: 3 }],
    ['echo', { echo: true, logprobs: 1 }],
    ['logprobs', { logprobs: 6 }],
    ['messages', { messages: [] }],
  ])('name “%s” when it is wrong (%#)', async (param, wrong) => {
    expect(await refusal('/completions', { model, prompt, ...wrong })).toMatchObject({ status: 400, param })
  })
})

describe('embeddings', () => {
  const length = (vector: number[]) => Math.hypot(...vector)

  it('are vectors of length 1, one per text, the same for the same text', async () => {
    const input = ['one fox', 'another house', 'one fox']
    const answer = Embeddings.parse(await posted('/embeddings', { model, input }))
    const vectors = answer.data.map(({ embedding }) => embedding as number[])
    expect(answer.data.map(({ index }) => index)).toEqual([0, 1, 2])
    for (const vector of vectors) expect(length(vector)).toBeCloseTo(1, 4)
    expect(vectors[2]).toEqual(vectors[0])
    expect(vectors[1]).not.toEqual(vectors[0])
    expect(answer.usage.prompt_tokens).toBe(input.join('').length)
    expect(answer.x_tirami.trade_ids).toHaveLength(1)
  })

  it('come as base64 floats to the client, which decodes them', async () => {
    const plain = Embeddings.parse(await posted('/embeddings', { model, input: 'one fox' })).data[0]
      ?.embedding
    const { data } = await host.client.embeddings.create({ model, input: 'one fox' })
    expect(data[0]?.embedding).toEqual([...new Float32Array(plain as number[])])
    const raw = await posted('/embeddings', { model, input: 'one fox', encoding_format: 'base64' })
    expect(typeof Embeddings.parse(raw).data[0]?.embedding).toBe('string')
  })

  it('take token ids, which are the same as their text', async () => {
    const { tokens } = (await posted('/tokenize', { content: 'one fox' })) as { tokens: number[] }
    const of = async (input: unknown) =>
      Embeddings.parse(await posted('/embeddings', { model, input })).data.map(({ embedding }) => embedding)
    const [wanted] = await of('one fox')
    expect(await of(tokens)).toEqual([wanted])
    expect(await of([tokens, tokens])).toEqual([wanted, wanted])
  })

  it.each<[string, Record<string, unknown>]>([
    ['input', {}],
    ['input', { input: [] }],
    ['input', { input: '' }],
    ['input', { input: ['x', ''] }],
    ['input', { input: { content: 'string' } }],
    ['input', { input: 'x'.repeat(30_000) }],
    ['dimensions', { input: 'x', dimensions: 8 }],
    ['encoding_format', { input: 'x', encoding_format: 'int8' }],
  ])('name “%s” when it is wrong (%#)', async (param, wrong) => {
    expect(await refusal('/embeddings', { model, ...wrong })).toMatchObject({ status: 400, param })
  })
})

describe('models', () => {
  it('are listed and found by id', async () => {
    const { data } = ModelList.parse(await (await host.api('/models')).json())
    expect(data.map(({ id }) => id)).toEqual([model])
    expect(Model.parse(await host.client.models.retrieve(model))).toEqual(data[0])
    await expect(host.client.models.retrieve('gpt-42')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
  })
})

describe('tokenize', () => {
  it('comes back as it went in, whatever is written', async () => {
    for (const content of ['', 'What is TRM?', 'tab\t, 媽 and 🤗']) {
      const { tokens } = (await posted('/tokenize', { content })) as { tokens: number[] }
      expect(await posted('/detokenize', { tokens })).toEqual({ content })
    }
  })

  it('takes control tokens for text unless told otherwise', async () => {
    const count = async (parse_special: boolean) =>
      ((await posted('/tokenize', { content: '<|im_end|>', parse_special })) as { tokens: number[] }).tokens
        .length
    expect(await count(false)).toBeGreaterThan(1)
    expect(await count(true)).toBe(1)
  })

  it('names what is wrong', async () => {
    expect(await refusal('/tokenize', {})).toMatchObject({ status: 400, param: 'content' })
    expect(await refusal('/detokenize', { tokens: [-1] })).toMatchObject({ status: 400, param: 'tokens.0' })
    expect(await refusal('/detokenize', { tokens: [2 ** 30] })).toMatchObject({
      status: 400,
      param: 'tokens',
    })
  })
})
