import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OwnerValues } from '../../src-preload/contract/index.ts'
import {
  aboutField,
  editOwnerFile,
  newOwnerFile,
  ownerDifferences,
  ownerFields,
  readOwnerFile,
} from './owner-config.ts'

const DEFAULTS = OwnerValues.parse({})
const valuesOf = (text: string): OwnerValues => {
  const { values, problem } = readOwnerFile(text)
  if (!values) throw new Error(problem?.reason)
  return values
}

const COMMENTED = `# mine
serving:
  paused: false   # until Monday
# the meter's own price
prices: {currency: EUR, per_kwh: 0.31}  # flow

sentinel:
    # four spaces here
    daily_budget: "not used"
    failure_streak:   7
`.replace('"not used"', '2.50')

describe('reading', () => {
  it('a new file holds every default and says what each value means', () => {
    const text = newOwnerFile()
    expect(valuesOf(text)).toEqual(DEFAULTS)
    for (const { key, about, unset } of ownerFields(DEFAULTS)) {
      expect(about, key).not.toBe('')
      expect(text).toContain(`  # ${aboutField({ about, unset })}\n  ${key.split('.')[1]}: `)
    }
  })

  it('what is left out has its default; an empty file and empty sections too', () => {
    for (const text of ['', '# nothing\n', 'sentinel:\n  # all commented out\n', '{}']) {
      expect(valuesOf(text)).toEqual(DEFAULTS)
    }
    expect(valuesOf(COMMENTED)).toMatchObject({
      prices: { currency: 'EUR', per_kwh: 0.31, per_trm: null },
      sentinel: { daily_budget: 2.5, failure_streak: 7, max_cycles: 40_000 },
    })
  })

  const bad: [string, string, number | null, RegExp][] = [
    [
      'an unknown setting',
      'sentinel:\n\n  max_latency: 5\n',
      3,
      /sentinel\.max_latency: there is no such setting/,
    ],
    ['an unknown section', 'serving:\n  paused: true\nwallet: 1\n', 3, /wallet: there is no such setting/],
    ['a wrong type', 'serving:\n  paused: "yes"\n', 2, /serving\.paused: .*true or false/],
    ['a value out of bounds', 'sentinel:\n  failure_streak: 0\n', 2, /failure_streak: .*at least 1\./],
    ['not a number', 'sentinel:\n  daily_budget: .nan\n', 2, /daily_budget/],
    ['infinity', 'sentinel:\n  daily_budget: .inf\n', 2, /daily_budget/],
    ['a currency that is none', 'prices:\n  currency: euros\n', 2, /three capital letters/],
    [
      'least above most',
      'thermostat:\n  min_concurrency: 9\n  max_concurrency: 6\n',
      3,
      /below min_concurrency/,
    ],
    ['a depth that the sentinel forbids', 'sentinel:\n  max_cycles: 5\n', 2, /least depth of the thermostat/],
    ['a key given twice', 'serving:\n  paused: true\n  paused: false\n', 3, /unique/],
    ['a list', '- 1\n- 2\n', null, /The file/],
    ['broken YAML', 'serving:\n  paused: [true\n', 3, /sequence/],
    ['two documents', 'serving: {}\n---\nserving: {}\n', 2, /more than one document/],
    ['a tag', 'serving:\n  paused: !!js/function x\n', 2, /tag/i],
    ['a bomb of aliases', `a: &a [1,2]\nb: &b [${'*a,'.repeat(99)}]\nc: [${'*b,'.repeat(99)}]\n`, null, /./],
    ['deep nesting', '['.repeat(60_000), null, /./],
    ['a large file', `#${'x'.repeat(70_000)}`, null, /larger/],
  ]
  it.each(bad)('refuses %s with its line', (_name, text, line, reason) => {
    const { ok, problem } = readOwnerFile(text)
    expect(ok).toBe(false)
    expect(problem?.reason).toMatch(reason)
    if (line !== null) expect(problem?.line).toBe(line)
  })

  it('never throws, whatever the file holds', () => {
    const words = fc.constantFrom(
      'serving:',
      'paused',
      ': ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '&a ',
      '*a',
      '"',
      '# ',
      '1e9',
      '|',
      '%',
      '\t',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 40 }).map((parts) => parts.join('')),
        ),
        (text) => {
          const { ok, problem } = readOwnerFile(text)
          expect(problem === null).toBe(ok)
        },
      ),
      { seed: 20261126, numRuns: 1000 },
    )
  })
})

