import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Lead, type Opportunity, TASKS } from '../src-main/recursion/index.ts'
import { readTelemetry, verifyTelemetry } from '../src-main/telemetry/index.ts'
import { root, temporaryDirectory } from './support/host.ts'

// The quick variant of `npm run funnel`, end to end: training, baselines, a real host with its language model, sentinel and
// thermostat. Its figures mean nothing; that they are what the outcomes say does.

interface Rate {
  successes: number
  count: number
  rate: number
  low: number
  high: number
}
interface Policy {
  name: string
  conversion: Rate
  behind: { value: number; low: number; high: number } | null
  flopPerDecision: number
  bookedTrm: number | null
  profitPer100: { value: number }
  outcomes: string
}
interface Results {
  options: { testSeed: number; count: number; valueTrm: number; trials: number }
  funnels: {
    funnel: { name: string }
    policies: Policy[]
    seeds: { curve: { step: number }[] }[]
    byStep: Rate[]
    sold: { count: number; equal: number }
  }[]
  host: { sentinel: { level: string }; energy: { unknown_jobs: number } }
  trials: { pauses: number; conversion: Rate; depth: number[] }[]
  breaches: { guardrail: string; calls: number | null }[]
}

const out = temporaryDirectory()
let results: Results
let markdown = ''
let html = ''

beforeAll(async () => {
  const child = spawn(
    process.execPath,
    [join(root, 'training/funnel/run.ts'), '--quick', '--threads', '1', '--out', out.path],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
  )
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0)
  const read = (name: string) => readFileSync(join(out.path, name), 'utf8')
  results = JSON.parse(read('results.json'))
  markdown = read('report.md')
  html = read('report.html')
}, 600_000)
afterAll(() => out.remove())

function bits({ outcomes, conversion }: Policy): number[] {
  const bytes = Buffer.from(outcomes, 'base64')
  return Array.from({ length: conversion.count }, (_, i) => ((bytes[i >> 3] ?? 0) >> (7 - (i & 7))) & 1)
}

const Z = 1.959963984540054

/** The ends of Wilson's interval are the rates from which the observed one lies as far as the quantile says. */
function wilsonEnd(successes: number, count: number, side: -1 | 1): number {
  const observed = successes / count
  let [near, far] = [observed, side < 0 ? 0 : 1]
  for (let i = 0; i < 80; i += 1) {
    const middle = (near + far) / 2
    const within = Math.abs(observed - middle) <= Z * Math.sqrt((middle * (1 - middle)) / count)
    if (within) near = middle
    else far = middle
  }
  return near
}

const percent = (value: number): string => (100 * value).toFixed(1)
const policiesOf = (name: string): Policy[] =>
  results.funnels.find(({ funnel }) => funnel.name === name)?.policies ?? []
const policy = (name: string, who: string): Policy => {
  const found = policiesOf(name).find((one) => one.name === who)
  if (!found) throw new Error(`no ${who}`)
  return found
}

