import { z } from 'zod'
import { seededRandom } from '../../tensor/index.ts'
import { parseInput } from './parse.ts'
import { drawFrom } from './split.ts'
import type { Example, Instance, Task } from './task.ts'
import { trainingSetOf } from './training-set.ts'

const OPERATORS = ['add', 'subtract', 'multiply', 'max', 'min'] as const
const MAXIMUM_OPERATIONS = 4
const MAXIMUM_START = 10
const MAXIMUM_ARGUMENT = 9
const MAXIMUM_FACTOR = 5
/** Every intermediate value is clamped to 0 .. LARGEST_VALUE. */
const LARGEST_VALUE = 199

const schema = z.strictObject({
  start: z.int().min(0).max(MAXIMUM_START),
  operations: z
    .array(z.strictObject({ operator: z.enum(OPERATORS), argument: z.int().min(1).max(MAXIMUM_ARGUMENT) }))
    .min(1)
    .max(MAXIMUM_OPERATIONS),
})

/** Arithmetic on a small integer, one operation after the other. A factor above 5 counts as 5. */
export type OpSequence = z.infer<typeof schema>

function apply(value: number, { operator, argument }: OpSequence['operations'][number]): number {
  switch (operator) {
    case 'add':
      return Math.min(LARGEST_VALUE, value + argument)
    case 'subtract':
      return Math.max(0, value - argument)
    case 'multiply':
      return Math.min(LARGEST_VALUE, value * Math.min(argument, MAXIMUM_FACTOR))
    case 'max':
      return Math.max(value, argument)
    case 'min':
      return Math.min(value, argument)
  }
}

/** The value after the start and after every operation. */
export function runningValues({ start, operations }: OpSequence): number[] {
  const values = [start]
  for (const operation of operations) values.push(apply(values.at(-1) ?? start, operation))
  return values
}

const DIGITS = 3
const ROWS = 1 + MAXIMUM_OPERATIONS
/** Token ids: the digits, then a token per operator and argument, then this one. */
const NO_OPERATION = 10 + OPERATORS.length * MAXIMUM_ARGUMENT

/** Sizes for the network. */
export const OP_SEQUENCE_SIZES = { vocabulary: NO_OPERATION + 1, classes: 10, tokens: ROWS * DIGITS }

const digitsOf = (value: number): number[] => [
  Math.floor(value / 100),
  Math.floor(value / 10) % 10,
  value % 10,
]

/**
 * The first row shows the start's digits; in each further row every digit shows the operation. The wanted classes are the
 * running values' digits.
 */
function instanceOf({ start, operations }: OpSequence): Instance {
  const rows = Array.from({ length: MAXIMUM_OPERATIONS }, (_, i) => {
    const operation = operations[i]
    const token = operation
      ? 9 + OPERATORS.indexOf(operation.operator) * MAXIMUM_ARGUMENT + operation.argument
      : NO_OPERATION
    return new Array<number>(DIGITS).fill(token)
  })
  return { height: ROWS, width: DIGITS, tokens: Int32Array.from([digitsOf(start), ...rows].flat()) }
}

function exampleOf(sequence: OpSequence): Example {
  const values = runningValues(sequence)
  const last = values.length - 1
  const rows = Array.from({ length: ROWS }, (_, i) => digitsOf(values[Math.min(i, last)] ?? 0))
  return { instance: instanceOf(sequence), targets: Int32Array.from(rows.flat()) }
}

function randomOperations(random: () => number, fewest: number): OpSequence['operations'] {
  const upTo = (count: number): number => Math.floor(random() * count)
  return Array.from({ length: fewest + upTo(MAXIMUM_OPERATIONS - fewest + 1) }, () => ({
    operator: OPERATORS[upTo(OPERATORS.length)] ?? 'add',
    argument: 1 + upTo(MAXIMUM_ARGUMENT),
  }))
}

function randomSequence(random: () => number): OpSequence {
  const start = Math.floor(random() * (MAXIMUM_START + 1))
  return { start, operations: randomOperations(random, 2) }
}

/**
 * What is trained on: every second sequence is of the kind that is asked, the others start anywhere from 0 to the largest
 * value. Small starts alone hardly ever reach the large values, so that carrying and clamping there would stay unlearned.
 */
function trainingSequence(random: () => number): OpSequence {
  if (random() < 0.5) return randomSequence(random)
  const start = Math.floor(random() * (LARGEST_VALUE + 1))
  return { start, operations: randomOperations(random, 1) }
}

const TRAINING_SEQUENCES = 200_000

export const opSequenceTask: Task<OpSequence, { readonly value: number }> = {
  name: 'op-sequence',
  deliberates: true,
  trainingSet(seed) {
    const make = (random: () => number): OpSequence =>
      drawFrom('train', () => trainingSequence(random), JSON.stringify)
    return trainingSetOf(TRAINING_SEQUENCES, seed, make, exampleOf)
  },
  testItems(count, seed) {
    const random = seededRandom(seed)
    return Array.from({ length: count }, () => {
      const input = drawFrom('test', () => randomSequence(random), JSON.stringify)
      return { input, score: ({ value }) => (value === runningValues(input).at(-1) ? 1 : 0) }
    })
  },
  parse: (input) => parseInput(schema, input),
  encode: (input) => [instanceOf(input)],
  decode: (_input, [reading]) => {
    const digits = [...(reading?.answer ?? [])].slice(-DIGITS)
    return { value: digits.reduce((value, digit) => 10 * value + digit, 0) }
  },
  // A check would be the computation itself.
  verify: () => undefined,
}
