import { FLOP_PER_TRM, hexFromBytes, sha256 } from '../../src-main/kernel/index.ts'
import type { AnyTask } from '../../src-main/recursion/index.ts'
import { evaluate, type Proportion, proportion, readCheckpoint } from '../recursion/evaluate.ts'
import { FUNNELS, type Funnel } from './funnels.ts'
import { type HostAccount, type Market, openMarket, type Sale } from './market.ts'
import { askRecursive, type CurvePoint, type Training, train } from './recursive.ts'
import { type Estimate, pairedDifference } from './statistics.ts'
import { type Breach, breachAll, runTrials, type Trials } from './trials.ts'

export interface StudyOptions {
  /** Of weights and training data; the first one's is compared with what ships and sold. */
  readonly seeds: readonly number[]
  /** Of the questions. */
  readonly testSeed: number
  /** Questions that everybody who is not sold answers. */
  readonly count: number
  /** Of these, how many the host sells; the language model is asked fewer, since it is slow. */
  readonly sold: number
  readonly asked: number
  readonly trials: number
  readonly trees: number
  /** Training steps instead of the recipe's; null for those. */
  readonly steps: number | null
  readonly curveCount: number
  readonly threads: number
  /** What the owner declares of his machine; null: nothing, so energy is known only where a sensor is. */
  readonly declaredPowerW: number | null
  /** What one conversion is worth to the owner: the one figure here that is a choice and not a measurement. */
  readonly valueTrm: number
}

type Outcomes = readonly (0 | 1)[]

export interface PolicyResult {
  readonly name: string
  readonly how: string
  readonly conversion: Proportion
  /** The recursive model's conversion minus this one's, on the same questions; null for itself. */
  readonly behind: Estimate | null
  readonly flopPerDecision: number
  /** TRM booked per decision; null where no host sold it. */
  readonly bookedTrm: number | null
  /** TRM per hundred decisions, at the chosen value of a conversion. */
  readonly profitPer100: Estimate
  /** 1 and 0 in the order of the questions. */
  readonly outcomes: Outcomes
}

export interface SeedResult {
  readonly seed: number
  readonly recursive: Proportion
  readonly others: readonly { readonly name: string; readonly conversion: Proportion }[]
  readonly curve: readonly CurvePoint[]
  readonly trainingFlop: number
  readonly minutes: number
}

export interface FunnelResult {
  readonly funnel: Pick<Funnel, 'title' | 'success' | 'target'> & { readonly name: string }
  readonly policies: readonly PolicyResult[]
  readonly seeds: readonly SeedResult[]
  /** Conversion after 1, 2, … supervision steps, with the first seed's weights. */
  readonly byStep: readonly Proportion[]
  /** Whether training again gave the very file that ships. */
  readonly reproduces: boolean
  /** Questions that the host sold an answer to, and how many of them equal the ones computed here with its weights. */
  readonly sold: { readonly count: number; readonly equal: number; readonly meanLatencyMs: number }
  /** Of the questions to the language model, those that it gave no answer to. */
  readonly speechless: number
}

export interface Study {
  readonly options: StudyOptions
  readonly funnels: readonly FunnelResult[]
  readonly host: HostAccount
  readonly trials: readonly Trials[]
  readonly breaches: readonly Breach[]
}

export async function runStudy(options: StudyOptions, say: (line: string) => void): Promise<Study> {
  const market = await openMarket(options)
  try {
    const funnels: FunnelResult[] = []
    let trials: Trials[] = []
    let breaches: Breach[] = []
    for (const funnel of FUNNELS) {
      const trainings: Training[] = []
      for (const seed of options.seeds) {
        say(`${funnel.title}: training, seed ${seed}`)
        trainings.push(await train(funnel, seed, options))
      }
      funnels.push(await studyFunnel(funnel, trainings, market, options, say))
      if (funnel.task.name !== 'funnel-classification') continue
      say('sentinel and thermostat')
      trials = trainings.map((training) => runTrials(funnel, training, options.trials, options.testSeed))
      const { inner = 0, outer = 0 } = trainings[0]?.cycles ?? {}
      breaches = breachAll(outer * (inner + 1))
    }
    return { options, funnels, host: await market.account(), trials, breaches }
  } finally {
    await market.close()
  }
}

type Items = ReturnType<AnyTask['testItems']>

const scoresOf = (items: Items, answers: readonly unknown[]): Outcomes =>
  answers.map((answer, i) => (answer === null ? 0 : (items[i]?.score(answer) ?? 0)))

const rateOf = (outcomes: Outcomes): Proportion =>
  proportion(outcomes.filter((outcome) => outcome === 1).length, outcomes.length)

