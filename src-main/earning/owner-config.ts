import { isMap, isScalar, LineCounter, type Pair, parseDocument, type Scalar, stringify } from 'yaml'
import { z } from 'zod'
import {
  type OwnerChange,
  type OwnerField,
  type OwnerFileProblem,
  OwnerValues,
} from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { ownerFault, valueFault, yamlFault } from './owner-faults.ts'

/** One value that is no longer what it was. */
export interface OwnerDifference {
  key: string
  old: OwnerChange['value']
  new: OwnerChange['value']
}

export type OwnerFileReading =
  | { ok: true; values: OwnerValues; problem: null }
  | { ok: false; values: null; problem: OwnerFileProblem }

export const OWNER_FILE_BYTES_MAX = 65_536

type Document = ReturnType<typeof parseDocument>

/** Reads the text of `owner.yaml`. Anything that is not fully understood is refused, with its line. */
export function readOwnerFile(text: string): OwnerFileReading {
  try {
    return readChecked(text)
  } catch {
    // The parser gives up on nesting that no owner writes.
    return refused(ownerFault('unreadable'))
  }
}

function readChecked(text: string): OwnerFileReading {
  if (Buffer.byteLength(text) > OWNER_FILE_BYTES_MAX) {
    return refused(ownerFault('too-large', null, { bytes: OWNER_FILE_BYTES_MAX }))
  }
  const { document, lines } = parse(text)
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault) return refused(yamlFault(fault, lines.linePos(fault.pos[0]).line))
  const parsed = OwnerValues.safeParse(withoutEmptySections(document.toJS()))
  if (parsed.success) return { ok: true, values: parsed.data, problem: null }
  const issue = parsed.error.issues[0]
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].map(String)
  const offset = offsetOf(document, path)
  return refused(valueFault(path.join('.'), issue, offset === null ? null : lines.linePos(offset).line))
}

const refused = (problem: OwnerFileProblem): OwnerFileReading => ({ ok: false, values: null, problem })

function parse(text: string): { document: Document; lines: LineCounter } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  return { document, lines }
}

/** A section whose every line is commented out is empty, not wrong. */
function withoutEmptySections(content: unknown): unknown {
  if (content === null) return {}
  if (typeof content !== 'object' || Array.isArray(content)) return content
  return Object.fromEntries(Object.entries(content).filter(([, section]) => section !== null))
}

/** Where `path`, or as much of it as is there, begins in the text. */
function offsetOf(document: Document, path: readonly string[]): number | null {
  let node: unknown = document.contents
  let offset: number | null = null
  for (const name of path) {
    const pair = pairOf(node, name)
    if (!pair) break
    offset = pair.key.range?.[0] ?? offset
    node = pair.value
  }
  return offset
}

/**
 * The text with `wishes` made: all or none. Comments and everything else stay as they are.
 * @throws TiramiError OWNER_KEY_UNKNOWN, OWNER_VALUE_INVALID (400); OWNER_FILE_INVALID (409) when the file has a fault
 * that the wishes do not mend
 */
export function editOwnerFile(text: string, wishes: readonly OwnerChange[]): string {
  // Of two wishes for one value the last counts.
  const changes = [...new Map(wishes.map((wish) => [wish.key, wish])).values()]
  const known = new Set(ownerFields(OwnerValues.parse({})).map(({ key }) => key))
  for (const { key } of changes) if (!known.has(key)) throw unknownKey()
  const before = readOwnerFile(text)
  if (before.ok) {
    const wanted = OwnerValues.safeParse(withChanges(before.values, changes))
    if (!wanted.success) throw invalidValue(wanted.error.issues[0])
  }
  let edited = text
  for (const change of changes) edited = withChange(edited, change, before.problem)
  const after = readOwnerFile(edited)
  if (!after.ok) throw invalidFile(after.problem)
  const isMade = ({ key, value }: OwnerChange) => valueAt(after.values, key) === value
  const others = before.ok ? ownerDifferences(withChanges(before.values, changes), after.values) : []
  // An anchor would carry the change to places that nobody asked to change.
  if (!changes.every(isMade) || others.length > 0) throw sharedValue()
  return edited
}

