import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestError } from '../requests.ts'
import { chatJobs } from './chat-request.ts'
import { responseJob } from './response-request.ts'

const messages = [{ role: 'user', content: 'hi' }]
const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object' } } }

/** Names of all fields, with values that are now and then right. */
const fields = fc.dictionary(
  fc.constantFrom(
    ...[
      'messages',
      'input',
      'n',
      'max_tokens',
      'temperature',
      'top_p',
      'stop',
      'seed',
      'tools',
      'tool_choice',
    ],
    ...[
      'logit_bias',
      'logprobs',
      'top_logprobs',
      'response_format',
      'text',
      'stream',
      'stream_options',
      'store',
    ],
    ...['metadata', 'reasoning', 'instructions', 'include', '__proto__', 'constructor', 'toString', ''],
  ),
  fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(
      ...[messages, [tool], 'auto', 'required', { type: 'json_object' }, { format: { type: 'text' } }],
      ...[true, 1, 0.5, 'text', [], {}, null],
    ),
  ),
)

describe('whatever the body', () => {
  it.each([
    ['chat completions', chatJobs],
    ['responses', responseJob],
  ])('%s are jobs, or refused with a sentence', (_name, read) => {
    const body = fc.oneof(
      fc.jsonValue(),
      fields,
      fields.map((some) => ({ messages, ...some })),
      fields.map((some) => ({ input: 'hi', ...some })),
    )
    fc.assert(
      fc.property(body, (value) => {
        try {
          read(value, 0)
        } catch (error) {
          if (!(error instanceof RequestError)) throw error
          expect(error.httpStatus).toBe(400)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a chat completion', () => {
  it('asks the engine for exactly what its body says', () => {
    const { jobs } = chatJobs(
      {
        messages,
        n: 2,
        max_tokens: 7,
        max_completion_tokens: 9,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 3,
        min_p: 0.1,
        frequency_penalty: 1,
        presence_penalty: -1,
        repeat_penalty: 1.5,
        logit_bias: { 12: -100 },
        seed: 40,
        stop: 'x',
        logprobs: true,
        response_format: { type: 'json_object' },
        cache_prompt: false,
      },
      1,
    )
    const job = {
      prompt: { type: 'chat', turns: messages },
      maxTokens: 9,
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      minP: 0.1,
      frequencyPenalty: 1,
      presencePenalty: -1,
      repeatPenalty: 1.5,
      logitBias: [{ token: 12, bias: -100 }],
      stop: ['x'],
      topLogprobs: 0,
      format: { type: 'json-object' },
      cachePrompt: false,
    }
    expect(jobs).toEqual([
      { ...job, seed: 40 },
      { ...job, seed: 41 },
    ])
  })

  it('leaves to the engine what its body leaves out or sets to null', () => {
    const nothing = { n: null, top_k: null, stop: null, seed: null, tools: null, response_format: null }
    const wanted = [
      { prompt: { type: 'chat', turns: messages }, maxTokens: 256, temperature: 0.7, topP: 1, stop: [] },
    ]
    expect(chatJobs({ messages }, 0.7).jobs).toEqual(wanted)
    expect(chatJobs({ messages, ...nothing }, 0.7).jobs).toEqual(wanted)
  })
})

describe('a response', () => {
  it('makes calls that follow one another one turn', () => {
    const call = (id: string) => ({ type: 'function_call', call_id: id, name: 'f', arguments: '{}' })
    const { job } = responseJob(
      {
        instructions: 'Be short.',
        input: [
          { role: 'user', content: 'go' },
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'wait' }] },
          call('a'),
          call('b'),
          { type: 'function_call_output', call_id: 'b', output: '2' },
          { type: 'function_call_output', call_id: 'a', output: [{ type: 'input_text', text: '1' }] },
        ],
      },
      0,
    )
    const made = (id: string) => ({ id, name: 'f', argumentsJson: '{}' })
    expect(job.prompt).toEqual({
      type: 'chat',
      turns: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'go' },
        { role: 'assistant', content: 'wait', toolCalls: [made('a'), made('b')] },
        { role: 'tool', content: '2', toolCallId: 'b' },
        { role: 'tool', content: '1', toolCallId: 'a' },
      ],
    })
  })
})
