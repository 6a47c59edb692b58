import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TiramiError } from '../../kernel/index.ts'
import { seededRandom } from '../../tensor/index.ts'
import { CSV_LIMITS, detectSchema, fitEncoding, labelledRows, readCsv, splitRows } from './index.ts'
import { dayOf } from './schema.ts'

const SEED = 20_261_129
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const read = (text: string) => readCsv(bytes(text))

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (!(error instanceof TiramiError)) throw error
    expect(error.nextStep).not.toBe('')
    return error.code
  }
  return 'none'
}

describe('reading a CSV file', () => {
  it('gives back whatever was written, with any delimiter, line end and quotation', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\0'))
    const tables = fc
      .integer({ min: 2, max: 5 })
      .chain((columns) =>
        fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: 1, maxLength: 8 }),
      )
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
    fc.assert(
      fc.property(
        tables,
        fc.constantFrom(',', ';', '\t', '|'),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.boolean(),
        (rows, delimiter, lineEnd, mark) => {
          const header = rows[0]?.map((_, i) => `name ${i}`) ?? []
          const text = [header, ...rows].map((row) => row.map(quoted).join(delimiter)).join(lineEnd)
          const table = read(`${mark ? '\uFEFF' : ''}${text}`)
          const trimmed = (cellText: string) => cellText.replaceAll(/^[ \t\n\r\f]+|[ \t\n\r\f]+$/g, '')
          const asNumber = (value: string) =>
            delimiter !== ',' && /^[+-]?\d+,\d+$/.test(value) ? value.replace(',', '.') : value
          expect(table.names).toEqual(header)
          expect(table.rows).toEqual(
            rows
              .filter((row) => row.some((value) => trimmed(value) !== ''))
              .map((row) => row.map((value) => asNumber(value))),
          )
        },
      ),
      { seed: SEED, numRuns: 100 },
    )
  })

  it('reads what spreadsheets write: marks, UTF-16, semicolons, decimal commas, empty lines, formulas as text', () => {
    const text = 'name;price\r\nÄpfel;1,5\r\n\r\n=1+1;-2,25\r\n;;\r\n'.replace(';;', ';')
    const rows = [
      ['Äpfel', '1.5'],
      ['=1+1', '-2.25'],
    ]
    expect(read(`\uFEFF${text}`)).toMatchObject({ delimiter: ';', hasHeader: true, rows })
    const utf16 = new Uint8Array(Buffer.from(`\uFEFF${text}`, 'utf16le'))
    expect(readCsv(utf16).rows).toEqual(rows)
  })

  it('names columns that have no name, or the same', () => {
    expect(read('a,,a\n1,2,3').names).toEqual(['a', 'column 2', 'a (2)'])
    expect(read('1,2\n3,4')).toMatchObject({ hasHeader: false, names: ['column 1', 'column 2'] })
  })

  it.each([
    ['ragged rows', 'a,b\n1,2\n3', 'CSV_MALFORMED'],
    ['an unclosed quotation', 'a,b\n1,"2\n3,4', 'CSV_MALFORMED'],
    ['a quotation inside a cell', 'a,b\n1,5" pipe\n', 'CSV_MALFORMED'],
    ['NUL characters', 'a,b\n1,\0\n', 'CSV_NOT_TEXT'],
    ['nothing', '', 'CSV_EMPTY'],
    ['blank lines', '\n\n\n', 'CSV_EMPTY'],
    ['a header alone', 'a,b\n', 'CSV_EMPTY'],
    ['a million columns', ','.repeat(1_000_000), 'CSV_TOO_MANY_COLUMNS'],
    ['a million columns in the last row', `a,b\n1,2\n${','.repeat(1_000_000)}`, 'CSV_TOO_MANY_COLUMNS'],
    ['one row more than is read', 'a,b\n'.repeat(CSV_LIMITS.rows + 3), 'CSV_TOO_MANY_ROWS'],
    ['a row of megabytes', `a,b\n1,"${'x'.repeat(2 * CSV_LIMITS.recordCharacters)}"\n`, 'CSV_MALFORMED'],
  ])('refuses %s with a reason', (_, text, code) => expect(codeOf(() => read(text))).toBe(code))

  it('refuses what is too large or no text', () => {
    expect(codeOf(() => readCsv(new Uint8Array(CSV_LIMITS.bytes + 1)))).toBe('CSV_TOO_LARGE')
    expect(codeOf(() => readCsv(Uint8Array.of(0x61, 0xff, 0xfe, 0x2c)))).toBe('CSV_NOT_TEXT')
  })

  it('answers or refuses with a code whatever the bytes are', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: fc.constantFrom(',', ';', '"', '\n', '\r', 'a', '1', ' ', '\t', '=') }).map(bytes),
    )
    fc.assert(
      fc.property(noise, (file) => {
        const outcome = codeOf(() => {
          const { names, rows } = readCsv(file)
          expect(new Set(names).size).toBe(names.length)
          for (const row of rows) expect(row.length).toBe(names.length)
        })
        expect(outcome).toMatch(/^(none|CSV_[A-Z_]+)$/)
      }),
      { seed: SEED, numRuns: 400 },
    )
  })
})

