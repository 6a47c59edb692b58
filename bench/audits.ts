/**
 * How surely an audit tells another model, or a cheaper quantisation, from the same file on other hardware. Tolerances
 * are looked for on one set of prompts, and reported on another. `node bench/audits.ts [--probes N]
 * [--threaded N]` writes the tables into docs/audits.md. Models are made here from seeds; the shipped one is quantised anew.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  AUDIT_TOLERANCE,
  type Comparison,
  compareAnswers,
  type ProbedToken,
  probeRequest,
} from '../src-main/market/index.ts'
import { answers, PLAIN, type Probe, type Setup } from './audit-engine.ts'
import {
  disturbed,
  type Format,
  firstLayers,
  randomWeights,
  readWeights,
  type Shape,
  type Weights,
  writeWeights,
} from './audit-models.ts'

const { values } = parseArgs({
  options: { probes: { type: 'string', default: '60' }, threaded: { type: 'string', default: '60' } },
})
/** To report on; a third as many to choose by. */
const PROBES = Number(values.probes)
const CHOSEN_BY = Math.ceil(PROBES / 3)
/** On two threads: where other programs hold the cores, waiting for each other takes them minutes. */
const THREADED = Math.min(PROBES, Number(values.threaded))
const root = resolve(import.meta.dirname, '..')
const REPORT = join(root, 'docs/audits.md')
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-audits-'))

const SMALL: Shape = { layers: 4, embedding: 192, heads: 6, kvHeads: 2, feedForward: 512, vocabulary: 1024 }
const DEEP: Shape = { layers: 16, embedding: 128, heads: 4, kvHeads: 4, feedForward: 384, vocabulary: 1024 }

const shipped = await readWeights(join(root, 'resources/models/concierge.gguf'))
const [small, smallAnew, deep] = [randomWeights(SMALL, 1), randomWeights(SMALL, 2), randomWeights(DEEP, 3)]
const SLIGHTLY_OFF = 'shipped, weights off by 1 %'
const NETWORKS: Record<string, Weights> = {
  shipped,
  [SLIGHTLY_OFF]: disturbed(shipped, 0.01, 4),
  small,
  'small, another seed': smallAnew,
  deep,
  'deep, 15 of 16 layers': firstLayers(deep, DEEP, 15),
}

/** What the provider stands by, and what it serves. */
const PAIRS: [network: string, format: Format, served: string, servedFormat: Format][] = [
  ['shipped', 'F16', 'shipped', 'Q8_0'],
  ['shipped', 'Q8_0', 'shipped', 'Q5_0'],
  ['shipped', 'Q8_0', 'shipped', 'Q4_1'],
  ['shipped', 'Q8_0', 'shipped', 'Q4_0'],
  ['shipped', 'Q5_0', 'shipped', 'Q4_0'],
  ['shipped', 'Q8_0', SLIGHTLY_OFF, 'Q8_0'],
  ['small', 'F16', 'small', 'Q8_0'],
  ['small', 'Q8_0', 'small', 'Q5_0'],
  ['small', 'Q8_0', 'small', 'Q4_0'],
  ['small', 'Q8_0', 'small, another seed', 'Q8_0'],
  ['deep', 'F16', 'deep', 'Q8_0'],
  ['deep', 'Q8_0', 'deep', 'Q4_0'],
  ['deep', 'Q8_0', 'deep, 15 of 16 layers', 'Q8_0'],
]

/** The same file, computed in another way. */
const WAYS: [name: string, setup: Setup][] = [
  ['batches of 512', { ...PLAIN, batchTokens: 512 }],
  ['flash attention', { ...PLAIN, flashAttention: true }],
  ['half of the prompt kept', { ...PLAIN, keptPrompt: true }],
  ['all of these', { ...PLAIN, batchTokens: 512, flashAttention: true, keptPrompt: true }],
]

