import { randomUUID } from 'node:crypto'
import { link, open, readFile, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import {
  BACKUP_BYTES_MAX,
  type BackupSummary,
  createBackup,
  restoreBackup,
  verifyBackup,
} from './backup/index.ts'
import {
  assertKnown,
  dataDirectoryOf,
  fileRefused,
  readArguments,
  runCommand,
  UsageError,
} from './command-line.ts'
import { systemClock, TiramiError } from './kernel/index.ts'

const USAGE = `Usage: npm run keys -- COMMAND FILE [OPTIONS]

  backup  FILE [--data-dir DIR] [--with-ledger]   writes every key of the host into one encrypted, new file
  verify  FILE                                    opens a backup and says what is in it; changes nothing
  restore FILE [--data-dir DIR]                   puts the keys back; those that were there are set aside

  --data-dir DIR        data directory of the host (default ~/.tirami-host)
  --with-ledger         takes the ledger's journal along
  --password-file PATH  first line is the password (default: asked for, or read from standard input)

A running host may be backed up; restore refuses while one runs there. Ends with 0 when all is well, 1 on a fault, 2
when the command was not understood. docs/backup.md has the rest.`

const OPTIONS = { 'with-ledger': { type: 'boolean' }, 'password-file': { type: 'string' } } as const
type Options = ReturnType<typeof readArguments<typeof OPTIONS>>['values']

async function backup(file: string, options: Options): Promise<void> {
  const password = await readPassword(options, { twice: true })
  const { text, summary } = await createBackup({
    dataDirectory: dataDirectoryOf(options),
    password,
    withLedger: options['with-ledger'] === true,
    clock: systemClock,
  })
  await writeNew(file, text)
  print(summary, { file: resolve(file) })
}

async function verify(file: string, options: Options): Promise<void> {
  const text = await readBackup(file)
  print(await verifyBackup(text, await readPassword(options, { twice: false })))
}

async function restore(file: string, options: Options): Promise<void> {
  const text = await readBackup(file)
  const password = await readPassword(options, { twice: false })
  const restored = await restoreBackup(dataDirectoryOf(options), { text, password })
  print(restored, { data_directory: dataDirectoryOf(options), set_aside: restored.setAside })
}

function print({ nodeId, createdAtMs, keys, journalBytes }: BackupSummary, more: object = {}): void {
  const summary = {
    node_id: nodeId,
    created_at: new Date(createdAtMs).toISOString(),
    keys,
    journal_bytes: journalBytes,
  }
  console.log(JSON.stringify({ ...summary, ...more }))
}

async function readBackup(path: string): Promise<string> {
  try {
    if ((await stat(path)).size <= BACKUP_BYTES_MAX) return await readFile(path, 'latin1')
  } catch (cause) {
    throw fileRefused(`${path} cannot be read.`, 'Check the name and its permissions.', cause)
  }
  throw fileRefused(`${path} is larger than any backup.`, 'Name the file that was written as the backup.')
}

/** Whole or not at all; a file that is there already is never replaced: it may be the last good backup. */
async function writeNew(path: string, text: string): Promise<void> {
  const draft = join(dirname(resolve(path)), `.${randomUUID()}.tmp`)
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(draft, path).finally(() => unlink(draft))
  } catch (cause) {
    throw fileRefused(`${path} cannot be written.`, 'Name a new file in a directory of yours.', cause)
  }
}

/** Never an argument: the list of processes shows those to everybody. */
async function readPassword(options: Options, { twice }: { twice: boolean }): Promise<string> {
  const path = options['password-file']
  if (path !== undefined) {
    const content = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw fileRefused(`${path} cannot be read.`, 'Check the name and its permissions.', cause)
    })
    return content.split(/\r?\n/)[0] ?? ''
  }
  if (!process.stdin.isTTY) return askLine('')
  const password = await askLine('Password of the backup: ')
  if (twice && (await askLine('Once more: ')) !== password) {
    throw new TiramiError('BACKUP_PASSWORDS_DIFFER', 'The two passwords are not the same.', {
      nextStep: 'Run the command again.',
    })
  }
  return password
}

/** One line of standard input, which is not shown while it is typed. */
function askLine(question: string): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({
    input: process.stdin,
    output: silent,
    terminal: process.stdin.isTTY === true,
  })
  return new Promise((answer) => {
    lines.once('line', (line) => {
      answer(line)
      lines.close()
      if (question !== '') process.stderr.write('\n')
    })
    lines.once('close', () => answer(''))
  })
}

const COMMANDS: Record<
  string,
  { options: (keyof Options)[]; run: (file: string, options: Options) => Promise<void> }
> = {
  backup: { options: ['data-dir', 'with-ledger', 'password-file'], run: backup },
  verify: { options: ['password-file'], run: verify },
  restore: { options: ['data-dir', 'password-file'], run: restore },
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments(OPTIONS)
  const [name = '', file, ...surplus] = positionals
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command || file === undefined || surplus.length > 0)
    throw new UsageError('Name one command and one file.')
  assertKnown(name, values, command.options)
  await command.run(file, values)
}

runCommand(USAGE, main)