/** A table of 60 rows: some kinds of columns, and a class in the last. */
function sampleCsv(row: (i: number) => readonly unknown[], header = 'a,b,label'): string {
  return [header, ...Array.from({ length: 60 }, (_, i) => row(i).join(','))].join('\n')
}

describe('finding out what columns are', () => {
  const header = 'nr,size,owner,since,city,note,same,gone,grade,label'
  const cities = ['Oslo', 'Rome', 'Lima']
  const table = read(
    sampleCsv(
      (i) => [
        ...[i + 1, i % 7 === 0 ? 'n/a' : i * 1.5 - 20, i % 2 ? 'yes' : 'no', `2024-02-${1 + (i % 28)}`],
        ...[cities[i % 3], `text ${i * i}`, 'x', '', i % 4, i % 5 === 0 ? '' : i % 2 ? 'in' : 'out'],
      ],
      header,
    ),
  )

  it('tells numbers, pairs, dates and categories, and what cannot be learned from', () => {
    const { features, leftOut, target } = detectSchema(table)
    expect(
      Object.fromEntries(features.map(({ name, kind, missing }) => [name, `${kind} ${missing}`])),
    ).toEqual({
      size: 'numeric 9',
      owner: 'boolean 0',
      since: 'date 0',
      city: 'categorical 0',
      grade: 'numeric 0',
    })
    expect(leftOut.map(({ name }) => name)).toEqual(['nr', 'note', 'same', 'gone'])
    expect(target).toEqual({ name: 'label', index: 9, chosen: false, classes: ['in', 'out'], unlabelled: 12 })
  })

  it('takes the target that the person names, or says what is wrong with it', () => {
    expect(detectSchema(table, 'city').target).toMatchObject({ name: 'city', chosen: true })
    expect(codeOf(() => detectSchema(table, 'nobody'))).toBe('TARGET_UNKNOWN')
    expect(codeOf(() => detectSchema(table, 'size'))).toBe('TARGET_NOT_CLASSES')
    expect(codeOf(() => detectSchema(table, 'same'))).toBe('TARGET_NOT_CLASSES')
    expect(codeOf(() => detectSchema(read(sampleCsv((i) => [i % 2, i, i * 3], 'a,b,c'))))).toBe(
      'TARGET_UNKNOWN',
    )
    expect(codeOf(() => detectSchema(read('a,label\n1,x\n2,y\n')))).toBe('DATASET_TOO_SMALL')
    const nothing = read(sampleCsv((i) => ['x', i + 1, i % 2]))
    expect(codeOf(() => detectSchema(nothing))).toBe('DATASET_WITHOUT_FEATURES')
  })

  it('knows the calendar', () => {
    expect(dayOf('1970-01-02')).toBe(1)
    expect(dayOf('29.02.2024 10:00')).toBe(dayOf('2024/2/29'))
    for (const none of ['2023-02-29', '31.04.2024', '3/4/2024', '2024', 'soon'])
      expect(dayOf(none)).toBeNull()
  })
})

