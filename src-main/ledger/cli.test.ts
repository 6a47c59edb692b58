import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { encodeFrame, GENESIS, JOURNAL_HEADER, type JournalPosition } from './journal-format.ts'
import { exportStatement, proveFromDisk, verifyLedger } from './offline.ts'
import { book, open, PROVIDER, reserve, T0, withDirectory } from './test-support.ts'
import { integrityHash } from './tirami-import.ts'

const program = fileURLToPath(new URL('../ledger-cli.ts', import.meta.url))

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** Every file below `directory` with its content and time of change. */
function picture(directory: string) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(directory, name)
      return statSync(path).isFile()
        ? [name, readFileSync(path).toString('hex'), statSync(path).mtimeMs]
        : [name]
    })
}

async function someLedger(data: string) {
  const ledger = await open(join(data, 'ledger'))
  const first = await book(ledger, 0)
  const second = await book(ledger, 1, { amountTrm: 7n, timestampMs: BigInt(T0 + 60_000) })
  ledger.void(reserve(ledger), 'cancelled')
  const facts = {
    merkle_root: ledger.merkleRootHex(),
    transparency_root: ledger.transparency().rootHex,
  }
  await ledger.close()
  const { records, headHashHex } = ledger.journal()
  return { first, second, report: { records, head_hash: headHashHex, ...facts } }
}

test('the command line verifies, exports and proves, and leaves the ledger as it was', () =>
  withDirectory(async (data) => {
    const { second, report } = await someLedger(data)
    const before = picture(data)
    const verified = run('verify', '--data-dir', data)
    expect(JSON.parse(verified.stdout)).toEqual({
      ok: true,
      ...report,
      trades: 2,
      sum_trm: 0,
      signatures_checked: 4,
      bad_trades: [],
      torn_bytes: 0,
      writer_pid: null,
    })
    expect(verified.status).toBe(0)

    const csv = run('export', '--data-dir', data, '--format', 'csv', '--from', '2023-11-14', '--price', '0.5')
    const line = csv.stdout.split('\r\n').find((row) => row.startsWith(PROVIDER.publicKeyHex))
    expect(line).toContain(`${PROVIDER.publicKeyHex},17,0,17,2,8.5,0.5,`)
    expect(picture(data)).toEqual(before)

    const proof = run('prove', '--data-dir', data, '--trade', second.tradeId, '--out', join(data, 'p.json'))
    expect(proof).toEqual({ status: 0, stdout: '', stderr: '' })
    const verifier = fileURLToPath(new URL('../../e2e/verify-proof.mjs', import.meta.url))
    const head = `2:${report.transparency_root}`
    expect(spawnSync(process.execPath, [verifier, join(data, 'p.json'), '--head', head]).status).toBe(0)
    const again = run('prove', '--data-dir', data, '--trade', second.tradeId, '--out', join(data, 'p.json'))
    expect(again.status).toBe(1)
    expect(again.stderr).toContain('FILE_REFUSED')
  }))

test('the command line says what is wrong and how to go on', () =>
  withDirectory(async (data) => {
    const missing = run('verify', '--data-dir', join(data, 'none'))
    expect([missing.status, missing.stdout]).toEqual([1, ''])
    expect(missing.stderr).toMatch(/^LEDGER_NOT_FOUND: .*--data-dir/)
    expect(existsSync(join(data, 'none'))).toBe(false)
    for (const args of [['sell'], ['verify', '--price', '1'], ['prove']]) {
      const { status, stderr } = run(...args)
      expect([status, /Usage: npm run ledger/.test(stderr)], args.join(' ')).toEqual([2, true])
    }
  }))

test('an import is checked, archived byte for byte, and books nothing', () =>
  withDirectory(async (data) => {
    await someLedger(data)
    const journal = readFileSync(join(data, 'ledger/journal.log'))
    const snapshot = JSON.stringify({ balances: [], trade_log: [] }, null, 2)
    const file = join(data, 'theirs.json')
    writeFileSync(file, JSON.stringify({ data: snapshot, integrity_hash: integrityHash(snapshot) }))
    const imported = run('import', '--file', file, '--data-dir', data, '--as-archive')
    const summary = JSON.parse(imported.stdout)
    expect(summary).toMatchObject({ integrity: 'hmac', booked: 0, trades: 0 })
    expect(readFileSync(summary.archived_as)).toEqual(readFileSync(file))
    const sum = createHash('sha256').update(readFileSync(file)).digest('hex')
    expect(readFileSync(`${summary.archived_as}.sha256`, 'utf8')).toMatch(new RegExp(`^${sum}  ledger-`))
    if (process.platform !== 'win32') expect(statSync(summary.archived_as).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(data, 'ledger/journal.log'))).toEqual(journal)

    writeFileSync(file, snapshot)
    const refused = run('import', '--file', file, '--data-dir', data, '--as-archive')
    expect([refused.status, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr).toMatch(/^IMPORT_UNSIGNED: .*--allow-unsigned/)
    expect(readdirSync(join(data, 'imported'))).toHaveLength(2)
  }))

