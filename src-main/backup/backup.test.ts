import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesFromHex, keyPairFromSeed, systemRng, TiramiError } from '../kernel/index.ts'
import { lockDirectory, verifyLedger } from '../ledger/index.ts'
import { book, open as openLedger, T0 } from '../ledger/test-support.ts'
import {
  cancelRestore,
  createBackup,
  finishPendingRestore,
  finishRestore,
  pendingRestore,
  restoreBackup,
  stageRestore,
  verifyBackup,
} from './backup.ts'
import { type Disk, systemDisk } from './disk.ts'
import { seal } from './envelope.ts'

const PASSWORD = 'correct horse battery'
const clock = { nowMs: () => T0 }
const COST = { costLog2: 14 }
const program = fileURLToPath(new URL('../keys-cli.ts', import.meta.url))

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tirami-backup-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const seedOf = (byte: number) => byte.toString(16).padStart(2, '0').repeat(32)

/** A data directory whose node key is made of one byte. */
function dataDirectory(name: string, byte: number): string {
  const path = join(root, name)
  mkdirSync(join(path, 'keys'), { recursive: true })
  for (const [key, offset] of [
    ['node', 0],
    ['window', 1],
    ['local', 2],
    ['mesh', 3],
  ] as const) {
    writeFileSync(join(path, 'keys', `${key}.key`), `${seedOf(byte + offset)}\n`, { mode: 0o600 })
  }
  writeFileSync(join(path, 'api-key'), `sk-tirami-${seedOf(byte)}\n`, { mode: 0o600 })
  return path
}

const backupOf = async (directory: string, withLedger = false) =>
  (await createBackup({ dataDirectory: directory, password: PASSWORD, withLedger, clock, ...COST })).text

/** Every file below `directory` with its content; locks and empty folders are left out. */
function picture(directory: string): Record<string, string> {
  const names = existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: 'utf8' }) : []
  return Object.fromEntries(
    names
      .filter((name) => statSync(join(directory, name)).isFile() && !/(^|\/)lock/.test(name))
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(directory, name)))
          .digest('hex'),
      ]),
  )
}

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof TiramiError) return error.code
      throw error
    },
  )

/** With a checksum that fits: as somebody would write who alters a file on purpose. */
function rechecked(text: string): string {
  const body = text.split('\n').slice(0, 3).join('\n')
  return `${body}\nsha256 ${createHash('sha256').update(`${body}\n`).digest('hex')}\n`
}

describe('a backup', () => {
  it('brings every key back in an empty directory, readable by the owner only', async () => {
    const old = dataDirectory('old', 1)
    const text = await backupOf(old)
    const fresh = join(root, 'fresh')
    const restored = await restoreBackup(fresh, { text, password: PASSWORD })
    expect(picture(fresh)).toEqual(picture(old))
    expect(restored).toMatchObject({
      keys: ['local', 'mesh', 'node', 'window'],
      journalBytes: null,
      setAside: null,
    })
    expect(restored.nodeId).toBe(keyPairFromSeed(bytesFromHex(seedOf(1))).publicKeyHex)
    expect(statSync(join(fresh, 'keys/node.key')).mode & 0o777).toBe(0o600)
    expect(statSync(join(fresh, 'api-key')).mode & 0o777).toBe(0o600)
    expect(readdirSync(fresh).sort()).toEqual(['api-key', 'keys', 'ledger'])
  })

  it('holds no key in the clear, and no two are alike', async () => {
    const old = dataDirectory('old', 1)
    const [text, again] = [await backupOf(old), await backupOf(old)]
    expect(text).not.toContain(seedOf(1))
    expect(text.split('\n')[2]).not.toBe(again.split('\n')[2])
  })

  it('sets aside what was there, another node’s ledger included', async () => {
    const text = await backupOf(dataDirectory('old', 7))
    const other = dataDirectory('other', 50)
    const ledger = await openLedger(join(other, 'ledger'))
    await book(ledger, 0)
    await ledger.close()
    const before = picture(other)
    const { setAside } = await restoreBackup(other, { text, password: PASSWORD })
    expect(picture(setAside ?? '')).toEqual(before)
    expect(readFileSync(join(other, 'keys/node.key'), 'utf8').trim()).toBe(seedOf(7))
    expect(existsSync(join(other, 'ledger/journal.log'))).toBe(false)
    // A second one finds another name.
    const { setAside: second } = await restoreBackup(other, { text, password: PASSWORD })
    expect(second).not.toBe(setAside)
    expect(picture(setAside ?? '')).toEqual(before)
  })

  it('leaves the ledger that the node has a part in', async () => {
    // Trades of the ledger's tests are by the node whose key is all ones.
    const text = await backupOf(dataDirectory('old', 1))
    const lostKeys = dataDirectory('lost', 50)
    const ledger = await openLedger(join(lostKeys, 'ledger'))
    await book(ledger, 0)
    await ledger.close()
    const mine = keyPairFromSeed(new Uint8Array(32).fill(1)).publicKeyHex
    expect((await verifyBackup(text, PASSWORD)).nodeId).toBe(mine)
    await restoreBackup(lostKeys, { text, password: PASSWORD })
    expect((await verifyLedger(join(lostKeys, 'ledger'))).trades).toBe(1)
  })

  it('takes the ledger along when asked, also while it is open', async () => {
    const old = dataDirectory('old', 1)
    const ledger = await openLedger(join(old, 'ledger'))
    await book(ledger, 0)
    const merkleRootHex = ledger.merkleRootHex()
    const text = await backupOf(old, true)
    await ledger.close()
    const fresh = join(root, 'fresh')
    expect((await restoreBackup(fresh, { text, password: PASSWORD })).journalBytes).toBeGreaterThan(0)
    expect(await verifyLedger(join(fresh, 'ledger'))).toMatchObject({ ok: true, trades: 1, merkleRootHex })
  })

  it('is refused where there are no keys, and with a short password', async () => {
    const options = { password: PASSWORD, withLedger: false, clock, ...COST }
    expect(await codeOf(createBackup({ ...options, dataDirectory: join(root, 'none') }))).toBe(
      'BACKUP_NOTHING_THERE',
    )
    const old = dataDirectory('old', 1)
    expect(await codeOf(createBackup({ ...options, dataDirectory: old, password: 'short' }))).toBe(
      'BACKUP_PASSWORD_SHORT',
    )
  })
})

