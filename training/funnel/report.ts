import type { Proportion } from '../recursion/evaluate.ts'
import { intervalChart, lineChart } from './charts.ts'
import { type Block, htmlOf, markdownOf } from './document.ts'
import type { Estimate } from './statistics.ts'
import type { FunnelResult, PolicyResult, Study } from './study.ts'

export const markdownReport = (study: Study): string => markdownOf(blocksOf(study))
export const htmlReport = (study: Study): string => htmlOf(blocksOf(study))

/** Everything that the report was made of; outcomes as base64 of one bit per question, the first in the highest place. */
export function resultsJson(study: Study): unknown {
  return {
    ...study,
    funnels: study.funnels.map((result) => ({
      ...result,
      policies: result.policies.map((policy) => ({ ...policy, outcomes: packed(policy.outcomes) })),
    })),
  }
}

function packed(outcomes: readonly (0 | 1)[]): string {
  const bytes = new Uint8Array(Math.ceil(outcomes.length / 8))
  for (const [i, outcome] of outcomes.entries())
    if (outcome) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7))
  return Buffer.from(bytes).toString('base64')
}

const heading = (level: 1 | 2 | 3, text: string): Block => ({ kind: 'heading', level, text })
const paragraph = (text: string): Block => ({ kind: 'paragraph', text })
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`
const points = ({ value, low, high }: Estimate): string =>
  `${signed(100 * value)} [${signed(100 * low)}, ${signed(100 * high)}]`
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`
const rate = ({ rate: value, low, high }: Proportion): string =>
  `${percent(value)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`
const whole = (value: number): string =>
  String(Math.round(value)).replaceAll(/\B(?=(\d{3})+(?!\d))/g, '\u202f')

function blocksOf(study: Study): Block[] {
  const { options } = study
  return [
    heading(1, 'Two conversion funnels'),
    paragraph(
      `A Tiny Recursive Model beside simpler ways to decide, on made-up data whose rules are known. Every figure here was ` +
        `measured in one run of "npm run funnel". Questions: ${whole(options.count)} per funnel, drawn with seed ` +
        `${options.testSeed}, which nothing was chosen by. Everybody answers the same questions and meets the same outcomes ` +
        `(common random numbers). Brackets are 95 % intervals: Wilson for a rate, Agresti and Min for a difference over the ` +
        `same questions.`,
    ),
    ...(options.steps === null
      ? []
      : [paragraph(`Training was cut to ${options.steps} steps: a quick run, whose figures mean nothing.`)]),
    { kind: 'chart', svg: null, mermaid: FLOW },
    ...study.funnels.flatMap((result) => funnelBlocks(result, study)),
    ...hostBlocks(study),
    ...trialBlocks(study),
    heading(2, 'What failed, and what these figures do not say'),
    { kind: 'list', items: failures(study) },
    heading(2, 'Again'),
    paragraph(
      `npm run funnel -- --seeds ${options.seeds.join(',')} --test-seed ${options.testSeed} --count ${options.count} ` +
        `gives the same rates; times depend on the machine. results.json holds every outcome, one bit per question.`,
    ),
  ]
}

const FLOW = `flowchart LR
  data[Training data, 0/1 outcomes] --> train[Recursive model, by seed]
  data --> baselines[Logistic regression, random forest]
  questions[Unseen questions] --> decide{Who decides}
  train --> decide
  baselines --> decide
  rules[Greedy rule] --> decide
  decide --> outcomes[Same outcomes for all]
  questions --> host[Real host over HTTP]
  host --> ledger[Signed trades, TRM]
  host --> outcomes
  sentinel[Sentinel] --> host
  thermostat[Thermostat] --> trials[Default trials]
  sentinel --> trials`

