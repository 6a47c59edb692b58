import { z } from 'zod'
import { seededRandom } from '../../tensor/index.ts'
import { parseInput } from './parse.ts'
import { drawFrom } from './split.ts'
import type { Instance, Task, TestItem } from './task.ts'
import { trainingSetOf } from './training-set.ts'

const MODULUS = 100
const RULES = 3
const HISTORY = 8

const schema = z.strictObject({
  history: z
    .array(
      z
        .int()
        .min(0)
        .max(MODULUS - 1),
    )
    .length(HISTORY),
})

/** The last eight tokens of a stream whose hidden rule changes now and then. */
export type PatternHistory = z.infer<typeof schema>

export interface PatternWorldOptions {
  readonly start: number
  /** The rule changes after so many steps. */
  readonly switchEvery: number
}

/**
 * Tokens of PatternWorld (Omni-Zero): rule 0 adds one, rule 1 doubles, rule 2 adds one at even and takes one at odd
 * time steps, all modulo 100; the rule advances cyclically.
 */
export function patternStream({ start, switchEvery }: PatternWorldOptions, length: number): number[] {
  const tokens: number[] = []
  let token = start
  for (let t = 0; t < length; t++) {
    const rule = Math.floor(t / switchEvery) % RULES
    if (rule === 0) token += 1
    else if (rule === 1) token *= 2
    else token += t % 2 === 0 ? 1 : -1
    token = (token + MODULUS) % MODULUS
    tokens.push(token)
  }
  return tokens
}

export const PATTERN_WORLD_SIZES = { vocabulary: 2 * MODULUS, classes: MODULUS, tokens: HISTORY }

/** The newest token, then the differences that led to it, newest first. */
function instanceOf(history: readonly number[]): Instance {
  const tokens = new Int32Array(HISTORY)
  tokens[0] = history[HISTORY - 1] ?? 0
  for (let i = 1; i < HISTORY; i++) {
    const difference = (history[HISTORY - i] ?? 0) - (history[HISTORY - i - 1] ?? 0)
    tokens[i] = MODULUS + ((difference + MODULUS) % MODULUS)
  }
  return { height: 1, width: HISTORY, tokens }
}

interface Window {
  readonly history: readonly number[]
  readonly next: number
}

/** Streams that have run for long hold other tokens than fresh ones: doubling ends in a cycle of its own. */
const LONGEST_STREAM = 3000

/** A random window of a random stream, every second one fresh; its rule may change every 5 to 60 steps. */
function randomWindow(random: () => number): Window {
  const upTo = (count: number): number => Math.floor(random() * count)
  const options = { start: upTo(MODULUS), switchEvery: 5 + upTo(56) }
  const length = upTo(2) === 0 ? 3 * options.switchEvery : LONGEST_STREAM
  const stream = patternStream(options, HISTORY + 1 + upTo(length))
  return { history: stream.slice(-HISTORY - 1, -1), next: stream.at(-1) ?? 0 }
}

const historyOf = ({ history }: Window): string => history.join()

const TRAINING_WINDOWS = 50_000

export const patternWorldTask: Task<PatternHistory, { readonly next: number }> = {
  name: 'pattern-world',
  deliberates: false,
  trainingSet(seed) {
    const make = (random: () => number): Window => drawFrom('train', () => randomWindow(random), historyOf)
    return trainingSetOf(TRAINING_WINDOWS, seed, make, ({ history, next }) => {
      const targets = new Int32Array(HISTORY).fill(-1)
      targets[0] = next
      return { instance: instanceOf(history), targets }
    })
  },
  /** Windows of streams with a switch every 30 steps, from step 300 on, whose history no training set holds. */
  testItems(count, seed) {
    const random = seededRandom(seed)
    return Array.from({ length: count }, (): TestItem<PatternHistory, { readonly next: number }> => {
      const draw = (): Window => {
        const options = { start: 1 + Math.floor(random() * 9), switchEvery: 30 }
        const stream = patternStream(options, 301 + Math.floor(random() * (LONGEST_STREAM - 300)))
        return { history: stream.slice(-HISTORY - 1, -1), next: stream.at(-1) ?? 0 }
      }
      const window = drawFrom('test', draw, historyOf)
      return { input: { history: [...window.history] }, score: ({ next }) => (next === window.next ? 1 : 0) }
    })
  },
  parse: (input) => parseInput(schema, input),
  encode: ({ history }) => [instanceOf(history)],
  decode: (_input, [reading]) => ({ next: reading?.answer[0] ?? 0 }),
  verify: () => undefined,
}
