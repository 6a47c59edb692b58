import { join } from 'node:path'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { TEXT_ANSWER, TOOL_RESULT_ANSWER, writeAssistantModel } from './support/assistant-model.ts'
import { type HostProcess, startHeadless, temporaryDirectory } from './support/host.ts'

const data = temporaryDirectory()
let host: HostProcess
let provider: ReturnType<typeof createOpenAICompatible>

beforeAll(async () => {
  host = await startHeadless(
    join(data.path, 'host'),
    '--model',
    writeAssistantModel(join(data.path, 'assistant.gguf')),
  )
  provider = createOpenAICompatible({
    name: 'tirami',
    baseURL: host.ready.api,
    apiKey: host.apiKey,
    supportsStructuredOutputs: true,
    includeUsage: true,
  })
})
afterAll(async () => {
  await host?.end('SIGKILL')
  data.remove()
})

const text = TEXT_ANSWER.join('')
const asked = () => ({ model: provider(host.ready.model), temperature: 0, maxRetries: 0 })
const add = tool({
  description: 'Adds two numbers.',
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => a + b,
})

describe('Vercel’s AI SDK', () => {
  it('generates and streams text, with its token counts', async () => {
    const whole = await generateText({ ...asked(), prompt: 'Tell me.' })
    expect(whole.text).toBe(text)
    expect(whole.finishReason).toBe('stop')
    const stream = streamText({ ...asked(), prompt: 'Tell me.' })
    let pieces = 0
    for await (const _ of stream.textStream) pieces++
    expect(pieces).toBeGreaterThan(1)
    expect(await stream.text).toBe(text)
    expect((await stream.usage).outputTokens).toBe(TEXT_ANSWER.length)
  })

  it('calls a tool and goes on with its result, whole and streamed', async () => {
    const options = { ...asked(), prompt: 'What is 2 + 3?', tools: { add }, stopWhen: stepCountIs(3) }
    const whole = await generateText(options)
    expect(whole.steps[0]?.toolResults.map(({ output }) => output)).toEqual([5])
    expect(whole.text).toBe(TOOL_RESULT_ANSWER.join(''))
    const stream = streamText(options)
    expect(await stream.text).toBe(TOOL_RESULT_ANSWER.join(''))
    const [first] = await stream.steps
    expect(first?.toolCalls.map(({ input }) => input)).toEqual([{ a: 2, b: 3 }])
  })

  it('gets an object that fits its schema', async () => {
    const { output } = await generateText({
      ...asked(),
      prompt: 'Are you sure?',
      maxOutputTokens: 1000,
      output: Output.object({ schema: z.object({ sure: z.literal(true), kind: z.enum(['yes']) }) }),
    })
    expect(output).toEqual({ sure: true, kind: 'yes' })
  })

  it('completes and embeds', async () => {
    const completed = await generateText({
      ...asked(),
      model: provider.completionModel(host.ready.model),
      prompt: 'Once:',
      maxOutputTokens: 4,
    })
    expect(completed.usage.outputTokens).toBeGreaterThan(0)
    const { embeddings } = await embedMany({
      model: provider.embeddingModel(host.ready.model),
      values: ['one fox', 'one fox', 'two'],
    })
    expect(embeddings[0]).toEqual(embeddings[1])
    expect(embeddings[0]).not.toEqual(embeddings[2])
  })

  it('sees the host’s own words when it is refused', async () => {
    const refused = generateText({ ...asked(), model: provider('gpt-42'), prompt: 'x' })
    await expect(refused).rejects.toMatchObject({ statusCode: 404, message: expect.stringMatching(/gpt-42/) })
  })
})