function withChanges(values: OwnerValues, changes: readonly OwnerChange[]): OwnerValues {
  const copy = structuredClone(values) as Record<string, Record<string, unknown>>
  for (const { key, value } of changes) {
    const [section = '', name = ''] = key.split('.')
    ;(copy[section] as Record<string, unknown>)[name] = value
  }
  return copy as OwnerValues
}

function withChange(text: string, change: OwnerChange, problem: OwnerFileProblem | null): string {
  const { document } = parse(text)
  if (document.errors.length > 0) throw invalidFile(problem)
  const careful = withCharacters(text, document, change)
  if (careful !== null && holds(careful, change)) return careful
  const [section = '', name = ''] = change.key.split('.')
  if (!isMap(document.contents)) document.contents = document.createNode({})
  if (!isMap(document.get(section))) document.set(section, document.createNode({}))
  document.setIn([section, name], change.value)
  return document.toString({ lineWidth: 0 })
}

function holds(text: string, { key, value }: OwnerChange): boolean {
  const { document } = parse(text)
  return document.errors.length === 0 && document.getIn(key.split('.')) === value
}

/** Replaces or inserts the value's own characters and touches no other; null where that cannot be done. */
function withCharacters(text: string, document: Document, { key, value }: OwnerChange): string | null {
  const [sectionName = '', name = ''] = key.split('.')
  const written = yamlScalar(value)
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const insert = (offset: number, part: string) => `${text.slice(0, offset)}${part}${text.slice(offset)}`
  const section = pairOf(document.contents, sectionName)
  if (!section) {
    const gap = text === '' || text.endsWith('\n') ? '' : newline
    return `${text}${gap}${sectionName}:${newline}  ${name}: ${written}${newline}`
  }
  const pair = pairOf(section.value, name)
  if (!pair) {
    const map = isMap(section.value) ? section.value : null
    if (map?.flow) {
      return insert((map.range?.[0] ?? 0) + 1, `${name}: ${written}${map.items.length > 0 ? ', ' : ''}`)
    }
    const lineEnd = text.indexOf('\n', section.key.range?.[1])
    if (lineEnd === -1) return `${text}${newline}  ${name}: ${written}${newline}`
    const [first] = map?.items ?? []
    const start = isScalar(first?.key) ? first.key.range?.[0] : undefined
    const indent = start === undefined ? '  ' : text.slice(text.lastIndexOf('\n', start - 1) + 1, start)
    return insert(lineEnd + 1, `${indent}${name}: ${written}${newline}`)
  }
  if (!isScalar(pair.value) || !pair.value.range || !isInline(pair.value)) return null
  const [start, end] = pair.value.range
  if (pair.value.source !== '') return `${text.slice(0, start)}${written}${text.slice(end)}`
  const colon = text.indexOf(':', pair.key.range?.[1])
  return colon === -1 ? null : insert(colon + 1, ` ${written}`)
}

/** On one line, whatever its length. */
const yamlScalar = (value: OwnerChange['value']): string => stringify(value, { lineWidth: 0 }).trim()

function pairOf(node: unknown, name: string): Pair<Scalar, unknown> | undefined {
  if (!isMap(node)) return undefined
  const named = node.items.find(({ key }) => isScalar(key) && key.value === name)
  return named as Pair<Scalar, unknown> | undefined
}

/** Written out on one line, so that its characters can be replaced and nothing else changes. */
const isInline = ({ type, anchor, tag }: Scalar): boolean =>
  !anchor && !tag && (type === 'PLAIN' || type === 'QUOTE_SINGLE' || type === 'QUOTE_DOUBLE')

function valueAt(values: OwnerValues, key: string): unknown {
  return ownerFields(values).find((field) => field.key === key)?.value
}