/** The same for a seed. */
function questions(seed: string, count: number): Probe[] {
  let drawn = 0
  const bytes = (length: number) =>
    new Uint8Array(createHash('sha512').update(`${seed} ${drawn++}`).digest().subarray(0, length))
  return Array.from({ length: count }, () => {
    const { prompt, maxTokens } = probeRequest({ bytes }, 'logprobs')
    if (prompt.type !== 'chat') throw new Error('a probe is a question')
    return { question: prompt.turns[0]?.content ?? '', maxTokens }
  })
}

const calibration = questions('to choose by', CHOSEN_BY)
const held = questions('to report on, drawn after the tolerance was set', PROBES)
const all = [...calibration, ...held]

/** One answer per question; none where it was not asked. */
type Answers = (ProbedToken[] | undefined)[]

const known = new Map<string, Promise<Answers>>()
function computed(network: string, format: Format, setup: Setup = PLAIN): Promise<Answers> {
  const key = JSON.stringify([network, format, setup])
  const made = known.get(key) ?? compute(network, format, setup)
  known.set(key, made)
  return made
}

async function compute(network: string, format: Format, setup: Setup): Promise<Answers> {
  const weights = NETWORKS[network]
  if (!weights) throw new Error(`no network ${network}`)
  const path = join(scratch, `${network}-${format}.gguf`)
  if (!existsSync(path)) writeWeights(path, weights, format)
  const threaded = setup.threads > 1
  const made = await answers(path, setup, threaded ? held.slice(0, THREADED) : all)
  process.stderr.write('.')
  return threaded ? [...calibration.map(() => undefined), ...made] : made
}

interface Row {
  name: string
  /** Of the prompts that were not chosen by. */
  compared: Comparison[]
  byText: Comparison[]
  meanDeltas: { chosenBy: number[]; reported: number[] }
}

const NO_TOLERANCE = { ...AUDIT_TOLERANCE, meanDeltaNats: Number.POSITIVE_INFINITY }
const textOf = (tokens: ProbedToken[]) => Buffer.from(tokens.map(({ bytes }) => bytes).join(''), 'hex')

function row(name: string, expected: Answers, observed: Answers): Row {
  const pairs = expected.map((own, at) => ({ own: own ?? [], other: observed[at], at }))
  const asked = pairs.flatMap(({ own, other, at }) => (other ? [{ own, other, at }] : []))
  const [chosenBy, reported] = [
    asked.filter(({ at }) => at < CHOSEN_BY),
    asked.filter(({ at }) => at >= CHOSEN_BY),
  ]
  const mean = ({ own, other }: (typeof asked)[number]) =>
    compareAnswers(own, { tokens: other }, NO_TOLERANCE).meanDeltaNats ?? 0
  return {
    name,
    compared: reported.map(({ own, other }) => compareAnswers(own, { tokens: other })),
    byText: reported.map(({ own, other }) => compareAnswers(own, { text: textOf(other) })),
    meanDeltas: { chosenBy: chosenBy.map(mean), reported: reported.map(mean) },
  }
}

const startedMs = performance.now()
const honest: Row[] = []
for (const [network, format] of [
  ['shipped', 'Q8_0'],
  ['shipped', 'F16'],
  ['shipped', 'Q4_0'],
  ['small', 'Q8_0'],
  ['deep', 'Q8_0'],
] as const) {
  const expected = await computed(network, format)
  for (const [way, setup] of WAYS) {
    honest.push(row(`${network} ${format}, ${way}`, expected, await computed(network, format, setup)))
  }
}
const cheating: Row[] = []
/** No further off than the same file may be: 8-bit weights in place of 16-bit ones, and weights that are off by little. */
const near: Row[] = []
for (const [network, format, served, servedFormat] of PAIRS) {
  const name = `${network} ${format} | ${served} ${servedFormat}`
  const isNear = servedFormat === 'Q8_0' && (network === served || served === SLIGHTLY_OFF)
  const rows = isNear ? near : cheating
  rows.push(row(name, await computed(network, format), await computed(served, servedFormat)))
}
report()
if (THREADED > 0) {
  // One file shows it: what threads change is the order of work, not what is added to what.
  const threads = await computed('shipped', 'Q8_0', { ...PLAIN, threads: 2 })
  honest.push(row('shipped Q8_0, 2 threads', await computed('shipped', 'Q8_0'), threads))
  report()
}
rmSync(scratch, { recursive: true })

