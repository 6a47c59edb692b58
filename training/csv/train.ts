// Reads a CSV file, finds out what its columns are, trains a recursive classifier on three quarters of its rows, and says
// how often it is right about the last quarter, beside baselines.
// Usage: npm run train:csv -- FILE [--target COLUMN] [--seed S] [--steps N] [--threads N]

import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { TiramiError } from '../../src-main/kernel/index.ts'
import { CSV_LIMITS } from '../../src-main/recursion/datasets/index.ts'
import { formatProportion } from '../recursion/evaluate.ts'
import { type CsvResult, classifyCsv } from './classify.ts'

const USAGE = 'Usage: npm run train:csv -- FILE [--target COLUMN] [--seed S] [--steps N] [--threads N]'

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        target: { type: 'string' },
        seed: { type: 'string', default: '1' },
        steps: { type: 'string', default: '1500' },
        threads: { type: 'string', default: '2' },
      },
    })
  } catch (error) {
    return fail(`${(error as Error).message}\n${USAGE}`)
  }
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= least && value <= 1e6
    ? value
    : fail(`--${name} must be a whole number from ${least}.`)
}

function readFile(path: string): Uint8Array {
  try {
    // A file that is too large is refused by its size, before it is read.
    if (statSync(path).size <= CSV_LIMITS.bytes) return readFileSync(path)
    return fail(`The file is larger than ${CSV_LIMITS.bytes >> 20} MiB. Take a part of its rows.`)
  } catch (error) {
    return fail(`The file cannot be read: ${(error as Error).message}`)
  }
}

function printData({ table, schema, split, encoding }: CsvResult): void {
  const { target, features, leftOut } = schema
  const how = table.hasHeader ? '' : ', which has no header'
  console.log(`${table.rows.length} rows and ${table.names.length} columns${how}`)
  const chosen = target.chosen ? 'as you said' : 'inferred; --target names another'
  console.log(`target: ${target.name} (${chosen}), classes ${target.classes.join(', ')}`)
  for (const { name, kind, missing } of features) {
    console.log(`  ${name}: ${kind}${missing > 0 ? `, ${missing} missing` : ''}`)
  }
  for (const { name, why } of leftOut) console.log(`  ${name}: left out, ${why}`)
  if (target.unlabelled > 0) console.log(`${target.unlabelled} rows without a class are left out`)
  const { train, test, duplicates } = split
  console.log(
    `${train.length} rows to train on, ${test.length} to test; ${duplicates} repeat an earlier row and stay on its side`,
  )
  console.log(`${encoding.tokens} inputs`)
}

function printFigures({ judged, parameters, meanSteps, trainingFlop, bestStep }: CsvResult): void {
  for (const { name, accuracy, flopPerAnswer } of judged) {
    console.log(`  ${name}: ${formatProportion(accuracy)}, ${Math.round(flopPerAnswer)} FLOP an answer`)
  }
  console.log(
    `recursive model: ${parameters} parameters, ${meanSteps.toFixed(2)} steps an answer, ` +
      `${(trainingFlop / 1e12).toFixed(2)} TFLOP of training, weights of step ${bestStep}`,
  )
}

async function main(): Promise<void> {
  const { positionals, values } = readArguments()
  const [path] = positionals
  if (path === undefined || positionals.length > 1) fail(USAGE)
  const result = await classifyCsv(readFile(path), {
    ...(values.target === undefined ? {} : { target: values.target }),
    seed: wholeNumber('seed', values.seed, 0),
    steps: wholeNumber('steps', values.steps, 1),
    threads: wholeNumber('threads', values.threads, 1),
    report: ({ step, loss, accuracy }) =>
      console.log(`step ${step}: loss ${loss.toFixed(3)}, right ${(100 * accuracy).toFixed(1)} %`),
  })
  printData(result)
  printFigures(result)
}

main().catch((error) => {
  if (!(error instanceof TiramiError)) throw error
  fail(`${error.message} ${error.nextStep} (${error.code})`)
})
