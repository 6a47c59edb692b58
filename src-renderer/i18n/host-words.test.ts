import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SENTENCES as SHELL_SENTENCES } from '../../src-main/desktop/saying.ts'
import { wordsIn } from '../../src-main/desktop/words.ts'
import { ownerFields } from '../../src-main/earning/index.ts'
import { OWNER_FAULT_SENTENCES } from '../../src-main/earning/owner-faults.ts'
import { REASON_SENTENCES } from '../../src-main/earning/policy-sentences.ts'
import { GUARD_SENTENCES, SENTINEL_SENTENCES } from '../../src-main/earning/sentinel-sentences.ts'
import { THERMOSTAT_SENTENCES } from '../../src-main/earning/thermostat-sentences.ts'
import { COMPUTE_SENTENCES } from '../../src-main/hardware/compute-state.ts'
import { WALLET_STEP_SENTENCES } from '../../src-main/host/economy-standing.ts'
import { NOT_YET } from '../../src-main/host/mesh-statements.ts'
import { FIT_SENTENCES } from '../../src-main/models/fit-sentences.ts'
import {
  ComputeCode,
  FitCode,
  GuardSentenceCode,
  HostReasonCode,
  OwnerFaultCode,
  OwnerValues,
  SentinelCode,
  ThermostatCode,
  WalletStepCode,
} from '../../src-preload/contract/index.ts'
import { errorWords, hostWords, speak } from './index.ts'
import { ja } from './ja/index.ts'

type Texts = { [key: string]: string | Texts }

/** The text at `a.b.c`, where a name may itself hold dots in the host’s tables but not in the file. */
function japanese(code: string): string | null {
  let at: string | Texts | undefined = ja.host as Texts
  for (const name of code.split('.')) at = typeof at === 'object' ? at[name] : undefined
  return typeof at === 'string' ? at : null
}

const places = (text: string, open: string, close: string) =>
  [...text.matchAll(new RegExp(`${open}(\\w+)${close}`, 'g'))].map(([, name]) => name ?? '')
const placesOfEnglish = (text: string) => places(text, '\\{', '\\}')
const placesOfJapanese = (text: string) => places(text, '\\{\\{', '\\}\\}')

/** Code → English, of every table that the host speaks from. */
const tables: [string, Record<string, string>][] = [
  ['earning', REASON_SENTENCES],
  ['guards', GUARD_SENTENCES],
  ['heard', NOT_YET],
  ['thermostat', THERMOSTAT_SENTENCES],
  ['', SHELL_SENTENCES],
  ['sentinel', both(SENTINEL_SENTENCES, 'reason')],
  ['sentinel', both(SENTINEL_SENTENCES, 'nextStep')],
  ['compute', both(COMPUTE_SENTENCES, 'sentence')],
  ['compute', both(COMPUTE_SENTENCES, 'nextStep')],
  ['fit', FIT_SENTENCES],
  ['ownerFile', OWNER_FAULT_SENTENCES],
  ['wallet.nextStep', WALLET_STEP_SENTENCES],
]

function both<Part extends string>(table: Record<string, Record<Part, string | null>>, part: Part) {
  const entries = Object.entries(table).flatMap(([code, words]) => {
    const text = words[part]
    return text === null ? [] : [[`${code}.${part}`, text]]
  })
  return Object.fromEntries(entries) as Record<string, string>
}

describe.each(tables)('the host’s sentences %s', (section, table) => {
  it.each(Object.entries(table))(
    '%s is said in English and in Japanese, of the same things',
    (code, english) => {
      const said = japanese(section === '' ? code : `${section}.${code}`)
      expect(english.trim()).not.toBe('')
      expect(said?.trim() ?? '').not.toBe('')
      for (const name of placesOfJapanese(said ?? '')) {
        // The size of a slot is said in figures.
        if (section === 'fit' && (name === 'slots' || name === 'tokens')) continue
        // Amber says the figures of its guardrail, which always has both.
        const isFigure = section === 'sentinel' && (name === 'value' || name === 'limit')
        expect(isFigure || placesOfEnglish(english).includes(name)).toBe(true)
      }
    },
  )
})