function report(): void {
  const tables = `${availableParallelism()} cores of ${cpus()[0]?.model.trim() || 'an unnamed processor'}, Node ${process.versions.node}. ${CHOSEN_BY} questions to
choose by and ${PROBES} others to report on for every line (one for two threads: ${THREADED}), ${((performance.now() - startedMs) / 1_000).toFixed(0)} s. In brackets: 95 % by Wilson's score.

**Tolerance.** On the questions to choose by, the mean of one probe differed by at most ${nats(largest(honest))} nats for
the same file computed in another way, by ${nats(smallest(near))} to ${nats(largest(near))} for files that are not told apart,
and by at least ${nats(smallest(cheating))} for every other file. In force: ${AUDIT_TOLERANCE.meanDeltaNats} nats in the mean, ${AUDIT_TOLERANCE.tieNats} for a token that
is chosen in place of the best.

**The same file, computed in another way**: false rejections. In all ${sum(honest, (r) => r.compared, 'failed')};
by the text alone ${sum(honest, (r) => r.byText, 'failed')}.

| file and way | median, nats | largest | rejected | rejected by text alone |
|---|---|---|---|---|
${honest.map((line) => tableRow(line, 'failed', [0.5, 1])).join('\n')}

**Another file than the named one**: false acceptances. In all ${sum(cheating, (r) => r.compared, 'passed')};
by the text alone ${sum(cheating, (r) => r.byText, 'passed')}.

| named | served | smallest, nats | median | accepted | accepted by text alone |
|---|---|---|---|---|---|
${cheating.map((line) => tableRow(line, 'passed', [0, 0.5])).join('\n')}

**Not told apart**: no further off than the same file may be.

| named | served | smallest, nats | median | accepted | accepted by text alone |
|---|---|---|---|---|---|
${near.map((line) => tableRow(line, 'passed', [0, 0.5])).join('\n')}
`
  const [before = '', rest = ''] = readFileSync(REPORT, 'utf8').split('<!-- measured -->\n')
  const [, after = ''] = rest.split('<!-- end of measured -->')
  writeFileSync(REPORT, `${before}<!-- measured -->\n${tables}<!-- end of measured -->${after}`)
  console.log(`\n${tables}`)
}

function tableRow({ name, compared, byText, meanDeltas }: Row, verdict: Verdict, shares: number[]): string {
  const spread = shares.map((share) => nats(quantile(meanDeltas.reported, share)))
  const rates = [compared, byText].map((list) => rate(count(list, verdict), list.length))
  return `| ${[name, ...spread, ...rates].join(' | ')} |`
}

/** Wilson's score interval at 95 %. */
function wilson(hits: number, count: number): [number, number] {
  const z = 1.96
  const share = hits / count
  const middle = (share + (z * z) / (2 * count)) / (1 + (z * z) / count)
  const half =
    (z / (1 + (z * z) / count)) * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count))
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

function rate(hits: number, count: number): string {
  const [low, high] = wilson(hits, count)
  return `${hits} of ${count}: ${percent(hits / count)} (${percent(low)} to ${percent(high)})`
}
type Verdict = Comparison['verdict']

function count(compared: Comparison[], verdict: Verdict): number {
  return compared.filter((comparison) => comparison.verdict === verdict).length
}

function sum(rows: Row[], of: (row: Row) => Comparison[], verdict: Verdict): string {
  const list = rows.flatMap(of)
  return rate(count(list, verdict), list.length)
}

function quantile(numbers: number[], share: number): number {
  const place = Math.min(numbers.length - 1, Math.floor(share * numbers.length))
  return numbers.toSorted((a, b) => a - b)[place] ?? 0
}

function largest(rows: Row[]): number {
  return Math.max(...rows.flatMap(({ meanDeltas }) => meanDeltas.chosenBy))
}

function smallest(rows: Row[]): number {
  return Math.min(...rows.flatMap(({ meanDeltas }) => meanDeltas.chosenBy))
}

function nats(value: number): string {
  return value.toFixed(4)
}