describe('a hostile or damaged file', () => {
  it('any flipped bit and any cut is found without a password', async () => {
    const text = await backupOf(dataDirectory('old', 1))
    const bytes = Buffer.from(text, 'latin1')
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length * 8 - 1), async (bit) => {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const code = await codeOf(verifyBackup(flipped.toString('latin1'), PASSWORD))
        expect(code).toMatch(/^BACKUP_(DAMAGED|NOT_ONE|VERSION_UNKNOWN)$/)
      }),
      { numRuns: 500 },
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
        const code = await codeOf(verifyBackup(text.slice(0, length), PASSWORD))
        expect(code).toMatch(/^BACKUP_(DAMAGED|NOT_ONE|VERSION_UNKNOWN)$/)
      }),
    )
    expect(await codeOf(verifyBackup(`${text}x`, PASSWORD))).toBe('BACKUP_DAMAGED')
  })

  it('an alteration whose checksum was made to fit does not open', async () => {
    const text = await backupOf(dataDirectory('old', 1))
    const [magic = '', header = '', body = ''] = text.split('\n')
    const at = (line: string, index: number) =>
      line.slice(0, index) + (line[index] === 'A' ? 'B' : 'A') + line.slice(index + 1)
    const other = 'ab'.repeat(32)
    const altered = [
      [magic, header.replace(/"nodeId":"[0-9a-f]{64}"/, `"nodeId":"${other}"`), body],
      [magic, header.replace(String(T0), String(T0 + 1)), body],
      // White space changes no value: the bytes themselves are authenticated.
      [magic, header.replace(':', ': '), body],
      [magic, header, at(body, 0)],
      [magic, header, at(body, Math.floor(body.length / 2))],
      [magic, header, at(body, body.length - 8)],
    ]
    for (const lines of altered) {
      expect(await codeOf(verifyBackup(rechecked(`${lines.join('\n')}\n`), PASSWORD))).toBe(
        'BACKUP_PASSWORD_WRONG',
      )
    }
  })

  it.each([
    ['a cost of terabytes', (header: string) => header.replace('"costLog2":14', '"costLog2":40')],
    [
      'a cost that is no whole number',
      (header: string) => header.replace('"costLog2":14', '"costLog2":14.5'),
    ],
    ['no cost to speak of', (header: string) => header.replace('"costLog2":14', '"costLog2":1')],
    ['a large block', (header: string) => header.replace('"blockSize":8', '"blockSize":1048576')],
    ['many lanes', (header: string) => header.replace('"parallelisation":1', '"parallelisation":1e9')],
    ['a field more', (header: string) => header.replace('{', '{"x":1,')],
    ['a prototype', (header: string) => header.replace('{', '{"__proto__":{"x":1},')],
    ['no header', () => 'null'],
    ['a deep header', () => '['.repeat(100_000)],
  ])('%s is refused before any of it is spent', async (_name, alter) => {
    const [magic = '', header = '', body = ''] = (await backupOf(dataDirectory('old', 1))).split('\n')
    const text = rechecked(`${magic}\n${alter(header)}\n${body}\n`)
    expect(await codeOf(verifyBackup(text, PASSWORD))).toBe('BACKUP_DAMAGED')
  })

  const sealed = (content: Uint8Array) =>
    seal(content, PASSWORD, { nodeId: 'ab'.repeat(32), createdAtMs: T0 }, { rng: systemRng, ...COST })
  const keys = { node: seedOf(1), window: seedOf(2), local: seedOf(3) }
  it.each([
    ['not compressed', Buffer.from('{}')],
    ['a bomb', gzipSync(Buffer.alloc(300 * 2 ** 20))],
    ['no JSON', gzipSync('{')],
    [
      'a key that leaves its folder',
      gzipSync(JSON.stringify({ keys: { ...keys, '../x': 'y' }, apiKey: 'a'.repeat(16), journal: null })),
    ],
    [
      'a journal that does',
      gzipSync(
        JSON.stringify({ keys, apiKey: 'a'.repeat(16), journal: [{ name: '../journal.log', base64: '' }] }),
      ),
    ],
    [
      'no node key',
      gzipSync(
        JSON.stringify({
          keys: { window: seedOf(2), local: seedOf(3) },
          apiKey: 'a'.repeat(16),
          journal: null,
        }),
      ),
    ],
    ['another node’s name', gzipSync(JSON.stringify({ keys, apiKey: 'a'.repeat(16), journal: null }))],
  ])('content that somebody with the password made up is refused: %s', async (_name, content) => {
    expect(await codeOf(verifyBackup(await sealed(content), PASSWORD))).toBe('BACKUP_DAMAGED')
  })

  it('a ledger that does not hold together is refused, and nothing is changed', async () => {
    const old = dataDirectory('old', 1)
    const ledger = await openLedger(join(old, 'ledger'))
    await book(ledger, 0)
    await ledger.close()
    const journal = join(old, 'ledger/journal.log')
    const bytes = readFileSync(journal)
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1
    writeFileSync(journal, bytes)
    const text = await backupOf(old, true)
    const other = dataDirectory('other', 50)
    const before = picture(other)
    expect(await codeOf(restoreBackup(other, { text, password: PASSWORD }))).toBe('BACKUP_LEDGER_BAD')
    expect(picture(other)).toEqual(before)
  })

  it('a wrong password changes nothing; the right one is found however its accents are typed', async () => {
    const old = dataDirectory('old', 1)
    const options = { dataDirectory: old, withLedger: false, clock, ...COST }
    const { text } = await createBackup({ ...options, password: 'pässwörter-10' })
    const other = dataDirectory('other', 50)
    const before = picture(other)
    expect(await codeOf(restoreBackup(other, { text, password: 'passworter-10' }))).toBe(
      'BACKUP_PASSWORD_WRONG',
    )
    expect(picture(other)).toEqual(before)
    expect(readdirSync(other).filter((name) => name.includes('restore'))).toEqual([])
    expect(await codeOf(verifyBackup(text, 'pässwörter-10'.normalize('NFD')))).toBe('accepted')
  })
})

