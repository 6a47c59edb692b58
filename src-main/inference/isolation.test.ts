import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../kernel/index.ts'
import { writeTinyGguf } from '../models/testing/tiny-gguf.ts'
import { createEngine, type Engine, forkEngine, type GenerateRequest, type TokenLogprobs } from './index.ts'

/** Letters that no frame of a prompt contains: each is the secret of one tenant. */
const SECRETS = ['A', 'B', 'C', 'D', 'E', 'F', 'G']
const PREAMBLE = 'nnnnnnnnnn'
const SLOTS = 3
const JOBS = Number(process.env.TIRAMI_CANARY_JOBS ?? 140)
/** A leaked token stands out from those that were never seen by far more. */
const BASELINE_TOLERANCE = 0.01

let folder: string
let modelPath: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tirami-canary-'))
  modelPath = writeTinyGguf(join(folder, 'echo.gguf'), { echo: true, contextTokens: 512 })
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Run {
  leaks: string[]
  answers: number
  cancelled: number
  cachedTokens: number
}

/** Many tenants at once, each with its secret in the system prompt; some leave half-way, some want no cache. */
async function canary(engine: Engine, jobs: number, tenantOf: (index: number) => string): Promise<Run> {
  const random = seeded(4711)
  const run: Run = { leaks: [], answers: 0, cancelled: 0, cachedTokens: 0 }
  /** What each tenant has finished with the cache on, as one character per token. */
  const finished = new Map<number, string[]>()
  let left = jobs
  const visitor = async (): Promise<void> => {
    while (left-- > 0) await visit()
  }
  const visit = async (): Promise<void> => {
    const tenant = Math.floor(random() * SECRETS.length)
    const secret = SECRETS[tenant] ?? ''
    const system = PREAMBLE + secret.repeat(20 + Math.floor(random() * 40))
    const user = 'x'.repeat(1 + Math.floor(random() * 30))
    const leavesAfter = random() < 0.25 ? Math.floor(random() * 4) : Number.POSITIVE_INFINITY
    const cachePrompt = random() < 0.8
    const answer = await ask(
      engine,
      {
        prompt: {
          type: 'chat',
          turns: [
            { role: 'system', content: system },
            { role: 'user', content: user },
          ],
        },
        maxTokens: 1 + Math.floor(random() * 10),
        temperature: 1,
        topP: 1,
        stop: [],
        topLogprobs: 20,
        tenant: tenantOf(tenant),
        cachePrompt,
      },
      leavesAfter,
    )
    const prompt = `<system\n${system}>\n<user\n${user}>\n<assistant\n`
    const own = finished.get(tenant) ?? []
    run.leaks.push(...leaksIn(answer, secret, Math.max(0, ...own.map((text) => common(text, prompt)))))
    run.answers++
    run.cachedTokens += answer.cachedTokens
    if (!answer.finished) run.cancelled++
    else if (cachePrompt) finished.set(tenant, [...own, prompt + answer.text])
  }
  await Promise.all(Array.from({ length: SLOTS * 3 }, visitor))
  return run
}

interface Answer {
  text: string
  logprobs: TokenLogprobs[]
  cachedTokens: number
  finished: boolean
}

async function ask(engine: Engine, request: GenerateRequest, leavesAfter: number): Promise<Answer> {
  const answer: Answer = { text: '', logprobs: [], cachedTokens: 0, finished: false }
  let pieces = 0
  for await (const event of engine.generate(request, new AbortController().signal)) {
    if (event.type === 'text') {
      answer.text += event.text
      answer.logprobs.push(...(event.logprobs ?? []))
    }
    if (event.type === 'end') {
      answer.cachedTokens = event.cachedTokens
      answer.finished = true
    } else if (pieces++ >= leavesAfter) break
  }
  return answer
}

/** @param ownPrefix tokens that the tenant's own finished jobs have in common with this prompt. */
function leaksIn(answer: Answer, secret: string, ownPrefix: number): string[] {
  const leaks: string[] = []
  for (const other of SECRETS.filter((letter) => letter !== secret)) {
    if (answer.text.includes(other)) leaks.push(`${secret} was told ${other}`)
    for (const { top } of answer.logprobs) {
      const baseline = Math.min(...top.map(({ logprob }) => logprob))
      const seen = top.find(({ token }) => token === other)
      if (seen && seen.logprob > baseline + BASELINE_TOLERANCE) leaks.push(`${secret} could see ${other}`)
    }
  }
  if (answer.cachedTokens > ownPrefix) {
    leaks.push(`${secret} had ${answer.cachedTokens} tokens cached, of which ${ownPrefix} were its own`)
  }
  return leaks
}

/** Length of the beginning that both texts share. */
function common(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

async function withEngine<Result>(entry: string, use: (engine: Engine) => Promise<Result>): Promise<Result> {
  const engine = createEngine({
    spawn: forkEngine(new URL(entry, import.meta.url)),
    modelPath,
    contextTokens: 512,
    slots: SLOTS,
    threads: 1,
    gpu: 'cpu',
    clock: systemClock,
  })
  await engine.start()
  try {
    return await use(engine)
  } finally {
    await engine.stop()
  }
}

describe('secrets of tenants', () => {
  test('are never seen by another, with a cache under pressure and readers who leave', async () => {
    const run = await withEngine('./engine/entry.ts', (engine) =>
      canary(engine, JOBS, (index) => `tenant ${index}`),
    )
    expect(run.leaks).toEqual([])
    expect(run.answers).toBe(JOBS)
    // The canary says nothing when nothing was cached, or nobody left.
    expect(run.cachedTokens).toBeGreaterThan(0)
    expect(run.cancelled).toBeGreaterThan(0)
  })

  test('would be found out if sequences were not wiped', async () => {
    const run = await withEngine('./testing/leaking-entry.ts', (engine) =>
      canary(engine, 30, (index) => `tenant ${index}`),
    )
    expect(run.leaks.filter((leak) => leak.includes('could see')).length).toBeGreaterThan(0)
  })

  test('would be found out if tenants shared a cache', async () => {
    const run = await withEngine('./engine/entry.ts', (engine) => canary(engine, 30, () => 'everybody'))
    expect(run.leaks.filter((leak) => leak.includes('cached')).length).toBeGreaterThan(0)
  })
})