describe('npm run funnel -- --quick', () => {
  it('reports the rates and intervals that its outcomes have', () => {
    for (const { policies } of results.funnels) {
      expect(policies.length).toBeGreaterThanOrEqual(6)
      for (const one of policies) {
        const { successes, count, rate, low, high } = one.conversion
        expect(bits(one).reduce((sum, bit) => sum + bit, 0)).toBe(successes)
        expect(rate).toBeCloseTo(successes / count, 12)
        expect(low).toBeCloseTo(wilsonEnd(successes, count, -1), 6)
        expect(high).toBeCloseTo(wilsonEnd(successes, count, 1), 6)
        const row = markdown.split('\n').find((line) => line.startsWith(`| ${one.name} |`))
        expect(row).toBeDefined()
        const shown = `${percent(rate)} % [${percent(low)}, ${percent(high)}]`
        expect(markdown).toContain(`| ${one.name} |`)
        expect(markdown).toContain(shown)
        expect(html).toContain(shown)
      }
    }
  })

  it('compares over the same questions', () => {
    for (const { policies } of results.funnels) {
      const [own, ...others] = policies
      if (!own) throw new Error('nothing was studied')
      expect(own).toMatchObject({ name: 'recursive model', behind: null })
      for (const other of others) {
        const [mine, theirs] = [bits(own), bits(other)]
        const differences = theirs.map((bit, i) => (mine[i] ?? 0) - bit)
        const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length
        expect(other.behind?.value).toBeCloseTo(mean, 12)
        expect(other.behind?.low).toBeLessThan(mean)
        expect(other.behind?.high).toBeGreaterThan(mean)
      }
    }
  })

  it('decided the greedy outcomes as the rules say, on questions drawn again here', () => {
    const { count, testSeed } = results.options
    const leads = TASKS.get('funnel-classification')?.testItems(count, testSeed) ?? []
    expect(bits(policy('funnel-classification', 'greedy'))).toEqual(
      leads.map(({ input, score }) => {
        const [a = 0, b = 0] = (input as Lead).features
        return score({ converts: a + b > 0 })
      }),
    )
    const opportunities = TASKS.get('funnel-choice')?.testItems(count, testSeed) ?? []
    expect(bits(policy('funnel-choice', 'greedy'))).toEqual(
      opportunities.map(({ input, score }) => {
        const impacts = (input as Opportunity).candidates.map(({ impact }) => impact)
        return score({ choice: impacts.indexOf(Math.max(...impacts)) })
      }),
    )
  })

  it('has baselines that learned something', () => {
    for (const { policies } of results.funnels) {
      const rateOf = (name: string) => policies.find((one) => one.name === name)?.conversion.rate ?? 0
      expect(rateOf('logistic regression')).toBeGreaterThan(rateOf('greedy'))
      expect(rateOf('random forest')).toBeGreaterThan(0.5)
    }
    expect(policy('funnel-choice', 'ceiling').conversion.rate).toBeGreaterThan(
      policy('funnel-choice', 'greedy').conversion.rate,
    )
  })

  it('sold real answers: what the host answered is what its weights say, and a trade costs what it took', () => {
    for (const { sold, policies } of results.funnels) {
      expect(sold.equal).toBe(sold.count)
      for (const { name, bookedTrm, flopPerDecision } of policies) {
        if (!name.endsWith(', sold')) expect(bookedTrm).toBeNull()
        else {
          expect(bookedTrm).toBeGreaterThanOrEqual(Math.max(1, flopPerDecision / 1e9))
          expect(bookedTrm).toBeLessThan(1 + flopPerDecision / 1e9)
        }
      }
    }
    expect(results.host.sentinel.level).toBe('green')
  })

  it('counts profit from rate, value and cost alone', () => {
    for (const { policies } of results.funnels) {
      for (const { conversion, bookedTrm, flopPerDecision, profitPer100 } of policies) {
        const cost = bookedTrm ?? flopPerDecision / 1e9
        expect(profitPer100.value).toBeCloseTo(100 * (conversion.rate * results.options.valueTrm - cost), 6)
      }
    }
  })

  it('leaves its summaries in a hash-chained log', async () => {
    const directory = join(out.path, 'telemetry')
    expect(await verifyTelemetry(directory)).toMatchObject({ ok: true, events: results.funnels.length })
    const summaries = new Map<unknown, unknown>()
    for await (const { payload } of readTelemetry(directory)) {
      summaries.set(payload.simulation, payload.strategies)
    }
    for (const { funnel, policies } of results.funnels) {
      const strategies = summaries.get(funnel.name) as Record<string, Record<string, number>>
      expect(Object.keys(strategies)).toHaveLength(policies.length)
      const { conversion, flopPerDecision } = policy(funnel.name, 'recursive model')
      const { attempts, conversions, total_cost = 0, gmv = 0, profit } = strategies['recursive-model'] ?? {}
      expect([attempts, conversions]).toEqual([conversion.count, conversion.successes])
      expect(total_cost).toBeCloseTo((conversion.count * flopPerDecision) / 1e9, 6)
      expect([gmv, profit]).toEqual([conversion.successes * results.options.valueTrm, gmv - total_cost])
    }
  })

  it('pauses for no reason never, and within one call when a guardrail is breached on purpose', () => {
    expect(results.trials.length).toBeGreaterThan(0)
    for (const { pauses, conversion, depth } of results.trials) {
      expect(pauses).toBe(0)
      expect([conversion.count, depth.length]).toEqual([200, 200])
    }
    expect(results.breaches.map(({ guardrail }) => guardrail)).toEqual([
      'daily budget',
      'recursion',
      'metrics',
      'latency',
      'return',
      'failure streak',
    ])
    for (const { calls } of results.breaches) expect(calls).toBe(1)
  })

  it('writes a page that needs nothing else, and diagrams', () => {
    expect(html).toMatch(/<svg /)
    expect(html).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import|\bon\w+=/i)
    expect(markdown.match(/```mermaid/g)?.length).toBeGreaterThanOrEqual(5)
    expect(markdown).toContain('a quick run, whose figures mean nothing')
    expect(results.funnels.map(({ seeds }) => seeds[0]?.curve.at(-1)?.step)).toEqual([60, 60])
  })
})
