import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TelemetryQuery } from '../src-preload/contract/index.ts'
import { dataDirectoryOf, fileRefused, readArguments, runCommand, UsageError } from './command-line.ts'
import { readTelemetry, type TelemetryFilter, telemetryCsv, verifyTelemetry } from './telemetry/index.ts'

const USAGE = `Usage: npm run telemetry -- COMMAND [OPTIONS]

  verify [--data-dir DIR]                  checks every event and the whole chain; changes nothing
  export [--data-dir DIR] --format jsonl|csv [--kinds A,B] [--from ISO] [--to ISO] [--text TEXT] [--out FILE]
                                           writes the events that fit, oldest first

  --data-dir DIR     data directory of the host (default ~/.tirami-host)
  --kinds A,B        JobServed, JobEnergy, TRMInference, SentinelStatus, ThermostatUpdate, SimulationSummary, OwnerAction,
                     EthereumLog, TelemetryDropped
  --from, --to ISO   2026-11-01T08:00:00Z; the end does not belong to the window
  --text TEXT        part of an event's payload, in any case
  --out FILE         a new file, readable by you only (default: standard output)

Ends with 0 when all is well, 1 on a fault, 2 when the command was not understood. A running host is not disturbed.`

const OPTIONS = {
  format: { type: 'string' },
  kinds: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  text: { type: 'string' },
  out: { type: 'string' },
} as const

type Options = ReturnType<typeof readArguments<typeof OPTIONS>>['values']

async function verify(directory: string): Promise<boolean> {
  const { ok, files, events, from, head, tornBytes, faults, faultCount } = await verifyTelemetry(directory)
  const first = from && { seq: from.seq, ts: new Date(from.atMs).toISOString() }
  const report = {
    ok,
    files,
    events,
    from: first,
    head,
    torn_bytes: tornBytes,
    fault_count: faultCount,
    faults,
  }
  console.log(JSON.stringify(report, null, 2))
  return ok
}

async function exportEvents(directory: string, options: Options): Promise<void> {
  const { format = 'jsonl', out } = options
  if (format !== 'jsonl' && format !== 'csv') throw new UsageError('--format is jsonl or csv.')
  const filter = filterOf(options)
  const text = format === 'csv' ? telemetryCsv(directory, filter) : jsonLines(directory, filter)
  if (out === undefined) {
    await pipeline(Readable.from(text), process.stdout, { end: false })
    return
  }
  try {
    const handle = await open(out, 'wx', 0o600)
    await pipeline(Readable.from(text), handle.createWriteStream({ flush: true }))
  } catch (cause) {
    throw fileRefused(`${out} cannot be written.`, 'Name a new file in a directory of yours.', cause)
  }
}

async function* jsonLines(directory: string, filter: TelemetryFilter): AsyncGenerator<string> {
  for await (const record of readTelemetry(directory, filter)) yield `${JSON.stringify(record)}\n`
}

function filterOf({ kinds, from, to, text }: Options): TelemetryFilter {
  const atMs = (name: string, value: string | undefined) => {
    if (value === undefined) return undefined
    const ms = Date.parse(value)
    if (!/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(value) || Number.isNaN(ms)) {
      throw new UsageError(`--${name} is a time such as 2026-11-01T08:00:00Z.`)
    }
    return ms
  }
  const parsed = TelemetryQuery.safeParse({
    kinds: kinds?.split(','),
    fromMs: atMs('from', from),
    toMs: atMs('to', to),
    text,
  })
  if (!parsed.success)
    throw new UsageError(`--${String(parsed.error.issues[0]?.path[0] ?? 'kinds')} is not understood.`)
  return parsed.data
}

async function main(): Promise<void> {
  const { values: options, positionals } = readArguments(OPTIONS)
  const [command = '', ...surplus] = positionals
  if (surplus.length > 0) throw new UsageError('Name one command.')
  const directory = join(dataDirectoryOf(options), 'telemetry')
  if (command === 'verify') {
    if (!(await verify(directory))) process.exitCode = 1
  } else if (command === 'export') await exportEvents(directory, options)
  else throw new UsageError('Name one command.')
}

runCommand(USAGE, main)