test('a running host is read up to what it acknowledged, and is not disturbed', () =>
  withDirectory(async (data) => {
    const directory = join(data, 'ledger')
    const ledger = await open(directory)
    const { tradeId } = await book(ledger, 0)
    reserve(ledger)
    const report = await verifyLedger(directory)
    expect(report).toMatchObject({ ok: true, trades: 1, tornBytes: 0, writerPid: process.pid })
    expect(report.transparencyRootHex).toBe(ledger.transparency().rootHex)
    expect(await proveFromDisk(directory, tradeId)).toEqual(await ledger.proveInclusion(tradeId))
    await book(ledger, 1)
    expect((await verifyLedger(directory)).trades).toBe(2)
    await ledger.close()
  }))

test('an unfinished write is reported and left, damage is refused', () =>
  withDirectory(async (data) => {
    await someLedger(data)
    const [directory, path] = [join(data, 'ledger'), join(data, 'ledger/journal.log')]
    const journal = readFileSync(path)
    writeFileSync(path, Buffer.concat([journal, Buffer.alloc(20, 1)]))
    const before = picture(directory)
    expect(await verifyLedger(directory)).toMatchObject({ ok: true, tornBytes: 20 })
    expect(picture(directory)).toEqual(before)
    const damaged = expect.objectContaining({ code: 'JOURNAL_DAMAGED' })
    for (const at of [0, 100, journal.length - 1]) {
      writeFileSync(path, journal.with(at, (journal[at] ?? 0) ^ 1))
      await expect(verifyLedger(directory)).rejects.toEqual(damaged)
    }
    writeFileSync(path, journal.subarray(0, -1))
    await expect(exportStatement(directory, { nowMs: T0 })).rejects.toEqual(damaged)
  }))

/** Rewrites every record through `change`, with correct checksums and a correct chain. */
function forge(journal: Buffer, change: (json: string) => string): Buffer {
  const frames: Uint8Array[] = [JOURNAL_HEADER]
  let position: JournalPosition = GENESIS
  for (let at = JOURNAL_HEADER.length; at < journal.length; ) {
    const length = journal.readUInt32LE(at)
    const payload = change(journal.subarray(at + 8, at + 8 + length).toString())
    const { frame, after } = encodeFrame(Buffer.from(payload), position)
    frames.push(frame)
    position = after
    at += 8 + length + 32
  }
  return Buffer.concat(frames)
}

test.each<[string, string, (json: string) => string]>([
  ['provider', 'the signature of the provider is not valid', (json) => json.replace('qwen2.5', 'qwen9.9')],
  [
    'consumer',
    'the signature of the consumer is not valid',
    (json) => json.replace(/("consumerSignature":")../, '$100'),
  ],
  ['nonce', 'its nonce is all zero', (json) => json.replace(/("nonce":")00000001/, '$100000000')],
])('a forged trade under a recomputed chain is named: %s', (_what, problem, change) =>
  withDirectory(async (data) => {
    const { first } = await someLedger(data)
    const forged = join(data, 'forged')
    cpSync(join(data, 'ledger'), forged, { recursive: true })
    const journal = readFileSync(join(forged, 'journal.log'))
    let changed = false
    const once = (json: string): string => {
      const after = changed ? json : change(json)
      changed ||= after !== json
      return after
    }
    writeFileSync(join(forged, 'journal.log'), forge(journal, once))
    await expect(verifyLedger(forged), 'the head remembers').rejects.toThrow(/journal.head/)
    writeFileSync(join(forged, 'journal.head'), '')
    const report = await verifyLedger(forged)
    expect(report).toMatchObject({ ok: false, trades: 2, badTrades: [{ index: 0, problem }] })
    expect(report.merkleRootHex === first.tradeId).toBe(false)
  }),
)