describe('a restore', () => {
  it('is refused while a host runs there', async () => {
    const text = await backupOf(dataDirectory('old', 1))
    const other = dataDirectory('other', 50)
    mkdirSync(join(other, 'ledger'))
    const unlock = await lockDirectory(join(other, 'ledger'))
    const before = picture(other)
    expect(await codeOf(restoreBackup(other, { text, password: PASSWORD }))).toBe('LEDGER_LOCKED')
    expect(picture(other)).toEqual(before)
    // A running host takes it and leaves it to its next start.
    await stageRestore(other, { text, password: PASSWORD })
    expect(await codeOf(stageRestore(other, { text, password: PASSWORD }))).toBe('BACKUP_RESTORE_PENDING')
    expect(readFileSync(join(other, 'keys/node.key'), 'utf8').trim()).toBe(seedOf(50))
    await unlock()
    expect((await finishPendingRestore(other))?.setAside).toContain('before-restore')
    expect(readFileSync(join(other, 'keys/node.key'), 'utf8').trim()).toBe(seedOf(1))
    expect(await finishPendingRestore(other)).toBeNull()
  })

  it('that waits can be taken back', async () => {
    const text = await backupOf(dataDirectory('old', 1))
    const other = dataDirectory('other', 50)
    const before = picture(other)
    await stageRestore(other, { text, password: PASSWORD })
    expect(await pendingRestore(other)).toMatchObject({ journalBytes: null })
    await cancelRestore(other)
    expect(picture(other)).toEqual(before)
  })

  it('cut off at any step is all done or not begun after the next start', async () => {
    const old = dataDirectory('old', 1)
    const mine = await openLedger(join(old, 'ledger'))
    await book(mine, 0)
    await mine.close()
    const text = await backupOf(old, true)
    for (let step = 1; ; step++) {
      const other = dataDirectory(`other-${step}`, 50)
      mkdirSync(join(other, 'ledger'))
      writeFileSync(join(other, 'ledger/journal.log'), 'what was there')
      const before = picture(other)
      const died = await untilStep(step, async (disk) => {
        await stageRestore(other, { text, password: PASSWORD }, disk)
        await finishRestore(other, disk)
      })
      await finishPendingRestore(other)
      const after = picture(other)
      const aside = readdirSync(other).find((name) => name.startsWith('before-restore'))
      if (aside === undefined) expect(withoutDrafts(after)).toEqual(before)
      else {
        expect(picture(join(other, aside))).toEqual(before)
        expect(after['keys/node.key']).toBe(picture(old)['keys/node.key'])
        expect(after['api-key']).toBe(picture(old)['api-key'])
        expect(after['ledger/journal.log']).toBe(picture(old)['ledger/journal.log'])
      }
      if (!died) {
        expect(step).toBeGreaterThan(20)
        expect(aside).toBeDefined()
        return
      }
    }
  })
})

