import { TiramiError } from '../../kernel/index.ts'
import type { Instance } from '../tasks/task.ts'
import type { FeatureColumn, Schema } from './schema.ts'
import type { LabelledRow, Value } from './split.ts'

/** One input of a model, made from one cell. */
type Part =
  /** A number in standard deviations from the mean of the training rows. */
  | {
      readonly kind: 'number'
      readonly read: (value: number) => number
      readonly mean: number
      readonly deviation: number
    }
  /** One of the labels that the training rows hold. */
  | {
      readonly kind: 'label'
      readonly read: (value: number | string) => string
      readonly labels: readonly string[]
    }

interface EncodedPart {
  readonly feature: number
  readonly part: Part
  /** Token ids from here on: the number or the labels, another label, nothing. */
  readonly firstToken: number
}

/** How rows become what models read. Everything in it comes from training rows. */
export interface Encoding {
  /** Tokens of one row. */
  readonly tokens: number
  readonly vocabulary: number
  /** For the recursive model: one token per input. `noise` is added to every number, in standard deviations. */
  instance(values: readonly Value[], noise?: () => number): Instance
  /** For the baselines: numbers, then 0 or 1 for every label and for what is missing. */
  vector(values: readonly Value[]): number[]
}

const TOKENS_MAX = 128
/** Numbers farther from the mean are brought back to here: an outlier then weighs no more than this. */
const DEVIATIONS_MAX = 5
const WEEK_DAYS = 7

/** @throws TiramiError DATASET_TOO_WIDE */
export function fitEncoding({ features }: Schema, train: readonly LabelledRow[]): Encoding {
  let vocabulary = 0
  const parts = features.flatMap((feature, place) => {
    const values = train.map((row) => row.values[place] ?? null).filter((value) => value !== null)
    return partsOf(feature, values).map((part): EncodedPart => {
      const firstToken = vocabulary
      vocabulary += size(part) + 2
      return { feature: place, part, firstToken }
    })
  })
  if (parts.length > TOKENS_MAX) {
    const message = `The columns make ${parts.length} inputs; ${TOKENS_MAX} are the most.`
    throw new TiramiError('DATASET_TOO_WIDE', message, {
      nextStep: 'Leave out columns that do not help to tell the classes.',
      httpStatus: 400,
    })
  }
  return {
    tokens: parts.length,
    vocabulary,
    instance(values, noise = () => 0) {
      const read = parts.map(({ feature, part, firstToken }) => {
        const place = placeOf(part, values[feature] ?? null)
        const isNumber = part.kind === 'number' && place === 0
        const value = isNumber ? standardised(part, values[feature] as number) + noise() : 1
        return { token: firstToken + place, value }
      })
      return {
        height: 1,
        width: parts.length,
        tokens: Int32Array.from(read, ({ token }) => token),
        values: Float32Array.from(read, ({ value }) => value),
      }
    },
    vector: (values) =>
      parts.flatMap(({ feature, part }) => {
        const place = placeOf(part, values[feature] ?? null)
        const flags = Array.from({ length: size(part) + 2 }, (_, i) => Number(i === place))
        if (part.kind === 'label') return flags
        return [place === 0 ? standardised(part, values[feature] as number) : 0, Number(place > 0)]
      }),
  }
}

const size = (part: Part): number => (part.kind === 'number' ? 1 : part.labels.length)

/** The place of the cell's token: the number or its label, then "another", then "nothing". */
function placeOf(part: Part, value: Value): number {
  if (value === null) return size(part) + 1
  if (part.kind === 'number') return 0
  const place = part.labels.indexOf(part.read(value))
  return place < 0 ? size(part) : place
}

function standardised({ read, mean, deviation }: Part & { kind: 'number' }, value: number): number {
  return Math.max(-DEVIATIONS_MAX, Math.min(DEVIATIONS_MAX, (read(value) - mean) / deviation))
}

function partsOf({ kind }: FeatureColumn, values: readonly (number | string)[]): Part[] {
  const label = (read: (value: number | string) => string): Part => ({
    kind: 'label',
    read,
    labels: [...new Set(values.map(read))].sort(),
  })
  if (kind === 'categorical' || kind === 'boolean') return [label(String)]
  const numbers = values.map(Number)
  if (kind === 'numeric') return [number(numbers)]
  const month = (day: number | string) => String(new Date(Number(day) * 86_400_000).getUTCMonth() + 1)
  const weekday = (day: number | string) => String(((Number(day) % WEEK_DAYS) + WEEK_DAYS) % WEEK_DAYS)
  return [number(numbers), label(month), label(weekday)]
}

function number(values: readonly number[]): Part {
  const count = Math.max(1, values.length)
  // Divided before they are added up, so that no sum of large numbers overflows.
  const mean = values.reduce((sum, value) => sum + value / count, 0)
  const scale = Math.max(...values.map((value) => Math.abs(value - mean)), 0)
  const variance = values.reduce((sum, value) => sum + ((value - mean) / (scale || 1)) ** 2 / count, 0)
  const deviation = scale * Math.sqrt(variance)
  return { kind: 'number', read: (value) => value, mean, deviation: deviation > 0 ? deviation : 1 }
}
