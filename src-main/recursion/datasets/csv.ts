import { CsvError, parse } from 'csv-parse/sync'
import { TiramiError } from '../../kernel/index.ts'

/** Beyond these a file is refused before it is taken apart. */
export const CSV_LIMITS = { bytes: 32 << 20, rows: 100_000, columns: 256, recordCharacters: 1 << 20 }

export interface Table {
  /** One per column, all different. */
  readonly names: readonly string[]
  /** Cells as text without surrounding blanks, all rows of one length. */
  readonly rows: readonly (readonly string[])[]
  readonly delimiter: string
  /** Whether the names come from the file. */
  readonly hasHeader: boolean
}

const DELIMITERS = [',', ';', '\t', '|']
/** Records that the delimiter is read off. */
const SURVEYED_RECORDS = 50
const NAME_CHARACTERS_MAX = 60

/**
 * Reads a CSV file: UTF-8 or UTF-16 with a mark, any of four delimiters, any line ends. Cells are text and stay text:
 * a formula is never computed.
 * @throws TiramiError CSV_TOO_LARGE, CSV_NOT_TEXT, CSV_TOO_MANY_COLUMNS, CSV_TOO_MANY_ROWS, CSV_MALFORMED, CSV_EMPTY
 */
export function readCsv(bytes: Uint8Array): Table {
  if (bytes.length > CSV_LIMITS.bytes) {
    const limit = `${CSV_LIMITS.bytes >> 20} MiB`
    throw refused('CSV_TOO_LARGE', `The file is larger than ${limit}.`, 'Take a part of its rows.')
  }
  const text = decoded(bytes)
  const delimiter = delimiterOf(text)
  assertSize(text, delimiter)
  const [first, ...rest] = recordsOf(text, delimiter).map((record) => withPoints(record, delimiter))
  if (!first) throw refused('CSV_EMPTY', 'The file holds no rows.', 'Choose a file with a header and rows.')
  const hasHeader = !first.some((cell) => cell !== '' && /^[-+.\d][\d.,:/eE+-]*$/.test(cell))
  const rows = hasHeader ? rest : [first, ...rest]
  if (rows.length === 0) {
    throw refused('CSV_EMPTY', 'The file holds a header but no rows.', 'Choose a file with rows.')
  }
  const given = hasHeader ? first : first.map(() => '')
  return { names: distinctNames(given), rows, delimiter, hasHeader }
}

function refused(code: string, message: string, nextStep: string): TiramiError {
  return new TiramiError(code, message, { nextStep, httpStatus: 400 })
}

function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes
  const encoding = first === 0xff && second === 0xfe ? 'utf-16le' : 'utf-16be'
  const marked = encoding === 'utf-16le' || (first === 0xfe && second === 0xff)
  let text = ''
  try {
    // A byte-order mark is taken off by the decoder.
    text = new TextDecoder(marked ? encoding : 'utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw notText('it is not valid UTF-8')
  }
  if (text.includes('\0')) throw notText('it holds NUL characters')
  return text
}

const notText = (why: string): TiramiError =>
  refused('CSV_NOT_TEXT', `The file cannot be read as text: ${why}.`, 'Save it as CSV in UTF-8.')

/** Calls `onField` at each delimiter and `onRecord` at each line end outside quotes, until one of them says false. */
function scan(
  text: string,
  isDelimiter: (character: string) => boolean,
  onField: (delimiter: string) => boolean,
  onRecord: () => boolean,
): void {
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string
    if (character === '"') quoted = !quoted
    else if (quoted) continue
    else if (isDelimiter(character)) {
      if (!onField(character)) return
    } else if (character === '\n' || (character === '\r' && text[i + 1] !== '\n')) {
      if (!onRecord()) return
    }
  }
  onRecord()
}

/** The character that occurs equally often in the most records; the more fields it makes the better. */
function delimiterOf(text: string): string {
  const counts = [new Map<string, number>()]
  scan(
    text,
    (character) => DELIMITERS.includes(character),
    (delimiter) => {
      const record = counts.at(-1)
      record?.set(delimiter, (record.get(delimiter) ?? 0) + 1)
      return true
    },
    () => counts.push(new Map()) <= SURVEYED_RECORDS,
  )
  const records = counts.filter(({ size }) => size > 0)
  const score = (delimiter: string): number => {
    const fields = records.map((record) => record.get(delimiter) ?? 0)
    const usual = fields[0] ?? 0
    return usual === 0 ? 0 : fields.filter((count) => count === usual).length * 1000 + Math.min(usual, 999)
  }
  return DELIMITERS.reduce((best, one) => (score(one) > score(best) ? one : best))
}

/** Before a parser builds a million cells. */
function assertSize(text: string, delimiter: string): void {
  let fields = 1
  // With the header, and what follows the last line end.
  let records = 0
  const grow = (): boolean => ++fields <= CSV_LIMITS.columns
  scan(
    text,
    (character) => character === delimiter,
    grow,
    () => {
      fields = 1
      return ++records <= CSV_LIMITS.rows + 2
    },
  )
  if (fields > CSV_LIMITS.columns) {
    const message = `The file has more than ${CSV_LIMITS.columns} columns.`
    throw refused('CSV_TOO_MANY_COLUMNS', message, 'Leave out columns that do not help to tell the classes.')
  }
  if (records > CSV_LIMITS.rows + 2) {
    const message = `The file has more than ${CSV_LIMITS.rows} rows.`
    throw refused('CSV_TOO_MANY_ROWS', message, 'Take a part of its rows.')
  }
}

function recordsOf(text: string, delimiter: string): string[][] {
  try {
    return parse(text, {
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      trim: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      max_record_size: CSV_LIMITS.recordCharacters,
    })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = typeof error.lines === 'number' ? `line ${error.lines}` : 'the file'
    throw refused('CSV_MALFORMED', `${why(error.code)} in ${line}.`, 'Correct that line and try again.')
  }
}

function why(code: string): string {
  if (code.startsWith('CSV_RECORD_INCONSISTENT')) return 'There are more or fewer cells than in the first row'
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'A quotation mark is opened and never closed'
  if (code === 'CSV_MAX_RECORD_SIZE') return 'A row is longer than a million characters'
  return 'A quotation mark stands where none may'
}

/** Where commas do not part cells they stand for decimal points; "1,234" between commas may mean a thousand. */
function withPoints(record: string[], delimiter: string): string[] {
  if (delimiter === ',') return record
  return record.map((cell) => (/^[+-]?\d+,\d+$/.test(cell) ? cell.replace(',', '.') : cell))
}

/** Names that can be shown and told apart. */
function distinctNames(given: readonly string[]): string[] {
  const used = new Set<string>()
  return given.map((text, column) => {
    const clean = text.replaceAll(/\p{C}/gu, ' ').trim().slice(0, NAME_CHARACTERS_MAX)
    const base = clean === '' ? `column ${column + 1}` : clean
    let name = base
    for (let i = 2; used.has(name); i++) name = `${base} (${i})`
    used.add(name)
    return name
  })
}
