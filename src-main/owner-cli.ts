import { randomUUID } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { OwnerChange } from '../src-preload/contract/index.ts'
import { dataDirectoryOf, readArguments, runCommand, UsageError } from './command-line.ts'
import { aboutField, editOwnerFile, newOwnerFile, ownerFields, readOwnerFile } from './earning/index.ts'
import { TiramiError } from './kernel/index.ts'

const USAGE = `Usage: npm run console -- COMMAND [--data-dir DIR]

  list                     every setting, its value, its bounds and what it means
  get KEY                  one value, such as sentinel.daily_budget
  set KEY VALUE            changes owner.yaml; a running host notices within seconds; null takes a value away
  pause | resume           the host takes no work, or takes it again
  full-depth on|off        the thermostat rests at the most depth, or goes on
  check                    whether owner.yaml is good; its line and the reason where it is not

  --data-dir DIR           data directory of the host (default ~/.tirami-host)

Ends with 0 when all is well, 1 on a fault, 2 when the command was not understood.`

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw ownerFileRefused('read', error)
  }
}

/** In one step, so that the host never reads half a file. */
async function writeText(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, path)
  } catch (error) {
    throw ownerFileRefused('written', error)
  }
}

function ownerFileRefused(verb: 'read' | 'written', cause: unknown): TiramiError {
  return new TiramiError('OWNER_FILE_UNWRITABLE', `owner.yaml cannot be ${verb}.`, {
    nextStep: 'Start the host once, or name its data directory with --data-dir.',
    cause,
  })
}

/** `true`, `2.5`, `null` or a word. */
function parseValue(text: string): OwnerChange['value'] {
  if (text === 'true' || text === 'false') return text === 'true'
  if (text === 'null') return null
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}

function show(text: string, key?: string): void {
  const { values, problem } = readOwnerFile(text)
  if (!values) {
    throw new TiramiError('OWNER_FILE_INVALID', `Line ${problem.line ?? '?'}: ${problem.reason}`, {
      nextStep: 'Mend it in an editor.',
    })
  }
  const fields = ownerFields(values)
  if (key === undefined) {
    for (const { key: name, value, minimum, maximum, ...field } of fields) {
      const bounds = minimum === null && maximum === null ? '' : ` [${minimum ?? ''}…${maximum ?? ''}]`
      console.log(`${name}: ${String(value)}${bounds}  ${aboutField(field)}`)
    }
    return
  }
  const field = fields.find(({ key: name }) => name === key)
  if (!field) throw new UsageError(`There is no setting ${key}.`)
  console.log(String(field.value))
}

function changeOf(command: string, [first, second]: string[]): OwnerChange | null {
  if (command === 'pause') return { key: 'serving.paused', value: true }
  if (command === 'resume') return { key: 'serving.paused', value: false }
  if (command === 'full-depth' && (first === 'on' || first === 'off')) {
    return { key: 'serving.force_full_depth', value: first === 'on' }
  }
  if (command === 'set' && first !== undefined && second !== undefined) {
    return { key: first, value: parseValue(second) }
  }
  return null
}

const OPERANDS: Record<string, number> = {
  list: 0,
  get: 1,
  set: 2,
  pause: 0,
  resume: 0,
  'full-depth': 1,
  check: 0,
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments({})
  const [command = '', ...operands] = positionals
  if (!Object.hasOwn(OPERANDS, command) || OPERANDS[command] !== operands.length) {
    throw new UsageError('The command was not understood.')
  }
  const path = join(dataDirectoryOf(values), 'owner.yaml')
  const text = (await readText(path)) ?? newOwnerFile()
  if (command === 'list') return show(text)
  if (command === 'get') return show(text, operands[0])
  if (command === 'check') {
    const { ok, problem } = readOwnerFile(text)
    console.log(JSON.stringify({ ok, problem }))
    if (!ok) process.exitCode = 1
    return
  }
  const change = changeOf(command, operands)
  if (!change) throw new UsageError('The command was not understood.')
  await writeText(path, editOwnerFile(text, [change]))
  console.log(`${change.key}: ${String(change.value)}`)
}

runCommand(USAGE, main)
