import type { Token } from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'
import type { EngineReport, GenerateRequest, TokenLogprobs } from '../types.ts'
import { createSampler, type Sampler } from './sampling.ts'
import type { Session } from './session.ts'
import type { Lease } from './slots.ts'
import { StopFilter, TokenDecoder } from './text.ts'

type FinishReason = Extract<EngineReport, { type: 'end' }>['finishReason']

/** What the host says about a job while it runs. */
export class JobControl {
  readonly #accepted = Promise.withResolvers<void>()
  cancelled = false

  /** Resolves when the host has accepted the prompt, or cancelled the job. */
  accepted(): Promise<void> {
    return this.#accepted.promise
  }

  proceed(): void {
    this.#accepted.resolve()
  }

  /** Ends the job after the batch or token that is being computed. */
  cancel(): void {
    this.cancelled = true
    this.#accepted.resolve()
  }
}

/** One generation: tokenises, waits for the host's word, computes. */
export class Job {
  readonly #id: number
  readonly #request: GenerateRequest
  readonly #session: Session
  readonly #control: JobControl
  readonly #report: (report: EngineReport) => void
  #completionTokens = 0
  #cachedTokens = 0
  /** Tokens computed since the last `text` report. */
  #unreportedTokens = 0
  #unreportedLogprobs: TokenLogprobs[] = []

  constructor(
    id: number,
    request: GenerateRequest,
    session: Session,
    control: JobControl,
    report: (report: EngineReport) => void,
  ) {
    this.#id = id
    this.#request = request
    this.#session = session
    this.#control = control
    this.#report = report
  }

  /**
   * Reports `prompt`, then `text` as it comes. When this settles, the sequence is wiped or kept for the same tenant.
   * @returns the `end` report, to be sent once the slot is free.
   * @throws TiramiError PROMPT_TOO_LONG, PROMPT_REJECTED, UNSUPPORTED_SCHEMA (400 each)
   */
  async run(): Promise<EngineReport> {
    const { prompts, contextTokens } = this.#session
    const prompt = prompts.write(this.#request.prompt) as Token[]
    const room = contextTokens - prompt.length
    if (room < 1) throw promptTooLong(prompt.length, contextTokens)
    const sampler = await createSampler(this.#session, this.#request)
    this.#report({ type: 'prompt', jobId: this.#id, promptTokens: prompt.length })
    await this.#control.accepted()
    const finishReason = await this.#compute(prompt, sampler, Math.min(this.#request.maxTokens, room))
    return {
      type: 'end',
      jobId: this.#id,
      finishReason,
      promptTokens: prompt.length,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
    }
  }

  async #compute(prompt: Token[], sampler: Sampler, limit: number): Promise<FinishReason> {
    if (this.#control.cancelled) return 'cancelled'
    const { pool } = this.#session
    const { tenant, cachePrompt = true } = this.#request
    const lease = await pool.take(cachePrompt ? tenant : null, prompt)
    // What was not finished was not paid for: it may not make the next prompt cheaper.
    let keep = false
    try {
      const finishReason = await this.#run(lease, prompt, sampler, limit)
      keep = cachePrompt && finishReason !== 'cancelled'
      return finishReason
    } finally {
      await pool.give(lease, keep ? { tenant, jobId: this.#id } : null)
    }
  }

  async #run(lease: Lease, prompt: Token[], sampler: Sampler, limit: number): Promise<FinishReason> {
    this.#cachedTokens = lease.cachedTokens
    const rest = await this.#prefill(lease, prompt)
    return this.#control.cancelled ? 'cancelled' : this.#generate(lease, rest, sampler, limit)
  }

  /** Reads all of the prompt but its last batch, in batches so that a cancel is seen. @returns that batch. */
  async #prefill({ sequence, cachedTokens }: Lease, prompt: Token[]): Promise<Token[]> {
    const { batchTokens } = this.#session
    let position = cachedTokens
    while (prompt.length - position > batchTokens && !this.#control.cancelled) {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(position, position + batchTokens))
      position += batchTokens
    }
    return prompt.slice(position)
  }

  async #generate(lease: Lease, tokens: Token[], sampler: Sampler, limit: number): Promise<FinishReason> {
    const showsMarkers = this.#request.prompt.type === 'chat' && this.#request.prompt.tools !== undefined
    const decoder = new TokenDecoder((part, before) =>
      this.#session.textOf(part as Token[], before as Token[], showsMarkers),
    )
    const stops = new StopFilter(this.#request.stop)
    let finishReason: FinishReason = 'stop'
    for await (const { token, logprobs } of sampler.generate(lease.sequence, tokens, limit)) {
      if (this.#control.cancelled) return 'cancelled'
      this.#completionTokens++
      this.#unreportedTokens++
      if (logprobs) this.#unreportedLogprobs.push(logprobs)
      const { text, stopped } = stops.push(decoder.push(token))
      this.#reportText(text)
      if (stopped) return 'stop'
      if (this.#completionTokens >= limit) {
        finishReason = 'length'
        break
      }
    }
    const last = stops.push(decoder.finish())
    this.#reportText(last.stopped ? last.text : last.text + stops.finish())
    return last.stopped ? 'stop' : finishReason
  }

  #reportText(text: string): void {
    if (text === '') return
    const logprobs = this.#unreportedLogprobs
    this.#report({
      type: 'text',
      jobId: this.#id,
      text,
      tokens: this.#unreportedTokens,
      ...(logprobs.length > 0 ? { logprobs } : {}),
    })
    this.#unreportedTokens = 0
    this.#unreportedLogprobs = []
  }
}

export function promptTooLong(promptTokens: number, contextTokens: number): TiramiError {
  return new TiramiError(
    'PROMPT_TOO_LONG',
    `The conversation has ${promptTokens} tokens; the model takes ${contextTokens}, answer included.`,
    { nextStep: 'Shorten the conversation, or choose a larger context in the settings.', httpStatus: 400 },
  )
}