/** What differs, in the order of the file. */
export function ownerDifferences(before: OwnerValues, after: OwnerValues): OwnerDifference[] {
  const now = ownerFields(after)
  return ownerFields(before).flatMap(({ key, value }, i) => {
    const next = now[i]?.value ?? null
    return next === value ? [] : [{ key, old: value, new: next }]
  })
}

interface FieldSchema {
  type?: string
  anyOf?: FieldSchema[]
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  default?: OwnerChange['value']
  description?: string
  unset?: string
}

interface SectionSchema {
  properties: Record<string, FieldSchema>
}

const schema = z.toJSONSchema(OwnerValues) as unknown as { properties: Record<string, SectionSchema> }

/** Every setting with its bounds and its value: a form can be drawn from it. */
export function ownerFields(values: OwnerValues): OwnerField[] {
  const content = values as Record<string, Record<string, OwnerChange['value']>>
  return Object.entries(schema.properties).flatMap(([section, { properties }]) =>
    Object.entries(properties).map(([name, field]) => {
      const [plain = field] = (field.anyOf ?? [field]).filter(({ type }) => type !== 'null')
      return {
        key: `${section}.${name}`,
        type: fieldType(plain.type),
        nullable: field.anyOf?.some(({ type }) => type === 'null') ?? false,
        minimum: plain.minimum ?? plain.exclusiveMinimum ?? null,
        maximum: plain.maximum ?? null,
        fallback: field.default ?? null,
        value: content[section]?.[name] ?? null,
        about: field.description ?? '',
        unset: field.unset ?? null,
      }
    }),
  )
}

/** What a setting means, and what `null` does where it may be null. */
export const aboutField = ({ about, unset }: Pick<OwnerField, 'about' | 'unset'>): string =>
  unset === null ? about : `${about} null: ${unset}.`

function fieldType(type: string | undefined): OwnerField['type'] {
  return type === 'boolean' || type === 'integer' || type === 'number' ? type : 'text'
}

/** The file of a new host: every setting with its default and what it means. */
export function newOwnerFile(): string {
  const lines = [
    '# Tirami Host: what you decide. Change it here, in the window, over the API or with `npm run console`; the host',
    '# notices, keeps your comments, and refuses what it does not understand.',
  ]
  let open = ''
  for (const { key, value, ...field } of ownerFields(OwnerValues.parse({}))) {
    const [section = '', name = ''] = key.split('.')
    if (section !== open) lines.push('', `${section}:`)
    open = section
    lines.push(`  # ${aboutField(field)}`, `  ${name}: ${yamlScalar(value)}`)
  }
  return `${lines.join('\n')}\n`
}

function unknownKey(): TiramiError {
  return new TiramiError('OWNER_KEY_UNKNOWN', 'There is no such setting.', {
    nextStep: 'Name one as section.name, such as sentinel.daily_budget; docs/console.md lists all.',
    httpStatus: 400,
  })
}

function invalidValue(issue: z.core.$ZodIssue | undefined): TiramiError {
  const { reason } = valueFault(issue?.path.join('.') || 'A value', issue)
  return new TiramiError('OWNER_VALUE_INVALID', reason, {
    nextStep: 'Choose a value within the bounds; nothing was changed.',
    httpStatus: 400,
  })
}

function invalidFile(problem: OwnerFileProblem | null): TiramiError {
  const where = problem?.line ? ` in line ${problem.line}` : ''
  const message = `The owner’s file has a fault${where}: ${problem?.reason ?? 'It cannot be read.'}`
  return new TiramiError('OWNER_FILE_INVALID', message, {
    nextStep: 'Mend it in an editor; until then the last good values are in force.',
    httpStatus: 409,
  })
}

function sharedValue(): TiramiError {
  return new TiramiError('OWNER_FILE_SHARED_VALUE', 'The file uses one value in several places.', {
    nextStep: 'Write the value out instead of the YAML anchor, then change it again.',
    httpStatus: 409,
  })
}