describe('a code of the contract', () => {
  it.each([
    ...HostReasonCode.options.map((code) => `earning.${code}`),
    ...GuardSentenceCode.options.map((code) => `guards.${code}`),
    ...ThermostatCode.options.map((code) => `thermostat.${code}`),
    ...SentinelCode.options.flatMap((code) => [`sentinel.${code}.reason`, `sentinel.${code}.nextStep`]),
    ...ComputeCode.options.map((code) => `compute.${code}.sentence`),
    ...FitCode.options.map((code) => `fit.${code}`),
    ...OwnerFaultCode.options.map((code) => `ownerFile.${code}`),
    ...WalletStepCode.options.map((code) => `wallet.nextStep.${code}`),
    ...ownerFields(OwnerValues.parse({}))
      .filter(({ key }) => !/^(serving\.paused|earning\.mode|schedule\.[a-z]+day|mesh\.)/.test(key))
      .map(({ key }) => `fields.${key}.about`),
  ])('%s is said in Japanese', (code) => expect(japanese(code)).not.toBeNull())

  it('has a sentence in the host for each', () => {
    expect(Object.keys(COMPUTE_SENTENCES).sort()).toEqual(ComputeCode.options.toSorted())
    expect(Object.keys(SENTINEL_SENTENCES).sort()).toEqual(SentinelCode.options.toSorted())
  })
})

/** Codes of errors as the source makes them: `new TiramiError('CODE', …)`, or a function that stands for it. */
function errorCodes(): Map<string, string> {
  const root = join(import.meta.dirname, '../..')
  const CODE = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/
  const found = new Map<string, string>()
  const files = ['src-main', 'src-preload', 'src-renderer'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(root, room, name),
    ),
  )
  for (const file of files.filter(
    (name) => /\.tsx?$/.test(name) && !/\.test\.|[\\/]testing[\\/]/.test(name),
  )) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
    const constants = new Map<string, string>()
    const textOf = (node: ts.Node | undefined) =>
      node && ts.isStringLiteral(node)
        ? node.text
        : node && ts.isIdentifier(node)
          ? constants.get(node.text)
          : undefined
    const note = (code: string | undefined) => {
      if (code !== undefined && code.length > 4 && CODE.test(code)) found.set(code, relative(root, file))
    }
    const isText = (node: ts.Node | undefined) =>
      node !== undefined && !ts.isNumericLiteral(node) && !ts.isArrowFunction(node)
    const visit = (node: ts.Node): void => {
      if (ts.isVariableDeclaration(node) && node.initializer && ts.isStringLiteral(node.initializer))
        constants.set(node.name.getText(), node.initializer.text)
      if (ts.isNewExpression(node) && /Error$/.test(node.expression.getText()) && isText(node.arguments?.[1]))
        note(textOf(node.arguments?.[0]))
      // `refusal('CODE', 'A sentence.', 'What to do.')`, `super('CODE', …)`
      if (ts.isCallExpression(node) && isText(node.arguments[1])) note(textOf(node.arguments[0]))
      if (ts.isArrayLiteralExpression(node) && node.elements.length === 3 && sentence(node.elements[1]))
        note(textOf(node.elements[0]))
      if (ts.isObjectLiteralExpression(node)) {
        const of = (name: string) =>
          node.properties.find((property) => property.name?.getText() === name) as
            | ts.PropertyAssignment
            | undefined
        if (of('message')) note(textOf(of('code')?.initializer))
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return found
}

const sentence = (node: ts.Node | undefined) =>
  node !== undefined && ts.isStringLiteral(node) && /\s/.test(node.text)

describe('an error', () => {
  const codes = errorCodes()
  it('is found in the source', () => {
    expect(codes.size).toBeGreaterThan(150)
    for (const code of ['INTERNAL', 'ENGINE_BUSY', 'LOAN_UNKNOWN', 'INVALID_JSON', 'HOST_UNREACHABLE'])
      expect([...codes.keys()]).toContain(code)
  })

  it('is said in Japanese, with the next step', () => {
    const missing = [...codes].filter(
      ([code]) => japanese(`errors.${code}.message`) === null || japanese(`errors.${code}.nextStep`) === null,
    )
    expect(missing).toEqual([])
  })
})

describe('what a person reads', () => {
  beforeEach(() => speak('ja'))
  afterEach(() => speak('en'))

  it('has every figure in its place, and the host’s English where a figure is missing', () => {
    const english = 'Not earning: the battery is at 40 %; you want at least 50 %.'
    const params = { percent: 40, limit: 50 }
    expect(hostWords('earning.battery-low', english, params)).toContain('40')
    const tray = wordsIn(['ja-JP'])
    expect(tray.host('earning.battery-low', english, params)).toBe(
      hostWords('earning.battery-low', english, params),
    )
    expect(tray.host('earning.battery-low', english, {})).toBe(english)
    expect(hostWords('earning.battery-low', english, {})).toBe(english)
    expect(wordsIn(['en']).host('earning.battery-low', english, params)).toBe(english)
  })

  it('a rule that refuses the owner’s own question is said like the rule itself', () => {
    const error = {
      code: 'EARNING_TOO_HOT',
      message: 'Hot.',
      nextStep: 'Wait.',
      params: { state: 'serious' },
    }
    expect(errorWords(error).message).toBe(japanese('earning.too-hot'))
    expect(errorWords(error).nextStep).toBe(japanese('errors.EARNING.nextStep'))
  })
})