describe('splitting', () => {
  const anyRows = fc.array(
    fc.record({
      values: fc.tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom('x', 'y', null)),
      class: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 80 },
  )

  it('never has the same features on both sides, loses no row, and repeats with its seed', () => {
    fc.assert(
      fc.property(anyRows, fc.nat(1000), (rows, seed) => {
        const { train, test, duplicates } = splitRows(rows, seed)
        const keys = (side: typeof train) => new Set(side.map(({ values }) => JSON.stringify(values)))
        expect([...keys(train)].filter((key) => keys(test).has(key))).toEqual([])
        expect(train.length + test.length).toBe(rows.length)
        expect(keys(train).size + keys(test).size).toBe(rows.length - duplicates)
        expect(splitRows(rows, seed)).toEqual({ train, test, duplicates })
      }),
      { seed: SEED },
    )
  })

  it('counts rows that are written differently as one', () => {
    const table = read(sampleCsv((i) => [i < 30 ? '1.0' : '1e0', i % 2 ? 'Yes' : 'yes', i % 3 ? 'p' : 'q']))
    const schema = detectSchema(table)
    expect(splitRows(labelledRows(table, schema), 1).duplicates).toBe(59)
  })
})

describe('encoding', () => {
  const table = read(sampleCsv((i) => [i * i, i % 3 ? 'red' : 'blue', i % 2 ? 'p' : 'q']))
  const schema = detectSchema(table)
  const rows = labelledRows(table, schema)

  it('takes nothing from rows it was not fitted on', () => {
    const { train } = splitRows(rows, 1)
    const encoding = fitEncoding(schema, train)
    const mean = (of: (values: number[]) => number) =>
      train.reduce((sum, { values }) => sum + of(encoding.vector(values)), 0) / train.length
    expect(mean(([x = 0]) => x)).toBeCloseTo(0, 6)
    expect(mean(([x = 0]) => x * x)).toBeCloseTo(1, 0)
    // A label that training never held is another one; an outlier weighs no more than five deviations.
    const strange = encoding.vector([1e300, 'green'])
    expect(strange[0]).toBe(5)
    expect(strange.slice(2)).toEqual([0, 0, 1, 0])
  })

  it('gives every row as many tokens, each within the vocabulary', () => {
    const encoding = fitEncoding(schema, rows)
    const cells = fc.tuple(
      fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      fc.option(fc.constantFrom('red', 'blue', 'green')),
    )
    fc.assert(
      fc.property(cells, (values) => {
        const { tokens, values: amplitudes } = encoding.instance(values)
        expect(tokens.length).toBe(encoding.tokens)
        for (const token of tokens) expect(token >= 0 && token < encoding.vocabulary).toBe(true)
        for (const amplitude of amplitudes ?? []) expect(Math.abs(amplitude)).toBeLessThanOrEqual(5)
        for (const input of encoding.vector(values)) expect(Number.isFinite(input)).toBe(true)
      }),
      { seed: SEED },
    )
  })

  it('refuses more inputs than a network of this size takes', () => {
    const random = seededRandom(SEED)
    const wide = Array.from({ length: 130 }, (_, i) => `f${i}`)
    const header = [...wide, 'label'].join(',')
    const wideTable = read(sampleCsv((i) => [...wide.map(() => random().toFixed(3)), i % 2], header))
    const wideSchema = detectSchema(wideTable)
    expect(codeOf(() => fitEncoding(wideSchema, labelledRows(wideTable, wideSchema)))).toBe(
      'DATASET_TOO_WIDE',
    )
  })
})