function funnelBlocks(result: FunnelResult, { options }: Study): Block[] {
  const { funnel, policies, seeds, byStep } = result
  const chart = policies.map(({ name, conversion }) => ({ name, value: conversion.rate, ...conversion }))
  return [
    heading(2, funnel.title),
    paragraph(
      `A conversion means that ${funnel.success}. The recursive model was asked for ${percent(funnel.target)} or more ` +
        `(dashed). Value of a conversion: ${options.valueTrm} TRM, which is a choice and not a measurement. Profit counts ` +
        `what was booked where a host sold the decision, and FLOP / 10⁹ elsewhere.`,
    ),
    {
      kind: 'table',
      head: [
        'policy',
        'how',
        'questions',
        'conversion, %',
        'recursive model minus this, points',
        'FLOP per decision',
        'TRM booked per decision',
        'profit per 100 decisions, TRM',
      ],
      rows: policies.map(policyRow),
    },
    {
      kind: 'chart',
      svg: intervalChart(chart, funnel.target, `Conversion by policy, ${funnel.title}`),
      mermaid: barDiagram(policies),
    },
    heading(3, 'By seed of weights and training data'),
    {
      kind: 'table',
      head: [
        'seed',
        'recursive model',
        ...(seeds[0]?.others.map(({ name }) => name) ?? []),
        'training, TFLOP',
        'minutes here',
      ],
      rows: seeds.map(({ seed, recursive, others, trainingFlop, minutes }) => [
        String(seed),
        rate(recursive),
        ...others.map(({ conversion }) => percent(conversion.rate)),
        (trainingFlop / 1e12).toFixed(2),
        minutes.toFixed(1),
      ]),
    },
    heading(3, 'Training'),
    {
      kind: 'chart',
      svg: lineChart(
        seeds.map(({ seed, curve }) => ({
          name: `seed ${seed}`,
          points: curve.map(({ step, accuracy }) => ({ x: step, y: accuracy ?? 0 })),
        })),
        { x: 'training step', y: 'conversion on other unseen questions, first step', isShare: true },
      ),
      mermaid: curveDiagram(seeds[0]?.curve ?? []),
    },
    {
      kind: 'chart',
      svg: lineChart(
        seeds.map(({ seed, curve }) => ({
          name: `seed ${seed}`,
          points: curve.map(({ step, loss }) => ({ x: step, y: loss })),
        })),
        { x: 'training step', y: 'training loss', isShare: false },
      ),
      mermaid: null,
    },
    heading(3, 'By supervision step'),
    {
      kind: 'chart',
      svg: lineChart(
        [{ name: `seed ${seeds[0]?.seed}`, points: byStep.map((one, i) => ({ x: i + 1, y: one.rate })) }],
        { x: 'supervision step', y: 'conversion', isShare: true },
      ),
      mermaid: null,
    },
    paragraph(
      `After 1, 2, 4, 8 and 16 steps: ${[1, 2, 4, 8, 16].map((step) => percent(byStep[step - 1]?.rate ?? 0)).join(', ')}.`,
    ),
  ]
}

function policyRow({
  name,
  how,
  conversion,
  behind,
  flopPerDecision,
  bookedTrm,
  profitPer100,
}: PolicyResult): string[] {
  const { value, low, high } = profitPer100
  return [
    name,
    how,
    whole(conversion.count),
    rate(conversion),
    behind === null ? '–' : points(behind),
    whole(flopPerDecision),
    bookedTrm === null ? 'not sold' : bookedTrm.toFixed(2),
    `${whole(value)} [${whole(low)}, ${whole(high)}]`,
  ]
}

/** Mermaid reads no decimal signs but points, and no quotation marks in a name. */
function barDiagram(policies: readonly PolicyResult[]): string {
  const names = policies.map(({ name }) => `"${name}"`).join(', ')
  const values = policies.map(({ conversion }) => (100 * conversion.rate).toFixed(1)).join(', ')
  return `xychart-beta\n  title "Conversion, %"\n  x-axis [${names}]\n  y-axis "%" 0 --> 100\n  bar [${values}]`
}

function curveDiagram(curve: readonly { step: number; accuracy: number | null }[]): string {
  const steps = curve.map(({ step }) => `"${step}"`).join(', ')
  const values = curve.map(({ accuracy }) => (100 * (accuracy ?? 0)).toFixed(1)).join(', ')
  return `xychart-beta\n  title "Unseen questions by training step, first seed, %"\n  x-axis [${steps}]\n  y-axis "%" 0 --> 100\n  line [${values}]`
}

function hostBlocks({ funnels, host }: Study): Block[] {
  const { energy, sentinel, model } = host
  const joules = energy.measured_joules + energy.declared_joules
  const known =
    joules > 0
      ? `Energy of all jobs: ${joules.toFixed(1)} J (${energy.measured_joules.toFixed(1)} measured, ${energy.declared_joules.toFixed(1)} declared), unknown for ${energy.unknown_jobs} jobs.`
      : `Energy: unknown for all ${energy.unknown_jobs} jobs. This machine has no sensor and its owner declared nothing, so no cost in money is computed.`
  return [
    heading(2, 'Sold through a real host'),
    paragraph(
      `A host of this build with a new ledger sold these answers over its own HTTP API: reserved, metered, settled and ` +
        `signed by both sides. A guest paid for the recursive model, the owner's own key for the language model ${model}. ` +
        `A trade costs at least 1 TRM, which is 10⁹ FLOP.`,
    ),
    {
      kind: 'table',
      head: [
        'funnel',
        'sold',
        'the same answer as computed here',
        'training again gives the shipped file',
        'mean time, ms',
      ],
      rows: funnels.map(({ funnel, sold, reproduces }) => [
        funnel.name,
        String(sold.count),
        String(sold.equal),
        reproduces ? 'yes, byte for byte' : 'no',
        sold.meanLatencyMs.toFixed(1),
      ]),
    },
    paragraph(`${known} The host's sentinel afterwards: ${sentinel.level}. ${sentinel.reason}`),
  ]
}

