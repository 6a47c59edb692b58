import type { Engine, JobRequest } from '../inference/index.ts'
import { hexFromBytes, utf8 } from '../kernel/index.ts'
import { type ProbedToken, probedTokens } from '../market/index.ts'
import type { ModelDesk } from './model-desk.ts'
import type { WeightHashes } from './weights.ts'

/** What the model says, with the distribution at every place. */
export interface HeldAnswer {
  tokens: ProbedToken[]
  /** The tokens' bytes are the text's: the text alone tells which tokens they were. */
  isPlain: boolean
}

/** The models that this host holds, as far as audits need them. */
export interface ModelHolder {
  /** Looks at what is on the disk now. */
  refresh(): Promise<void>
  holds(weights: string): boolean
  /** By the engine that serves, where it has that file; else by one that runs for it alone. @throws TiramiError */
  answer(weights: string, requests: readonly JobRequest[], signal: AbortSignal): Promise<HeldAnswer[]>
}

const TENANT = 'audit'

export function createModelHolder(
  desk: Pick<ModelDesk, 'engine' | 'file' | 'files' | 'openAside'>,
  hashes: WeightHashes,
): ModelHolder {
  let held = new Map<string, string>()
  const served = (): string | null => {
    const path = desk.file()
    return path === null ? null : hashes.of(path)
  }
  return {
    refresh: async () => {
      const files = await desk.files()
      const known = files.flatMap(({ path, sha256 }): [string, string][] => {
        const hash = sha256 ?? hashes.of(path)
        return hash === null ? [] : [[hash, path]]
      })
      held = new Map(known)
    },
    holds: (weights) => held.has(weights) || served() === weights,
    answer: async (weights, requests, signal) => {
      if (served() === weights) return answerAll(desk.engine, requests, signal)
      const path = held.get(weights)
      // What a record says of a file is believed only until the file is used.
      if (path === undefined || (hashes.of(path) ?? weights) !== weights)
        throw new Error('the file is not here')
      const engine = await desk.openAside(path)
      try {
        return await answerAll(engine, requests, signal)
      } finally {
        await engine.stop()
      }
    },
  }
}

async function answerAll(
  engine: Pick<Engine, 'generate'>,
  requests: readonly JobRequest[],
  signal: AbortSignal,
): Promise<HeldAnswer[]> {
  const answers: HeldAnswer[] = []
  for (const request of requests) answers.push(await answerOne(engine, request, signal))
  return answers
}

async function answerOne(
  engine: Pick<Engine, 'generate'>,
  request: JobRequest,
  signal: AbortSignal,
): Promise<HeldAnswer> {
  const job = { ...request, tenant: TENANT, priority: 'paid', cachePrompt: false } as const
  const tokens: ProbedToken[] = []
  let text = ''
  for await (const event of engine.generate(job, signal)) {
    if (event.type !== 'text') continue
    text += event.text
    tokens.push(...probedTokens(event.logprobs ?? []))
  }
  const spelt = tokens.map(({ bytes }) => bytes).join('')
  return { tokens, isPlain: spelt === hexFromBytes(utf8(text)) }
}
