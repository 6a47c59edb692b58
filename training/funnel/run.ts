// Trains the recursive model on the two conversion funnels, sets it beside baselines and the served language model, sells
// its answers through a real host, runs it under sentinel and thermostat, and writes a report: report.md, report.html,
// results.json; and its summaries as telemetry.
// Usage: npm run funnel [-- --quick] [--out FOLDER] [--seeds 1,2,3] [--test-seed S] [--count N] [--sold N] [--asked N]
//          [--watts W] [--value-trm V] [--threads N]

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { htmlReport, markdownReport, resultsJson } from './report.ts'
import { runStudy, type StudyOptions } from './study.ts'
import { recordSummaries } from './summary.ts'

/** Seed of the questions; nothing was chosen by looking at them. */
const TEST_SEED = 20_261_129

const FULL = { count: 10_000, sold: 1000, asked: 200, trials: 200, trees: 100, steps: null, curveCount: 500 }
/** Small enough for a test; its figures mean nothing. */
const QUICK = { count: 400, sold: 24, asked: 3, trials: 200, trees: 10, steps: 60, curveCount: 50 }

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        out: { type: 'string', default: 'docs/funnel' },
        seeds: { type: 'string' },
        'test-seed': { type: 'string', default: String(TEST_SEED) },
        count: { type: 'string' },
        sold: { type: 'string' },
        asked: { type: 'string' },
        watts: { type: 'string' },
        'value-trm': { type: 'string', default: '100' },
        threads: { type: 'string', default: '2' },
      },
    }).values
  } catch (error) {
    return fail((error as Error).message)
  }
}

function number(name: string, text: string, least: number): number {
  const value = Number(text)
  return text.trim() !== '' && Number.isFinite(value) && value >= least
    ? value
    : fail(`--${name} must be a number from ${least}.`)
}

function optionsFrom(values: ReturnType<typeof readArguments>): StudyOptions {
  const size = values.quick ? QUICK : FULL
  const whole = (name: 'count' | 'sold' | 'asked'): number =>
    values[name] === undefined ? size[name] : Math.round(number(name, values[name], 1))
  const [count, sold, asked] = [whole('count'), whole('sold'), whole('asked')]
  if (sold > count || asked > count) fail('--sold and --asked are at most --count.')
  return {
    ...size,
    ...{ count, sold, asked },
    seeds: (values.seeds ?? (values.quick ? '1' : '1,2,3'))
      .split(',')
      .map((seed) => number('seeds', seed, 0)),
    testSeed: number('test-seed', values['test-seed'], 0),
    threads: number('threads', values.threads, 1),
    declaredPowerW: values.watts === undefined ? null : number('watts', values.watts, 0),
    valueTrm: number('value-trm', values['value-trm'], 0),
  }
}

const values = readArguments()
const study = await runStudy(optionsFrom(values), (line) => console.log(line))
mkdirSync(values.out, { recursive: true })
const write = (name: string, text: string): void => writeFileSync(join(values.out, name), text)
write('results.json', `${JSON.stringify(resultsJson(study), null, 1)}\n`)
write('report.md', markdownReport(study))
write('report.html', htmlReport(study))
await recordSummaries(join(values.out, 'telemetry'), study)
console.log(`written: ${join(values.out, 'report.md')}, report.html, results.json, telemetry`)