function trialBlocks({ trials, breaches, options }: Study): Block[] {
  return [
    heading(2, 'Sentinel and thermostat'),
    paragraph(
      `The original's experiment, done again: ${options.trials} leads of funnel A one by one. The thermostat sets how many ` +
        `steps and which certainty end a thought; a success is worth 100, a call of the network costs 0.0001 on top of ` +
        `0.001, as there; the sentinel stops at 18 calls, a return of 0.25 net, 75 a day, 2 s or 5 failures in a row. The ` +
        `original stopped itself at call 29 of 200 and reported 10.0 %.`,
    ),
    {
      kind: 'table',
      head: [
        'seed',
        'conversion',
        'false pauses',
        'mean calls',
        'changes by the thermostat',
        'steps allowed at the end',
      ],
      rows: trials.map(({ seed, conversion, pauses, meanCalls, moves, depth }) => [
        String(seed),
        rate(conversion),
        String(pauses),
        meanCalls.toFixed(1),
        String(moves),
        String(depth.at(-1) ?? 0),
      ]),
    },
    {
      kind: 'chart',
      svg: lineChart(
        trials.map(({ seed, depth }) => ({
          name: `seed ${seed}`,
          points: depth.map((steps, i) => ({ x: i + 1, y: steps })),
        })),
        { x: 'trial', y: 'supervision steps that the thermostat allows', isShare: false },
      ),
      mermaid: null,
    },
    paragraph('Each guardrail breached on purpose, after fifty healthy jobs:'),
    {
      kind: 'table',
      head: ['guardrail', 'calls from the breach to the pause', 'reason given'],
      rows: breaches.map(({ guardrail, calls, reason }) => [
        guardrail,
        calls === null ? 'it did not pause as it should' : String(calls),
        reason,
      ]),
    },
  ]
}

/** What a reader has to be told that the tables alone would hide. */
function failures(study: Study): string[] {
  const { funnels, trials, breaches, host, options } = study
  const found = funnels.flatMap((result) => funnelFailures(result, options.asked))
  for (const { seed, pauses, reason } of trials) {
    if (pauses > 0) found.push(`Seed ${seed} paused ${pauses} times without a breach; first: ${reason}`)
  }
  for (const { guardrail, calls } of breaches) {
    if (calls === null) found.push(`The guardrail ${guardrail} did not pause on the call that breached it.`)
  }
  if (host.sentinel.level !== 'green') found.push(`The host's sentinel is ${host.sentinel.level}.`)
  return [
    ...found,
    'The recursive model costs thousands of times the FLOP of a logistic regression for one decision. Where both convert alike, the regression is the better choice.',
    'The random forest is a library’s: it draws features once per tree and each tree sees at most 1 000 examples, since its time grows with their square. A better forest may do better.',
    'The language model never saw the training data, so that it can only guess; it shows what asking one costs, not what a trained one could do.',
    'Both funnels are made-up data. Nothing here says how any of this would do with real leads.',
  ]
}

function funnelFailures(result: FunnelResult, asked: number): string[] {
  const { funnel, policies, seeds, sold, reproduces, speechless } = result
  const found: string[] = []
  for (const { seed, recursive } of seeds) {
    if (recursive.rate < funnel.target) {
      found.push(
        `${funnel.title}: seed ${seed} misses the target of ${percent(funnel.target)} with ${rate(recursive)}.`,
      )
    }
  }
  for (const { name, behind } of policies.slice(1)) {
    if (behind === null || name.endsWith(', sold')) continue
    if (behind.high < 0)
      found.push(`${funnel.title}: ${name} is better than the recursive model, by ${points(behind)} points.`)
    else if (behind.low <= 0) {
      found.push(
        `${funnel.title}: no difference between the recursive model and ${name} is shown (${points(behind)} points).`,
      )
    }
  }
  if (!reproduces) {
    found.push(
      `${funnel.title}: training again did not give the file that ships, so figures of the sold answers are of other weights.`,
    )
  }
  if (sold.equal < sold.count)
    found.push(`${funnel.title}: ${sold.count - sold.equal} sold answers differ from those computed here.`)
  if (speechless > 0) {
    found.push(
      `${funnel.title}: the language model gave no answer that could be read to ${speechless} of ${asked} questions; they count as not converted.`,
    )
  }
  return found
}
