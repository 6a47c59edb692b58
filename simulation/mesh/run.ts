import { parseArgs } from 'node:util'
import { z } from 'zod'
import { type MeshReport, simulateMesh } from './world.ts'

const USAGE = 'node simulation/mesh/run.ts [--seeds N] [--from F] [--seed S] [--hosts H] [--asks A]'
const Count = z.coerce.number().int().min(1).max(1e9)
const Options = z.strictObject({
  seeds: Count.default(100),
  from: z.coerce.number().int().min(0).default(1),
  seed: z.coerce.number().int().min(0).optional(),
  hosts: Count.max(500).optional(),
  asks: Count.max(100_000).optional(),
})

function readOptions(): z.output<typeof Options> {
  const text = { type: 'string' } as const
  try {
    const options = { seeds: text, from: text, seed: text, hosts: text, asks: text }
    return Options.parse(parseArgs({ options }).values)
  } catch (error) {
    console.error(`${error instanceof z.ZodError ? z.prettifyError(error) : String(error)}\n\n${USAGE}`)
    process.exit(2)
  }
}

const { seeds, from, seed, hosts, asks } = readOptions()
const size = { ...(hosts === undefined ? {} : { hosts }), ...(asks === undefined ? {} : { asks }) }
const chosen = seed === undefined ? Array.from({ length: seeds }, (_, index) => from + index) : [seed]
const totals = { asked: 0, whole: 0, trades: 0, kills: 0, departures: 0, partitions: 0, disputes: 0 }
const broken: number[] = []
const largest = { hosts: 0, seeds: 0 }
for (const one of chosen) {
  const report = await simulateMesh(one, size)
  for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += report[name]
  if (report.hosts > largest.hosts) Object.assign(largest, { hosts: report.hosts, seeds: 0 })
  if (report.hosts === largest.hosts) largest.seeds++
  if (report.broken.length > 0) broken.push(one)
  console.log(line(report))
}
console.log(
  `${chosen.length} seeds, ${largest.seeds} of them with ${largest.hosts} hosts: ${totals.asked} questions, ${totals.whole} answered in full, ${totals.trades} trades, ` +
    `${totals.kills} kills, ${totals.departures} departures, ${totals.partitions} partitions, ${totals.disputes} disputes, ${broken.length} seeds broken` +
    (broken.length > 0 ? ` (${broken.join(', ')})` : ''),
)
process.exitCode = broken.length > 0 ? 1 : 0

function line({
  seed,
  hosts,
  asked,
  whole,
  trades,
  kills,
  departures,
  partitions,
  broken,
}: MeshReport): string {
  const world = `${hosts} hosts, ${asked} questions, ${whole} answered in full, ${trades} trades`
  const trouble = `${kills} kills, ${departures} departures, ${partitions} partitions`
  const wrong = broken.length > 0 ? `: BROKEN\n  ${broken.slice(0, 8).join('\n  ')}` : ''
  return `seed ${seed}: ${world}, ${trouble}${wrong}`
}
