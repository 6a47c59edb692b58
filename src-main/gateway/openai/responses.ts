import type { FastifyInstance } from 'fastify'
import type { HostServices, Receipt } from '../../host/index.ts'
import type { ToolCallParser } from '../../inference/index.ts'
import type { TiramiError } from '../../kernel/index.ts'
import type { Authorise } from '../requests.ts'
import type { SseMessage } from '../sse.ts'
import { type Cost, costOf } from './cost.ts'
import { openAiError } from './errors.ts'
import { type ChoiceEvent, runJobs } from './jobs.ts'
import { assertOffered, defaultTemperature, newId } from './models.ts'
import { type ResponseEvent, ResponseOutput } from './response-output.ts'
import { type ResponseJob, responseJob } from './response-request.ts'
import { answerWithStream, type StreamWriter } from './stream.ts'
import { assertTakesTools, partReader, withCallStops } from './tools.ts'

/** `POST /v1/responses`, created and streamed. Nothing is stored: every request carries the whole conversation. */
export function registerResponses(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.post('/v1/responses', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const asked = responseJob(request.body, defaultTemperature(services, request.body))
    const model = assertOffered(services, consumer, asked.request.model)
    assertTakesTools(model, asked.tools)
    const reader = partReader(asked.tools, model.toolCallFormat)
    const job = withCallStops(asked.job, asked.tools, model.toolCallFormat)
    const events = runJobs({ services, consumer, model, request, reply, params: errorParams(asked) }, [job])
    const answer = new ResponseAnswer(asked, model.id, (receipt) => costOf(services, consumer, [receipt]))
    if (asked.request.stream) return answerWithStream(request, reply, events, responseWriter(answer, reader))
    for await (const event of events) answer.take(event, reader)
    return answer.object()
  })
}

function errorParams({ tools }: ResponseJob): Record<string, string> {
  return {
    PROMPT_TOO_LONG: 'input',
    PROMPT_REJECTED: 'input',
    UNSUPPORTED_SCHEMA: tools ? 'tools' : 'text.format',
    INVALID_TOKENS: 'logit_bias',
  }
}

/** A response object on its way from `in_progress` to its end. */
class ResponseAnswer {
  readonly #id = newId('resp')
  readonly #createdAt = nowSeconds()
  readonly #asked: ResponseJob
  readonly #model: string
  readonly #cost: (receipt: Receipt) => Cost
  readonly #output = new ResponseOutput()
  #receipt: Receipt | null = null
  #failure: TiramiError | null = null

  constructor(asked: ResponseJob, model: string, cost: (receipt: Receipt) => Cost) {
    this.#asked = asked
    this.#model = model
    this.#cost = cost
  }

  /** @returns what a stream tells of it */
  take(event: ChoiceEvent, reader: ToolCallParser): ResponseEvent[] {
    if (event.type === 'text') return this.#output.push(reader.push(event.text), event.logprobs)
    if (event.type !== 'booked') return []
    this.#receipt = event.receipt
    const status = event.receipt.finishReason === 'length' ? 'incomplete' : 'completed'
    return [...this.#output.push(reader.finish()), ...this.#output.finish(status)]
  }

  fail(error: TiramiError): void {
    this.#failure = error
  }

  get status(): 'in_progress' | 'completed' | 'incomplete' | 'failed' {
    if (this.#failure) return 'failed'
    if (!this.#receipt) return 'in_progress'
    return this.#receipt.finishReason === 'length' ? 'incomplete' : 'completed'
  }

  object() {
    const { request, job } = this.#asked
    const receipt = this.#receipt
    const { status } = this
    return {
      id: this.#id,
      object: 'response',
      created_at: this.#createdAt,
      completed_at: status === 'completed' ? nowSeconds() : null,
      status,
      background: false,
      error: this.#failure
        ? { code: 'server_error', message: openAiError(this.#failure).error.message }
        : null,
      incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
      instructions: request.instructions ?? null,
      max_output_tokens: request.max_output_tokens ?? null,
      model: this.#model,
      output: this.#output.items,
      parallel_tool_calls: request.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      store: false,
      temperature: job.temperature,
      text: { format: request.text?.format ?? { type: 'text' } },
      tool_choice: request.tool_choice ?? 'auto',
      tools: (request.tools ?? []).map((tool) => ({
        ...tool,
        parameters: tool.parameters ?? null,
        strict: tool.strict ?? null,
      })),
      top_logprobs: job.topLogprobs ?? 0,
      top_p: job.topP,
      truncation: 'disabled',
      metadata: request.metadata ?? {},
      ...(receipt ? { usage: responseUsage(receipt), x_tirami: this.#cost(receipt) } : {}),
    }
  }
}

function responseUsage({ promptTokens, cachedTokens, completionTokens }: Receipt) {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens, cache_write_tokens: 0 },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + completionTokens,
  }
}

const nowSeconds = () => Math.floor(Date.now() / 1000)

/** The typed events of one streamed response; the cost stands in the last one’s response. */
function responseWriter(answer: ResponseAnswer, reader: ToolCallParser): StreamWriter<ChoiceEvent> {
  let sequence = 0
  const message = ({ type, ...fields }: ResponseEvent): SseMessage => ({
    event: type,
    data: JSON.stringify({ type, sequence_number: sequence++, ...fields }),
  })
  const stage = (type: string) => message({ type, response: answer.object() })
  return {
    open: () => [stage('response.created'), stage('response.in_progress')],
    event: (event) => answer.take(event, reader).map(message),
    close: () => [stage(`response.${answer.status}`)],
    failed: (error) => {
      answer.fail(error)
      return [stage('response.failed')]
    },
  }
}