async function studyFunnel(
  funnel: Funnel,
  trainings: readonly Training[],
  market: Market,
  options: StudyOptions,
  say: (line: string) => void,
): Promise<FunnelResult> {
  const items = funnel.task.testItems(options.count, options.testSeed)
  const inputs = items.map(({ input }) => input)
  const seeds: SeedResult[] = []
  const firstSeed: PolicyResult[] = []
  for (const training of trainings) {
    say(`${funnel.title}: baselines and ${items.length} questions, seed ${training.seed}`)
    const asked = askRecursive(funnel, training, inputs)
    const own = scoresOf(items, asked.answers)
    const others = funnel.baselines(training.seed, options.trees).map((decider) => ({
      decider,
      outcomes: scoresOf(items, decider.decide(inputs)),
    }))
    seeds.push({
      seed: training.seed,
      recursive: rateOf(own),
      others: others.map(({ decider, outcomes }) => ({ name: decider.name, conversion: rateOf(outcomes) })),
      curve: training.curve,
      trainingFlop: training.flop,
      minutes: training.minutes,
    })
    if (training !== trainings[0]) continue
    const { flopPerDecision } = asked
    const how = 'the network, halting when sure'
    firstSeed.push(
      policyOf({ name: 'recursive model', how, flopPerDecision }, own, own, null, options.valueTrm),
    )
    for (const { decider, outcomes } of others) {
      firstSeed.push(policyOf(decider, outcomes, own, null, options.valueTrm))
    }
  }
  const [first] = trainings
  const [recursive] = firstSeed
  if (!first || !recursive) throw new RangeError('a study has a seed')
  say(`${funnel.title}: ${options.sold} answers sold by the host`)
  const shipped = readCheckpoint(funnel.task.name)
  const thoughts = await market.buyThoughts(funnel, inputs.slice(0, options.sold))
  const expected = askRecursive(funnel, shipped, inputs.slice(0, options.sold)).answers
  say(`${funnel.title}: ${options.asked} questions to the served language model`)
  const words = await market.buyWords(funnel, inputs.slice(0, options.asked))
  return {
    funnel: { name: funnel.task.name, title: funnel.title, success: funnel.success, target: funnel.target },
    policies: [
      ...firstSeed,
      soldPolicy(
        'recursive model, sold',
        'the shipped weights, through the host',
        thoughts,
        items,
        recursive,
        options,
      ),
      soldPolicy(
        'language model, sold',
        `${market.model}, through the host`,
        words,
        items,
        recursive,
        options,
      ),
    ],
    seeds,
    byStep: evaluate(funnel.task, first.model, first.cycles, {
      count: Math.min(options.count, BY_STEP_MAX),
      steps: BY_STEP_STEPS,
      seed: options.testSeed,
    }).byStep,
    reproduces: hexFromBytes(sha256(first.file)) === shipped.manifest.sha256,
    sold: {
      count: thoughts.answers.length,
      equal: thoughts.answers.filter((answer, i) => JSON.stringify(answer) === JSON.stringify(expected[i]))
        .length,
      meanLatencyMs: thoughts.latencyMs / thoughts.answers.length,
    },
    speechless: words.answers.filter((answer) => answer === null).length,
  }
}

const [BY_STEP_MAX, BY_STEP_STEPS] = [5000, 16]

function soldPolicy(
  name: string,
  how: string,
  { answers, amountTrm, flop }: Sale,
  items: Items,
  { outcomes }: PolicyResult,
  { valueTrm }: StudyOptions,
): PolicyResult {
  const flopPerDecision = flop / answers.length
  const bookedTrm = amountTrm / answers.length
  return policyOf({ name, how, flopPerDecision }, scoresOf(items, answers), outcomes, bookedTrm, valueTrm)
}

/** TRM of one decision: what was booked, or, where no host sold it, what its operations come to. */
export const costOf = ({
  bookedTrm,
  flopPerDecision,
}: Pick<PolicyResult, 'bookedTrm' | 'flopPerDecision'>): number =>
  bookedTrm ?? flopPerDecision / Number(FLOP_PER_TRM)

/** `against` are the recursive model's outcomes, of which the first ones are for the same questions. */
function policyOf(
  { name, how, flopPerDecision }: { name: string; how: string; flopPerDecision: number },
  outcomes: Outcomes,
  against: Outcomes,
  bookedTrm: number | null,
  valueTrm: number,
): PolicyResult {
  const conversion = rateOf(outcomes)
  const costTrm = costOf({ bookedTrm, flopPerDecision })
  const profit = (rate: number): number => 100 * (rate * valueTrm - costTrm)
  return {
    name,
    how,
    conversion,
    behind: outcomes === against ? null : pairedDifference(against.slice(0, outcomes.length), outcomes),
    flopPerDecision,
    bookedTrm,
    profitPer100: {
      value: profit(conversion.rate),
      low: profit(conversion.low),
      high: profit(conversion.high),
    },
    outcomes,
  }
}
