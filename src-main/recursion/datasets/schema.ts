import { TiramiError } from '../../kernel/index.ts'
import type { Table } from './csv.ts'

export type ColumnKind = 'numeric' | 'boolean' | 'categorical' | 'date'

/** A column that is learned from. */
export interface FeatureColumn {
  readonly name: string
  readonly index: number
  readonly kind: ColumnKind
  /** Cells without a usable value. */
  readonly missing: number
}

export interface Schema {
  readonly features: readonly FeatureColumn[]
  readonly leftOut: readonly { readonly name: string; readonly why: string }[]
  readonly target: {
    readonly name: string
    readonly index: number
    /** Whether the person named it. */
    readonly chosen: boolean
    /** The labels in the order of their classes. */
    readonly classes: readonly string[]
    /** Rows that are left out because they have no label. */
    readonly unlabelled: number
  }
}

const MISSING = new Set(['', '?', '-', 'na', 'n/a', 'nan', 'null', 'none', 'missing'])
const BOOLEANS = [
  ['false', 'true'],
  ['no', 'yes'],
  ['n', 'y'],
  ['f', 't'],
  ['0', '1'],
]
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i
const TARGET_NAMES =
  /^(target|label|class|category|outcome|result|y|converted|conversion|churn|churned|species|survived)$/i
/** A column is of a kind when so many of its values are; the others then count as missing. */
const KIND_SHARE = 0.98
const CATEGORIES_MAX = 64
const CLASSES_MAX = 20
export const LABELLED_ROWS_MIN = 40

export const isMissing = (cell: string): boolean => MISSING.has(cell.toLowerCase())

/** Null where the cell is no finite number. */
export function numberOf(cell: string): number | null {
  const value = NUMBER.test(cell) ? Number(cell) : Number.NaN
  return Number.isFinite(value) ? value : null
}

/** 2026-11-29, 2026/11/29 or 29.11.2026, with or without a time. */
const YEAR_FIRST = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ].*)?$/
const DAY_FIRST = /^(\d{1,2})\.(\d{1,2})\.(\d{4})(?: .*)?$/
const DAY_MS = 86_400_000

/** Whole days since 1970; null where the cell is no day of the calendar. 3/4/2026 is none: nobody knows which it is. */
export function dayOf(cell: string): number | null {
  const [, year, month, day] = YEAR_FIRST.exec(cell) ?? []
  const [, lateDay, lateMonth, lateYear] = DAY_FIRST.exec(cell) ?? []
  const [y, m, d] = [Number(year ?? lateYear), Number(month ?? lateMonth), Number(day ?? lateDay)]
  if (Number.isNaN(y)) return null
  const date = new Date(Date.UTC(y, m - 1, d))
  const real = date.getUTCMonth() === m - 1 && date.getUTCDate() === d && date.getUTCFullYear() === y
  return real ? date.getTime() / DAY_MS : null
}

/** 0 or 1; null where the cell is neither of a known pair. */
export function booleanOf(cell: string): 0 | 1 | null {
  const text = cell.toLowerCase()
  for (const [no, yes] of BOOLEANS) {
    if (text === no) return 0
    if (text === yes) return 1
  }
  return null
}

const isPair = (values: ReadonlySet<string>): boolean =>
  BOOLEANS.some((pair) => [...values].every((value) => pair.includes(value.toLowerCase())))

/**
 * What the columns are, and which one is to be told from the others.
 * @throws TiramiError TARGET_UNKNOWN, TARGET_NOT_CLASSES, DATASET_TOO_SMALL, DATASET_WITHOUT_FEATURES
 */
