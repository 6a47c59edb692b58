import { open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  assertKnown,
  dataDirectoryOf,
  fileRefused,
  readArguments,
  runCommand,
  UsageError,
} from './command-line.ts'
import { systemClock } from './kernel/index.ts'
import {
  archiveImport,
  exactJson,
  exportStatement,
  inclusionJson,
  proveFromDisk,
  readTiramiLedger,
  statementCsv,
  statementJson,
  verifyLedger,
} from './ledger/index.ts'

const USAGE = `Usage: npm run ledger -- COMMAND [OPTIONS]

  verify [--data-dir DIR]                  checks every record, balance and signature; changes nothing
  export [--data-dir DIR] --format json|csv [--from ISO] [--to ISO] [--price N] [--out FILE]
                                           settlement statement: who earned and spent what, and the root
  prove  [--data-dir DIR] --trade ID [--out FILE]
                                           proof that a trade is in the ledger, for e2e/verify-proof.mjs
  import --file ledger.json [--allow-unsigned] [--data-dir DIR --as-archive]
                                           checks and sums up the ledger of a Tirami node; books nothing

  --data-dir DIR     data directory of the host (default ~/.tirami-host)
  --from, --to ISO   2026-11-01 (whole day, UTC) or 2026-11-01T08:00:00+01:00; both ends belong to the window
  --price N          reference price of one TRM, such as 0.25, for the column of estimated payouts
  --out FILE         a new file, readable by you only (default: standard output)
  --allow-unsigned   takes a file without HMAC
  --as-archive       keeps the checked file under DIR/imported with its SHA-256

Ends with 0 when all is well, 1 on a fault, 2 when the command was not understood. A running host is not disturbed:
what it has acknowledged is read.`

const IMPORT_BYTES_MAX = 64 * 1024 * 1024

const OPTIONS = {
  format: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  price: { type: 'string' },
  out: { type: 'string' },
  trade: { type: 'string' },
  file: { type: 'string' },
  'allow-unsigned': { type: 'boolean' },
  'as-archive': { type: 'boolean' },
} as const
type Options = ReturnType<typeof readArguments<typeof OPTIONS>>['values']

/** Which options a command knows; the others would be ignored in silence. */
const COMMANDS: Record<string, { options: (keyof Options)[]; run: (options: Options) => Promise<boolean> }> =
  {
    verify: { options: ['data-dir'], run: verify },
    export: { options: ['data-dir', 'format', 'from', 'to', 'price', 'out'], run: exportWindow },
    prove: { options: ['data-dir', 'trade', 'out'], run: prove },
    import: { options: ['data-dir', 'file', 'allow-unsigned', 'as-archive'], run: importFile },
  }

const ledgerDirectory = (options: Options): string => join(dataDirectoryOf(options), 'ledger')

async function verify(options: Options): Promise<boolean> {
  const report = await verifyLedger(ledgerDirectory(options))
  console.log(
    exactJson({
      ok: report.ok,
      records: report.records,
      trades: report.trades,
      head_hash: report.headHashHex,
      merkle_root: report.merkleRootHex,
      transparency_root: report.transparencyRootHex,
      sum_trm: report.sumTrm,
      signatures_checked: report.signaturesChecked,
      bad_trades: report.badTrades.map(({ index, tradeId, problem }) => ({
        index,
        trade_id: tradeId,
        problem,
      })),
      torn_bytes: report.tornBytes,
      writer_pid: report.writerPid,
    }),
  )
  return report.ok
}

async function exportWindow(options: Options): Promise<boolean> {
  const { format = 'json', from, to, price, out } = options
  if (format !== 'json' && format !== 'csv') throw new UsageError('--format is json or csv.')
  const nowMs = systemClock.nowMs()
  const statement = await exportStatement(ledgerDirectory(options), { from, to, price, nowMs })
  await write(format === 'csv' ? statementCsv(statement) : statementJson(statement), out)
  return true
}

async function prove(options: Options): Promise<boolean> {
  const { trade, out } = options
  if (!trade || !/^[0-9a-f]{64}$/.test(trade))
    throw new UsageError('--trade is the 64 hex digits of a trade.')
  const proof = await proveFromDisk(ledgerDirectory(options), trade)
  await write(`${JSON.stringify(inclusionJson(proof), null, 2)}\n`, out)
  return true
}

async function importFile(options: Options): Promise<boolean> {
  if (options.file === undefined) throw new UsageError('--file is missing.')
  const archive = options['as-archive'] === true
  if (archive && options['data-dir'] === undefined) throw new UsageError('--as-archive needs --data-dir.')
  const bytes = await readImport(options.file)
  const summary = readTiramiLedger(bytes, { allowUnsigned: options['allow-unsigned'] === true })
  const archivedAs = archive ? await archiveImport(dataDirectoryOf(options), bytes) : null
  console.log(
    exactJson({
      integrity: summary.integrity,
      sha256: summary.sha256Hex,
      nodes: summary.nodes,
      contributed_trm: summary.contributedTrm,
      consumed_trm: summary.consumedTrm,
      reserved_trm: summary.reservedTrm,
      trades: summary.trades,
      trades_v1: summary.tradesV1,
      trades_v2: summary.tradesV2,
      replayed_nonces: summary.replayedNonces,
      traded_trm: summary.tradedTrm,
      first_trade_ms: summary.firstTradeMs,
      last_trade_ms: summary.lastTradeMs,
      merkle_root: summary.merkleRootHex,
      sealed_trades: summary.sealedTrades,
      loans: summary.loans,
      booked: 0,
      archived_as: archivedAs,
    }),
  )
  return true
}

async function readImport(path: string): Promise<Buffer> {
  try {
    if ((await stat(path)).size <= IMPORT_BYTES_MAX) return await readFile(path)
  } catch (cause) {
    throw fileRefused(`${path} cannot be read.`, 'Check the name and its permissions.', cause)
  }
  throw fileRefused(`${path} is larger than 64 MiB.`, 'Import a ledger.json after its hourly checkpoint.')
}

/** A file that is there already is never replaced: it may be last month's statement. */
async function write(text: string, path: string | undefined): Promise<void> {
  if (path === undefined) {
    process.stdout.write(text)
    return
  }
  try {
    const handle = await open(path, 'wx', 0o600)
    try {
      await writeFile(handle, text)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw fileRefused(`${path} cannot be written.`, 'Name a new file in a directory of yours.', cause)
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments(OPTIONS)
  const [name = '', ...surplus] = positionals
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command || surplus.length > 0) throw new UsageError('Name one command.')
  assertKnown(name, values, command.options)
  if (!(await command.run(values))) process.exitCode = 1
}

runCommand(USAGE, main)
