import { Template } from '@huggingface/jinja'
import {
  getLlama,
  type LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { tokenBytes } from '../src-main/inference/engine/token-bytes.ts'
import type { ProbedToken } from '../src-main/market/index.ts'

/** How one machine computes. */
export interface Setup {
  threads: number
  batchTokens: number
  flashAttention: boolean
  /** Half of the prompt was read before, with another answer after it. */
  keptPrompt: boolean
}

export const PLAIN: Setup = {
  threads: 1,
  batchTokens: 64,
  flashAttention: false,
  keptPrompt: false,
}

export interface Probe {
  question: string
  maxTokens: number
}

/** As the engine does it: greedy, with the distribution before any sampling. @returns one answer for each probe */
export async function answers(
  modelPath: string,
  setup: Setup,
  probes: readonly Probe[],
): Promise<ProbedToken[][]> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: setup.threads,
    progressLogs: false,
    logLevel: LlamaLogLevel.disabled,
  })
  try {
    const model = await llama.loadModel({ modelPath })
    const context = await model.createContext({
      contextSize: 256,
      batchSize: setup.batchTokens,
      threads: setup.threads,
      flashAttention: setup.flashAttention,
    })
    const template = new Template(
      String(model.fileInfo.metadata.tokenizer?.chat_template ?? "{{ messages[0]['content'] }}"),
    )
    const sequence = context.getSequence()
    const all: ProbedToken[][] = []
    for (const { question, maxTokens } of probes) {
      const messages = [{ role: 'user', content: question }]
      const prompt = model.tokenize(template.render({ messages, add_generation_prompt: true }), true)
      await sequence.clearHistory()
      if (setup.keptPrompt) {
        const half = prompt.slice(0, prompt.length >> 1)
        await sequence.evaluateWithoutGeneratingNewTokens([...half, ...half])
        await sequence.adaptStateToTokens(half, false)
      }
      all.push(
        await greedy(model, sequence, prompt.slice(sequence.nextTokenIndex), maxTokens, setup.batchTokens),
      )
    }
    return all
  } finally {
    await llama.dispose()
  }
}

const ALTERNATIVES = 4

async function greedy(
  model: LlamaModel,
  sequence: LlamaContextSequence,
  prompt: Token[],
  maxTokens: number,
  batchTokens: number,
): Promise<ProbedToken[]> {
  let position = 0
  while (prompt.length - position > batchTokens) {
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(position, position + batchTokens))
    position += batchTokens
  }
  let next = prompt.slice(position)
  const answer: ProbedToken[] = []
  const spelling = (token: Token) => model.fileInfo.metadata.tokenizer?.ggml.tokens[token] ?? ''
  const bytesOf = (token: Token) =>
    Buffer.from(tokenBytes(model.detokenize([token], true), spelling(token))).toString('hex')
  while (answer.length < maxTokens) {
    const last = next.at(-1)
    if (last === undefined) throw new Error('nothing to compute')
    const generateNext = {
      logits: { filter: { tokens: [], includeTop: ALTERNATIVES } },
      totalLogitWeight: true,
      options: { temperature: 0 },
    }
    const results = await sequence.controlledEvaluate([...next.slice(0, -1), [last, { generateNext }]])
    const { logits, totalLogitWeight } = results.at(-1)?.next ?? {}
    const best = [...(logits ?? [])].sort(([, a], [, b]) => b - a)
    const [first] = best
    if (!first || totalLogitWeight === undefined) throw new Error('the model gave no distribution')
    if (model.isEogToken(first[0])) break
    const logSum = first[1] + Math.log(totalLogitWeight)
    const top = best.map(([token, logit]) => ({
      bytes: bytesOf(token),
      logprob: Math.round((logit - logSum) * 1_000) / 1_000,
    }))
    const [chosen] = top
    if (!chosen) throw new Error('the model gave no distribution')
    answer.push({ ...chosen, top })
    next = [first[0]]
  }
  return answer
}
