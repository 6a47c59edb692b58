import { randomInt } from 'node:crypto'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { TiramiError } from '../../kernel/index.ts'
import type { EngineReport, GenerateRequest } from '../types.ts'
import type { Session } from './load.ts'
import { StopFilter, TokenDecoder } from './text.ts'

type FinishReason = Extract<EngineReport, { type: 'end' }>['finishReason']

const SEED_RANGE = 2 ** 32

/** One generation: tokenises, waits for the host's word, computes, leaves nothing behind. */
export class Job {
  readonly #id: number
  readonly #request: GenerateRequest
  readonly #session: Session
  readonly #report: (report: EngineReport) => void
  readonly #accepted = Promise.withResolvers<void>()
  #cancelled = false
  #completionTokens = 0
  /** Tokens computed since the last `text` report. */
  #unreportedTokens = 0

  constructor(
    id: number,
    request: GenerateRequest,
    session: Session,
    report: (report: EngineReport) => void,
  ) {
    this.#id = id
    this.#request = request
    this.#session = session
    this.#report = report
  }

  /** The host accepted the prompt. */
  proceed(): void {
    this.#accepted.resolve()
  }

  /** Ends the job after the batch or token that is being computed. */
  cancel(): void {
    this.#cancelled = true
    this.#accepted.resolve()
  }

  /**
   * Reports `prompt`, then `text` as it comes. The sequence is erased when this settles.
   * @returns the `end` report, to be sent once the slot is free.
   * @throws TiramiError PROMPT_TOO_LONG (400), PROMPT_REJECTED (400)
   */
  async run(): Promise<EngineReport> {
    const prompt = this.#session.prompts.write(this.#request.turns) as Token[]
    const room = this.#session.contextTokens - prompt.length
    if (room < 1) throw promptTooLong(prompt.length, this.#session.contextTokens)
    this.#report({ type: 'prompt', jobId: this.#id, promptTokens: prompt.length })
    await this.#accepted.promise
    const finishReason = await this.#compute(prompt, Math.min(this.#request.maxTokens, room))
    return {
      type: 'end',
      jobId: this.#id,
      finishReason,
      promptTokens: prompt.length,
      completionTokens: this.#completionTokens,
    }
  }

  async #compute(prompt: Token[], limit: number): Promise<FinishReason> {
    if (this.#cancelled) return 'cancelled'
    const sequence = this.#session.context.getSequence()
    try {
      const rest = await this.#prefill(sequence, prompt)
      return this.#cancelled ? 'cancelled' : await this.#generate(sequence, rest, limit)
    } finally {
      // Disposing wipes the sequence's cache. Erasing by position would miss a batch that failed half-way.
      await sequence.dispose()
    }
  }

  /** Reads all of the prompt but its last batch, in batches so that a cancel is seen. @returns that batch. */
  async #prefill(sequence: LlamaContextSequence, prompt: Token[]): Promise<Token[]> {
    const { batchTokens } = this.#session
    let position = 0
    while (prompt.length - position > batchTokens && !this.#cancelled) {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(position, position + batchTokens))
      position += batchTokens
    }
    return prompt.slice(position)
  }

  async #generate(sequence: LlamaContextSequence, tokens: Token[], limit: number): Promise<FinishReason> {
    const { model } = this.#session
    const decoder = new TokenDecoder((part, before) =>
      model.detokenize(part as Token[], false, before as Token[]),
    )
    const stops = new StopFilter(this.#request.stop)
    let finishReason: FinishReason = 'stop'
    for await (const token of sequence.evaluate(tokens, this.#sampling())) {
      if (this.#cancelled) return 'cancelled'
      this.#completionTokens++
      this.#unreportedTokens++
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

  /** Top-k stays at llama.cpp's 40: without it small models draw noise from the far tail. */
  #sampling(): { temperature: number; topP: number; topK: number; seed: number } {
    const { temperature, topP, seed } = this.#request
    return { temperature, topP, topK: 40, seed: seed === undefined ? randomInt(SEED_RANGE) : seed >>> 0 }
  }

  #reportText(text: string): void {
    if (text === '') return
    this.#report({ type: 'text', jobId: this.#id, text, tokens: this.#unreportedTokens })
    this.#unreportedTokens = 0
  }
}

function promptTooLong(promptTokens: number, contextTokens: number): TiramiError {
  return new TiramiError(
    'PROMPT_TOO_LONG',
    `The conversation has ${promptTokens} tokens; the model takes ${contextTokens}, answer included.`,
    { nextStep: 'Shorten the conversation, or choose a larger context in the settings.', httpStatus: 400 },
  )
}
