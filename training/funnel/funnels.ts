import {
  type AnyTask,
  CANDIDATE_FEATURES,
  candidateFeatures,
  conversionProbability,
  type Lead,
  loggedOutcomes,
  type Opportunity,
  TASKS,
  trainingLeads,
} from '../../src-main/recursion/index.ts'
import {
  type Classifier,
  type LabelledVectors,
  mostLikely,
  trainForest,
  trainLogistic,
} from '../baselines/classifiers.ts'

/** Somebody who answers every question of a funnel. */
export interface Decider {
  readonly name: string
  /** How it decides, in a few words. */
  readonly how: string
  /** Counted from what it computes. */
  readonly flopPerDecision: number
  /** One answer per question, in the task's own form. */
  decide(inputs: readonly unknown[]): unknown[]
}

export interface Funnel {
  readonly task: AnyTask
  readonly title: string
  /** What counts as a conversion. */
  readonly success: string
  /** The conversion that issue and specification ask of the recursive model. */
  readonly target: number
  /** Baselines that learned from the training set of `seed`. */
  baselines(seed: number, trees: number): Decider[]
  /** What the served language model is asked. */
  prompt(input: unknown): string
  /** The answer that its words stand for; null where they stand for none. */
  readWords(words: string): unknown
}

function taskOf(name: string): AnyTask {
  const task = TASKS.get(name)
  if (!task) throw new RangeError(`no task ${name}`)
  return task
}

const ONE_COMPARISON = 1

function learned(set: LabelledVectors, seed: number, trees: number): [string, string, Classifier][] {
  return [
    ['logistic regression', 'ml-logistic-regression', trainLogistic(set)],
    ['random forest', `ml-random-forest, ${trees} trees`, trainForest(set, { trees, seed })],
  ]
}

const rounded = (value: number): string => value.toFixed(2)

const classification: Funnel = {
  task: taskOf('funnel-classification'),
  title: 'Funnel A: classify a lead',
  success: 'the class of the lead is told correctly',
  target: 0.92,
  baselines(seed, trees) {
    const leads = trainingLeads(seed)
    const set = {
      vectors: leads.map(({ features }) => features),
      labels: leads.map(({ converts }) => Number(converts)),
      classes: 2,
    }
    return [
      {
        name: 'greedy',
        how: 'first two features add up to more than 0',
        flopPerDecision: 1 + ONE_COMPARISON,
        decide: (inputs) =>
          (inputs as Lead[]).map(({ features: [a = 0, b = 0] }) => ({ converts: a + b > 0 })),
      },
      ...learned(set, seed, trees).map(
        ([name, how, classifier]): Decider => ({
          name,
          how,
          flopPerDecision: classifier.flopPerAnswer + ONE_COMPARISON,
          decide: (inputs) =>
            classifier
              .probabilities((inputs as Lead[]).map(({ features }) => features))
              .map((row) => ({ converts: mostLikely(row) === 1 })),
        }),
      ),
    ]
  },
  prompt: (input) => {
    const numbers = (input as Lead).features.map((value, i) => `feature ${i + 1} is ${rounded(value)}`)
    return `A sales lead has these figures: ${numbers.join(', ')}. Will it convert? Answer yes or no.`
  },
  readWords(words) {
    const said = /\b(yes|no)\b/i.exec(words)?.[1]
    return said === undefined ? null : { converts: said.toLowerCase() === 'yes' }
  },
}

/** Chooses the candidate with the highest `scores`; three per opportunity, in order. */
function choose(inputs: readonly Opportunity[], scores: readonly number[]): { choice: number }[] {
  let next = 0
  return inputs.map(({ candidates }) => {
    const own = scores.slice(next, next + candidates.length)
    next += candidates.length
    return { choice: mostLikely(own) }
  })
}

const allCandidates = (inputs: readonly unknown[]) =>
  (inputs as Opportunity[]).flatMap(({ candidates }) => candidates)

const CANDIDATES = 3

const choice: Funnel = {
  task: taskOf('funnel-choice'),
  title: 'Funnel C: choose one of three candidates',
  success: 'the chosen candidate converts, which chance decides too',
  target: 0.655,
  baselines(seed, trees) {
    const log = loggedOutcomes(seed)
    const set = {
      vectors: log.map(({ candidate }) => candidateFeatures(candidate)),
      labels: log.map(({ converted }) => Number(converted)),
      classes: 2,
    }
    const byScore = (
      name: string,
      how: string,
      flopPerCandidate: number,
      score: (inputs: readonly unknown[]) => number[],
    ): Decider => ({
      name,
      how,
      flopPerDecision: CANDIDATES * (flopPerCandidate + ONE_COMPARISON),
      decide: (inputs) => choose(inputs as Opportunity[], score(inputs)),
    })
    return [
      byScore('greedy', 'the highest impact', 0, (inputs) =>
        allCandidates(inputs).map(({ impact }) => impact),
      ),
      ...learned(set, seed, trees).map(([name, how, classifier]) =>
        byScore(name, `${how}, on the same log`, classifier.flopPerAnswer, (inputs) =>
          classifier.probabilities(allCandidates(inputs).map(candidateFeatures)).map((row) => row[1] ?? 0),
        ),
      ),
      byScore('ceiling', 'knows the true probabilities; nobody can', 0, (inputs) =>
        allCandidates(inputs).map(conversionProbability),
      ),
    ]
  },
  prompt: (input) => {
    const lines = (input as Opportunity).candidates.map((candidate, i) => {
      const facts = CANDIDATE_FEATURES.map((name) => `${name} ${rounded(candidate[name])}`)
      return `Candidate ${i + 1}: ${facts.join(', ')}.`
    })
    return `${lines.join('\n')}\nEvery figure lies between -1 and 1. Which candidate is most likely to buy? Answer 1, 2 or 3.`
  },
  readWords(words) {
    const said = /\b([123])\b/.exec(words)?.[1]
    return said === undefined ? null : { choice: Number(said) - 1 }
  },
}

export const FUNNELS: readonly Funnel[] = [classification, choice]
