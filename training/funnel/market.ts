import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Funnel } from './funnels.ts'

const ROOT = join(import.meta.dirname, '../..')

const Ready = z.object({ event: z.literal('ready'), api: z.url(), apiKeyFile: z.string(), model: z.string() })
const Cost = z.object({ trm_cost: z.number(), flops: z.number() })
const Reasoned = z.object({ answer: z.unknown(), latency_ms: z.number(), x_tirami: Cost })
const Chatted = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullable() }) })).min(1),
  x_tirami: Cost,
})
const Issued = z.object({ token: z.string() })
const Spender = z.object({ node_id: z.string() })
const Energy = z.object({
  measured_joules: z.number(),
  declared_joules: z.number(),
  unknown_jobs: z.number(),
})
const Sentinel = z.object({ level: z.enum(['green', 'amber', 'red']), reason: z.string() })

/** What selling through a host brought. Sums are over `answers`. */
export interface Sale {
  readonly answers: readonly unknown[]
  readonly amountTrm: number
  readonly flop: number
  readonly latencyMs: number
}

/** What the host itself says after all sales. */
export interface HostAccount {
  readonly model: string
  readonly energy: z.infer<typeof Energy>
  readonly sentinel: z.infer<typeof Sentinel>
}

export interface Market {
  readonly model: string
  /** The recursive model's answers, paid by a guest of the host. */
  buyThoughts(funnel: Funnel, inputs: readonly unknown[]): Promise<Sale>
  /** The served language model's words, paid by the owner's key; null where it gave none. */
  buyWords(funnel: Funnel, inputs: readonly unknown[]): Promise<Sale>
  account(): Promise<HostAccount>
  close(): Promise<void>
}

/** A real host of this build in a directory of its own, with a new ledger. */
export async function openMarket(options: { declaredPowerW: number | null }): Promise<Market> {
  const directory = mkdtempSync(join(tmpdir(), 'tirami-funnel-'))
  if (options.declaredPowerW !== null) {
    writeFileSync(
      join(directory, 'settings.json'),
      JSON.stringify({ declaredPowerW: options.declaredPowerW }),
      {
        mode: 0o600,
      },
    )
  }
  const { child, line } = await firstLine([
    join(ROOT, 'out/main/headless.js'),
    '--data-dir',
    directory,
    '--port',
    '0',
  ])
  const ready = Ready.parse(JSON.parse(line))
  const ownKey = readFileSync(ready.apiKeyFile, 'utf8').trim()
  const call = (path: string, body: unknown, key = ownKey) => request(`${ready.api}${path}`, key, body)
  // A host without a stake may sell to strangers for a while when it has claimed its welcome.
  await call('/tirami/agent/claim-welcome', {})
  return {
    model: ready.model,
    async buyThoughts(funnel, inputs) {
      const token = await guest(call)
      return sale(inputs, async (input) => {
        const body = { task: funnel.task.name, input, effort: 'medium' }
        const { answer, latency_ms, x_tirami } = Reasoned.parse(await call('/tirami/reason', body, token))
        return { answer, latencyMs: latency_ms, cost: x_tirami }
      })
    },
    buyWords: (funnel, inputs) =>
      sale(inputs, async (input) => {
        const startMs = performance.now()
        const body = {
          model: ready.model,
          messages: [{ role: 'user', content: funnel.prompt(input) }],
          temperature: 0,
          max_tokens: ANSWER_TOKENS,
        }
        const { choices, x_tirami } = Chatted.parse(await call('/chat/completions', body))
        const answer = funnel.readWords(choices[0]?.message.content ?? '')
        return { answer, latencyMs: performance.now() - startMs, cost: x_tirami }
      }),
    account: async () => ({
      model: ready.model,
      energy: Energy.parse(await call('/tirami/energy', undefined)),
      sentinel: Sentinel.parse(await call('/tirami/sentinel', undefined)),
    }),
    close: async () => {
      await ended(child)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const ANSWER_TOKENS = 24

/** Somebody with an account of his own, whose haste the owner has allowed. */
async function guest(call: (path: string, body: unknown, key?: string) => Promise<unknown>): Promise<string> {
  const { token } = Issued.parse(await call('/tirami/tokens/issue', { scope: 'inference', label: 'funnel' }))
  const { node_id } = Spender.parse(await call('/tirami/safety', undefined, token))
  await call('/tirami/policy', { node_id, max_requests_per_minute: null })
  return token
}

async function sale(
  inputs: readonly unknown[],
  buy: (input: unknown) => Promise<{ answer: unknown; latencyMs: number; cost: z.infer<typeof Cost> }>,
): Promise<Sale> {
  const answers: unknown[] = []
  let [amountTrm, flop, latencyMs] = [0, 0, 0]
  for (const input of inputs) {
    const bought = await buy(input)
    answers.push(bought.answer)
    amountTrm += bought.cost.trm_cost
    flop += bought.cost.flops
    latencyMs += bought.latencyMs
  }
  return { answers, amountTrm, flop, latencyMs }
}

const WAIT_MS = 250
const WAITS_MAX = 1200

/** The host takes so many requests a second from one caller, and none while one of its owner's rules speaks against it. */
const isForNow = (status: number, answer: string): boolean =>
  status === 429 || (status === 503 && answer.includes('host_not_earning'))

async function request(url: string, key: string, body: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  for (let waits = 0; ; waits++) {
    const response = await fetch(
      url,
      body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
    )
    const answer = await response.text()
    if (response.ok) return JSON.parse(answer)
    if (waits >= WAITS_MAX || !isForNow(response.status, answer)) {
      throw new Error(`${new URL(url).pathname} answered ${response.status}: ${answer}`)
    }
    await sleep(WAIT_MS)
  }
}

function firstLine(args: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) resolve({ child, line })
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`the host ended with ${code} before it was ready`)))
  })
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.on('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