describe('editing', () => {
  it('changes the characters of the value and nothing else', () => {
    const edited = editOwnerFile(COMMENTED, [
      { key: 'serving.paused', value: true },
      { key: 'prices.per_kwh', value: 0.4 },
      { key: 'sentinel.daily_budget', value: null },
    ])
    expect(edited).toBe(
      COMMENTED.replace('paused: false', 'paused: true').replace('0.31', '0.4').replace('2.50', 'null'),
    )
  })

  it('adds what is missing beside what is there', () => {
    const edited = editOwnerFile(COMMENTED, [
      { key: 'sentinel.max_cycles', value: 50_000 },
      { key: 'thermostat.window_jobs', value: 30 },
    ])
    const added = COMMENTED.replace('sentinel:\n', 'sentinel:\n    max_cycles: 50000\n')
    expect(edited).toBe(`${added}thermostat:\n  window_jobs: 30\n`)
    expect(editOwnerFile(COMMENTED, [{ key: 'prices.per_trm', value: 2 }])).toBe(
      COMMENTED.replace('{currency', '{per_trm: 2, currency'),
    )
  })

  it('keeps line ends of Windows and a value that was left empty', () => {
    const text = 'prices:\r\n  per_trm: # unknown yet\r\n'
    expect(editOwnerFile(text, [{ key: 'prices.per_trm', value: 1e-9 }])).toBe(
      'prices:\r\n  per_trm: 1e-9 # unknown yet\r\n',
    )
  })

  const someChange = fc.oneof(
    fc.record({ key: fc.constantFrom('serving.paused', 'serving.force_full_depth'), value: fc.boolean() }),
    fc.record({
      key: fc.constant('prices.per_kwh'),
      value: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
    }),
    fc.record({ key: fc.constant('sentinel.failure_streak'), value: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ key: fc.constant('sentinel.roi_floor'), value: fc.double({ min: -1, max: 9, noNaN: true }) }),
    fc.record({ key: fc.constant('prices.currency'), value: fc.constantFrom('EUR', 'NOK', 'USD') }),
  )
  it('any valid changes are in the file afterwards, and every comment still is', () => {
    const files = fc.constantFrom(
      newOwnerFile(),
      COMMENTED,
      '',
      '# only this',
      'prices: {}\n',
      'sentinel:\n  # c\n',
    )
    fc.assert(
      fc.property(files, fc.array(someChange, { minLength: 1, maxLength: 5 }), (text, changes) => {
        const edited = editOwnerFile(text, changes)
        const last = new Map(changes.map(({ key, value }) => [key, Object.is(value, -0) ? 0 : value]))
        const fields = new Map(ownerFields(valuesOf(edited)).map(({ key, value }) => [key, value]))
        for (const [key, value] of last) expect(fields.get(key)).toEqual(value)
        const touched = ownerDifferences(valuesOf(text), valuesOf(edited)).map(({ key }) => key)
        for (const key of touched) expect([...last.keys()]).toContain(key)
        for (const comment of text.match(/#.*/g) ?? []) expect(edited).toContain(comment)
      }),
      { seed: 20261127, numRuns: 300 },
    )
  })

  it.each([
    ['an unknown setting', 'sentinel.max_latency', 5, 'OWNER_KEY_UNKNOWN'],
    ['a prototype', '__proto__.polluted', true, 'OWNER_KEY_UNKNOWN'],
    ['a wrong type', 'serving.paused', 1, 'OWNER_VALUE_INVALID'],
    ['a value out of bounds', 'sentinel.daily_budget', -1, 'OWNER_VALUE_INVALID'],
    ['a number that is none', 'sentinel.daily_budget', Number.NaN, 'OWNER_VALUE_INVALID'],
    ['values that contradict each other', 'thermostat.max_concurrency', 0, 'OWNER_VALUE_INVALID'],
    ['a limit below the least depth', 'sentinel.max_cycles', 5, 'OWNER_VALUE_INVALID'],
  ])('refuses %s', (_name, key, value, code) => {
    expect(() =>
      editOwnerFile(newOwnerFile(), [
        { key: 'serving.paused', value: true },
        { key, value },
      ]),
    ).toThrow(expect.objectContaining({ code, httpStatus: 400 }))
  })

  it('refuses to change a file with another fault, and mends one whose fault it is', () => {
    const broken = 'sentinel:\n  failure_streak: 0\n'
    expect(() => editOwnerFile(broken, [{ key: 'serving.paused', value: true }])).toThrow(
      expect.objectContaining({ code: 'OWNER_FILE_INVALID', message: expect.stringContaining('line 2') }),
    )
    expect(editOwnerFile(broken, [{ key: 'sentinel.failure_streak', value: 3 }])).toBe(
      'sentinel:\n  failure_streak: 3\n',
    )
  })

  it('refuses to change a value that an anchor shares with others', () => {
    const shared = 'serving:\n  paused: &p false\n  force_full_depth: *p\n'
    expect(() => editOwnerFile(shared, [{ key: 'serving.paused', value: true }])).toThrow(
      expect.objectContaining({ code: 'OWNER_FILE_SHARED_VALUE' }),
    )
  })
})