export function detectSchema(table: Table, wantedTarget?: string): Schema {
  const cells = table.names.map((_, column) => table.rows.map((row) => row[column] ?? ''))
  const index = targetOf(table, cells, wantedTarget)
  const name = table.names[index] ?? ''
  const labels = (cells[index] ?? []).filter((cell) => !isMissing(cell))
  const classes = [...new Set(labels)].sort()
  assertClasses(name, classes)
  if (labels.length < LABELLED_ROWS_MIN) {
    const message = `Only ${labels.length} rows have a ${name}; ${LABELLED_ROWS_MIN} are the least.`
    throw refused('DATASET_TOO_SMALL', message, 'Add rows whose class is known.')
  }
  const features: FeatureColumn[] = []
  const leftOut: { name: string; why: string }[] = []
  for (const [column, columnName] of table.names.entries()) {
    if (column === index) continue
    const found = kindOf(cells[column] ?? [])
    if (typeof found === 'string') leftOut.push({ name: columnName, why: found })
    else features.push({ name: columnName, index: column, ...found })
  }
  if (features.length === 0) {
    const message = 'No column holds anything that could be learned from.'
    throw refused('DATASET_WITHOUT_FEATURES', message, 'Choose a file with numbers or categories.')
  }
  const unlabelled = table.rows.length - labels.length
  return {
    features,
    leftOut,
    target: { name, index, chosen: wantedTarget !== undefined, classes, unlabelled },
  }
}

/** The kind and the cells that miss a value, or why the column is left out. */
function kindOf(cells: readonly string[]): { kind: ColumnKind; missing: number } | string {
  const present = cells.filter((cell) => !isMissing(cell))
  const values = new Set(present)
  if (present.length === 0) return 'it is empty'
  if (values.size === 1) return 'it is the same in every row'
  const read = (of: (cell: string) => number | null) => present.filter((cell) => of(cell) !== null).length
  const enough = KIND_SHARE * present.length
  const missing = (usable: number): number => cells.length - usable
  if (isPair(values)) return { kind: 'boolean', missing: missing(present.length) }
  const numbers = read(numberOf)
  if (numbers >= enough) {
    return countsUp(present) ? 'it numbers the rows' : { kind: 'numeric', missing: missing(numbers) }
  }
  const days = read(dayOf)
  if (days >= enough) return { kind: 'date', missing: missing(days) }
  if (values.size <= CATEGORIES_MAX && values.size <= present.length / 2) {
    return { kind: 'categorical', missing: missing(present.length) }
  }
  return 'it is text, different in most rows'
}

/** Whole numbers, each one more than the one before: the number of the row. */
function countsUp(cells: readonly string[]): boolean {
  return cells.every((cell, i) => Number(cell) === Number(cells[0]) + i) && cells.length > 2
}

function targetOf(table: Table, cells: readonly string[][], wanted: string | undefined): number {
  const { names } = table
  const possible = (index: number): boolean => {
    const labels = new Set((cells[index] ?? []).filter((cell) => !isMissing(cell)))
    return labels.size >= 2 && labels.size <= CLASSES_MAX
  }
  if (wanted !== undefined) {
    const exact = names.indexOf(wanted)
    if (exact >= 0) return exact
    throw unknownTarget(`There is no column named ${wanted}.`, names)
  }
  const named = names.findIndex((name, index) => TARGET_NAMES.test(name) && possible(index))
  const last = names.length - 1
  if (named >= 0) return named
  if (names.length > 1 && possible(last)) return last
  throw unknownTarget(
    'No column is called target, label or class, and the last one holds no classes.',
    names.filter((_, index) => possible(index)),
  )
}

function unknownTarget(message: string, names: readonly string[]): TiramiError {
  const some = names.slice(0, 12).join(', ')
  return refused('TARGET_UNKNOWN', message, `Name the target: ${some || 'a column with 2 to 20 values'}.`)
}

function assertClasses(name: string, classes: readonly string[]): void {
  if (classes.length >= 2 && classes.length <= CLASSES_MAX) return
  const message = `The column ${name} has ${classes.length} different values; a classifier needs 2 to ${CLASSES_MAX}.`
  throw refused('TARGET_NOT_CLASSES', message, 'Choose another target, or put its values into a few groups.')
}

function refused(code: string, message: string, nextStep: string): TiramiError {
  return new TiramiError(code, message, { nextStep, httpStatus: 400 })
}
