import {
  type DatasetSplit,
  detectSchema,
  type Encoding,
  fitEncoding,
  labelledRows,
  readCsv,
  type Schema,
  splitRows,
  type Table,
  trainClassifier,
} from '../../src-main/recursion/datasets/index.ts'
import type { TrainingReport } from '../../src-main/recursion/index.ts'
import {
  type Classifier,
  type LabelledVectors,
  mostLikely,
  trainForest,
  trainLogistic,
  trainMajority,
} from '../baselines/classifiers.ts'
import { type Proportion, proportion } from '../recursion/evaluate.ts'

export interface CsvOptions {
  readonly target?: string
  readonly seed: number
  readonly steps: number
  readonly threads: number
  readonly report: (report: TrainingReport) => void
}

export interface Judged {
  readonly name: string
  /** On the test rows. */
  readonly accuracy: Proportion
  /** Floating-point operations of one answer. */
  readonly flopPerAnswer: number
}

export interface CsvResult {
  readonly table: Table
  readonly schema: Schema
  readonly split: DatasetSplit
  readonly encoding: Encoding
  /** The recursive model first, then the baselines. */
  readonly judged: readonly Judged[]
  readonly parameters: number
  readonly meanSteps: number
  readonly trainingFlop: number
  /** Of the training steps, the one whose weights were taken. */
  readonly bestStep: number
}

const FOREST_TREES = 100

/** Trains a recursive classifier and the baselines on a CSV file. @throws TiramiError where the file cannot be used */
export async function classifyCsv(file: Uint8Array, options: CsvOptions): Promise<CsvResult> {
  const table = readCsv(file)
  const schema = detectSchema(table, options.target)
  const split = splitRows(labelledRows(table, schema), options.seed)
  const encoding = fitEncoding(schema, split.train)
  const classes = schema.target.classes.length
  const answers = await trainClassifier(encoding, split, { ...options, classes })
  const vectorsOf = (rows: DatasetSplit['train']): LabelledVectors => ({
    vectors: rows.map(({ values }) => encoding.vector(values)),
    labels: rows.map((row) => row.class),
    classes,
  })
  const [train, test] = [vectorsOf(split.train), vectorsOf(split.test)]
  const judge = (name: string, answered: readonly number[], flopPerAnswer: number): Judged => {
    const right = answered.filter((answer, i) => answer === test.labels[i]).length
    return { name, accuracy: proportion(right, test.labels.length), flopPerAnswer }
  }
  const baseline = (name: string, { probabilities, flopPerAnswer }: Classifier): Judged =>
    judge(name, probabilities(test.vectors).map(mostLikely), flopPerAnswer)
  const { seed } = options
  return {
    table,
    schema,
    split,
    encoding,
    judged: [
      judge('recursive model', answers.classes, answers.meanFlop),
      baseline('always the commonest class', trainMajority(train)),
      baseline('logistic regression', trainLogistic(train)),
      baseline('random forest', trainForest(train, { trees: FOREST_TREES, seed })),
    ],
    parameters: answers.parameters,
    meanSteps: answers.meanSteps,
    trainingFlop: answers.trainingFlop,
    bestStep: answers.bestStep,
  }
}