const withoutDrafts = (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !name.startsWith('.restore-')))

/** Runs `action` on a disk that stops working with its `step`-th change. @returns whether it came to that */
async function untilStep(step: number, action: (disk: Disk) => Promise<void>): Promise<boolean> {
  let left = step
  const counted = <Arguments extends unknown[]>(change: (...given: Arguments) => Promise<void>) => {
    return async (...given: Arguments) => {
      if (--left <= 0) throw new Error('the power is gone')
      await change(...given)
    }
  }
  const disk: Disk = {
    ...systemDisk,
    makeDirectory: counted(systemDisk.makeDirectory),
    writeFile: counted(systemDisk.writeFile),
    rename: counted(systemDisk.rename),
    remove: counted(systemDisk.remove),
    syncDirectory: counted(systemDisk.syncDirectory),
  }
  try {
    await action(disk)
    return false
  } catch (error) {
    if (left > 0) throw error
    return true
  }
}

describe('the command line', () => {
  const run = (input: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      encoding: 'utf8',
      input,
    })
    return { status, stdout, stderr }
  }

  it('backs up, verifies and restores, and never replaces a file', () => {
    const old = dataDirectory('old', 1)
    const file = join(root, 'mine.tirami-backup')
    const made = run(`${PASSWORD}\n`, 'backup', file, '--data-dir', old)
    expect(made.stderr).toBe('')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { node_id: nodeId } = JSON.parse(made.stdout) as { node_id: string }
    expect(run(`${PASSWORD}\n`, 'backup', file, '--data-dir', old).stderr).toMatch(/^FILE_REFUSED/)
    expect(readdirSync(root).sort()).toEqual(['mine.tirami-backup', 'old'])
    const fresh = join(root, 'fresh')
    const wrong = run('another password\n', 'restore', file, '--data-dir', fresh)
    expect(wrong.status).toBe(1)
    expect(wrong.stderr).toMatch(/^BACKUP_PASSWORD_WRONG/)
    expect(picture(fresh)).toEqual({})
    const passwordFile = join(root, 'password')
    writeFileSync(passwordFile, `${PASSWORD}\n`)
    expect(JSON.parse(run('', 'verify', file, '--password-file', passwordFile).stdout)).toMatchObject({
      node_id: nodeId,
      journal_bytes: null,
    })
    expect(run(`${PASSWORD}\n`, 'restore', file, '--data-dir', fresh).status).toBe(0)
    expect(picture(fresh)).toEqual(picture(old))
    expect(run('', 'restore').status).toBe(2)
    expect(run('', 'verify', file, '--with-ledger').status).toBe(2)
  })
})
