import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { z } from 'zod'
import { type SeedReport, simulate, type WorldSize } from './index.ts'

const USAGE = `node simulation/run.ts --seeds N [--from F] [--workers W] [--nodes N] [--days D] [--steps S]
node simulation/run.ts --seed S [--trace] [--nodes N] [--days D] [--steps S]`

const Count = z.coerce.number().int().min(1)
const Options = z
  .strictObject({
    seeds: Count.max(1e9).default(100),
    from: z.coerce.number().int().min(0).default(1),
    workers: Count.max(64).default(Math.max(1, availableParallelism() - 1)),
    seed: z.coerce.number().int().min(0).optional(),
    trace: z.boolean().default(false),
    stats: z.boolean().default(false),
    nodes: Count.min(8).max(2_000).optional(),
    days: Count.max(3_650).optional(),
    steps: Count.max(1_000_000).optional(),
  })
  .transform(({ nodes, days, steps, ...rest }) => {
    const given = Object.entries({ nodes, days, steps }).filter(([, value]) => value !== undefined)
    return { ...rest, size: Object.fromEntries(given) as Partial<WorldSize> }
  })
type Options = z.infer<typeof Options>

function readOptions(): Options {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    const { values } = parseArgs({
      options: {
        ...{ seeds: text, from: text, workers: text, seed: text, nodes: text, days: text, steps: text },
        ...{ trace: flag, stats: flag },
      },
    })
    return Options.parse(values)
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    console.error(`${problem}\n\n${USAGE}`)
    process.exit(2)
  }
}

interface Totals {
  seeds: number
  steps: number
  trades: number
  tried: number
  refused: number
  restarts: number
  broken: SeedReport[]
  counts: Map<string, number>
}

function add(totals: Totals, report: SeedReport): void {
  const { tally } = report
  totals.seeds++
  totals.steps += tally.steps
  totals.trades += tally.trades
  totals.tried += tally.attacksTried
  totals.refused += tally.attacksRefused
  totals.restarts += tally.restarts
  if (report.broken) totals.broken.push(report)
  for (const [name, count] of [...tally.attacks, ...tally.outcomes]) {
    totals.counts.set(name, (totals.counts.get(name) ?? 0) + count)
  }
}

function line({ seed, size, tally, broken }: SeedReport): string {
  const { steps, trades, attacksTried, attacksRefused, restarts } = tally
  const world = `${size.nodes} nodes, ${size.days} days, ${steps} steps, ${trades} trades, ${restarts} restarts`
  return `seed ${seed}: ${world}, attacks ${attacksRefused}/${attacksTried} refused${broken ? ': BROKEN' : ''}`
}

function failure({ seed, size, broken }: SeedReport, given: Partial<WorldSize>): string {
  if (!broken) return ''
  const flags = Object.keys(given).map((name) => ` --${name} ${size[name as keyof WorldSize]}`)
  return [
    `seed ${seed}, step ${broken.step} (${broken.time}, ${broken.action}): ${broken.law}`,
    `  replay: node simulation/run.ts --seed ${seed} --trace${flags.join('')}`,
  ].join('\n')
}

/** A seed at a time to whichever thread is free, so that one large world keeps nobody waiting. */
async function runAll(options: Options, onReport: (report: SeedReport) => void): Promise<void> {
  const end = options.from + options.seeds
  let next = options.from
  const workers = Array.from({ length: Math.min(options.workers, options.seeds) }, () => {
    const worker = new Worker(new URL(import.meta.url))
    const give = () =>
      next < end ? worker.postMessage({ seed: next++, size: options.size }) : worker.unref()
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject)
      worker.on('message', (report: SeedReport) => {
        onReport(report)
        if (next >= end) void worker.terminate().then(() => resolve(), reject)
        else give()
      })
      give()
    })
  })
  await Promise.all(workers)
}

async function main(): Promise<void> {
  const options = readOptions()
  const totals: Totals = {
    ...{ seeds: 0, steps: 0, trades: 0, tried: 0, refused: 0, restarts: 0 },
    broken: [],
    counts: new Map(),
  }
  const startedMs = performance.now()
  const onReport = (report: SeedReport) => {
    add(totals, report)
    console.log(line(report))
    if (report.broken) console.log(failure(report, options.size))
  }
  if (options.seed === undefined) {
    await runAll(options, onReport)
  } else {
    const report = await simulate(options.seed, {
      size: options.size,
      ...(options.trace ? { trace: (text: string) => console.log(text) } : {}),
    })
    if (report.broken) console.log(report.broken.stack)
    onReport(report)
  }
  const seconds = (performance.now() - startedMs) / 1_000
  if (options.stats) {
    for (const [name, count] of [...totals.counts].sort())
      console.log(`${String(count).padStart(9)}  ${name}`)
  }
  const { seeds, steps, trades, tried, refused, restarts, broken } = totals
  console.log(
    `${seeds} seeds in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(2)} seeds/s): ${steps} steps, ` +
      `${trades} trades, ${restarts} restarts, ${refused} of ${tried} attacks refused, ${broken.length} seeds broken`,
  )
  for (const report of broken) console.log(failure(report, options.size))
  process.exitCode = broken.length > 0 ? 1 : 0
}

if (isMainThread) {
  await main()
} else {
  parentPort?.on('message', async ({ seed, size }: { seed: number; size: Partial<WorldSize> }) => {
    parentPort?.postMessage(await simulate(seed, { size }))
  })
}
