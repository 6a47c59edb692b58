import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { diskStorage } from './index.ts'
import { encodeFrame, GENESIS, HEADER_BYTES, JOURNAL_HEADER, type JournalPosition } from './journal-format.ts'
import { scanRecords } from './journal-recovery.ts'
import { book, open, reserve, withDirectory } from './test-support.ts'

const verifier = fileURLToPath(new URL('../../e2e/verify-journal.mjs', import.meta.url))

function verify(path: string) {
  const { status, stdout } = spawnSync(process.execPath, [verifier, path], { encoding: 'utf8' })
  return { status, report: JSON.parse(stdout) }
}

async function someHistory(directory: string) {
  const ledger = await open(directory)
  for (let number = 0; number < 5; number++) await book(ledger, number)
  ledger.void(reserve(ledger), 'cancelled')
  const merkleRoot = ledger.merkleRootHex()
  await ledger.close()
  const { records, headHashHex } = ledger.journal()
  return { records, trades: 5, merkleRoot, headHash: headHashHex, ok: true }
}

/** Rewrites every record through `change`, with correct checksums and a correct chain. */
async function forge(path: string, change: (json: string) => string): Promise<Buffer> {
  const file = await diskStorage.open(path)
  const segment = { path, file, start: GENESIS, headerBytes: HEADER_BYTES }
  const frames: Uint8Array[] = [JOURNAL_HEADER]
  let at: JournalPosition = GENESIS
  await scanRecords(segment, GENESIS, await file.size(), ({ payload }) => {
    const { frame, after } = encodeFrame(Buffer.from(change(Buffer.from(payload).toString())), at)
    frames.push(frame)
    at = after
  })
  await file.close()
  return Buffer.concat(frames)
}

test('the independent verifier agrees with the ledger and catches flipped bytes', () =>
  withDirectory(async (directory) => {
    const expected = await someHistory(directory)
    const path = join(directory, 'journal.log')
    expect(verify(path)).toEqual({ status: 0, report: expected })
    const log = readFileSync(path)
    for (let position = 0; position < log.length; position += Math.ceil(log.length / 8)) {
      writeFileSync(
        path,
        log.map((byte, at) => (at === position ? byte ^ 16 : byte)),
      )
      const { status, report } = verify(path)
      expect([status, report.ok], `byte ${position}`).toEqual([1, false])
    }
  }))

test.each<[string, RegExp, (json: string) => string]>([
  ['a larger trade', /signature/, (json) => json.replaceAll('"amountTrm":"10"', '"amountTrm":"11"')],
  [
    'a smaller payment',
    /signed amount/,
    (json) => json.replace(/"amountTrm":"10","code"/, '"amountTrm":"9","code"'),
  ],
  [
    'another payee',
    /not the provider/,
    (json) => json.replace('"credit":"available:8a', '"credit":"available:8b'),
  ],
  ['another model', /signature/, (json) => json.replace('qwen2.5-0.5b', 'qwen2.5-7.0b')],
])('the independent verifier catches %s under a recomputed chain', (_what, why, change) =>
  withDirectory(async (directory) => {
    await someHistory(directory)
    const path = join(directory, 'journal.log')
    expect(await forge(path, (json) => json)).toEqual(readFileSync(path))
    writeFileSync(path, await forge(path, change))
    const { status, report } = verify(path)
    expect([status, report.ok]).toEqual([1, false])
    expect(report.error).toMatch(why)
  }),
)
