// Asks the model file, through llama.cpp, every dev and held-out question, and counts the exact answers.
// Usage: node training/concierge/evaluate.ts [model.gguf] [--verbose]

import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { getLlama, type Llama, type LlamaContextSequence, type LlamaModel } from 'node-llama-cpp'
import { loadCorpus, type Topic } from './corpus.ts'

export interface Score {
  readonly correct: number
  readonly total: number
}

export const MODEL_PATH = join(import.meta.dirname, '../../resources/models/concierge.gguf')

const MAXIMUM_ANSWER_TOKENS = 160
const REQUIRED_HELDOUT_ACCURACY = 0.8

function normaliseAnswer(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

/** llama.cpp on one CPU thread: more threads only wait for one another with a model this small. */
export function loadLlama(): Promise<Llama> {
  return getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 1 })
}

/** A model file open in llama.cpp, with its own chat template. */
export class Respondent {
  readonly model: LlamaModel
  readonly #sequence: LlamaContextSequence
  readonly #template: Template

  private constructor(model: LlamaModel, sequence: LlamaContextSequence, template: Template) {
    this.model = model
    this.#sequence = sequence
    this.#template = template
  }

  static async open(llama: Llama, modelPath: string): Promise<Respondent> {
    const model = await llama.loadModel({ modelPath })
    const context = await model.createContext({ contextSize: 512, threads: 1 })
    const template = model.fileInfo.metadata.tokenizer.chat_template
    if (template === undefined) throw new Error(`${modelPath} has no chat template`)
    return new Respondent(model, context.getSequence(), new Template(template))
  }

  /** The greedy answer to one question. */
  async answer(question: string): Promise<string> {
    await this.#sequence.clearHistory()
    const prompt = this.#template.render({ messages: [{ role: 'user', content: question }] })
    const answer = []
    for await (const token of this.#sequence.evaluate(this.model.tokenize(prompt, true), {
      temperature: 0,
    })) {
      if (this.model.isEogToken(token) || answer.length === MAXIMUM_ANSWER_TOKENS) break
      answer.push(token)
    }
    return this.model.detokenize(answer)
  }

  close(): Promise<void> {
    return this.model.dispose()
  }
}

/** Counts the questions of one split that get their topic's answer; `onFailure` sees the others. */
export async function scoreSplit(
  respondent: Respondent,
  topics: readonly Topic[],
  split: 'dev' | 'heldout',
  onFailure?: (topic: Topic, question: string, answer: string) => void,
): Promise<Score> {
  let correct = 0
  let total = 0
  for (const topic of topics) {
    for (const question of topic[split]) {
      const answer = await respondent.answer(question)
      total++
      if (normaliseAnswer(answer) === normaliseAnswer(topic.answer)) correct++
      else onFailure?.(topic, question, answer)
    }
  }
  return { correct, total }
}

async function main(args: readonly string[]): Promise<void> {
  const verbose = args.includes('--verbose')
  const path = args.find((arg) => !arg.startsWith('--')) ?? MODEL_PATH
  const { topics } = loadCorpus()
  const respondent = await Respondent.open(await loadLlama(), path)
  const onFailure = verbose
    ? (topic: Topic, question: string, answer: string) =>
        console.log(`  [${topic.id}] ${question}\n    -> ${answer}`)
    : undefined
  for (const split of ['dev', 'heldout'] as const) {
    const { correct, total } = await scoreSplit(respondent, topics, split, onFailure)
    console.log(`${split}: ${correct} of ${total} exact answers (${((100 * correct) / total).toFixed(1)} %)`)
    if (split === 'heldout' && correct / total < REQUIRED_HELDOUT_ACCURACY) process.exitCode = 1
  }
  await respondent.close()
}

if (import.meta.main) await main(process.argv.slice(2))
