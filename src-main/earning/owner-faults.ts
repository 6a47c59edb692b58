import type { ErrorCode as YamlCode } from 'yaml'
import type { z } from 'zod'
import type { OwnerFaultCode, OwnerFileProblem } from '../../src-preload/contract/index.ts'
import { fillSentence, type SentenceParams } from '../kernel/index.ts'

/** What can be wrong with `owner.yaml`: English; `name` is a setting. Stable codes: the window has sentences for each. */
export const OWNER_FAULT_SENTENCES: Readonly<Record<OwnerFaultCode, string>> = {
  missing: 'The file cannot be read.',
  unreadable: 'It cannot be read as YAML.',
  'too-large': 'It is larger than {bytes} bytes.',
  documents: 'It holds more than one document.',
  shape: 'The file must hold sections of settings, such as “serving:”.',
  tab: 'The indentation has a tab; use spaces.',
  indent: 'The indentation or a bracket is not right: {detail}.',
  'missing-mark': 'A mark is missing: {detail}.',
  duplicate: 'A name stands twice in one section; names must be unique.',
  syntax: 'It is not YAML: {detail}.',
  unknown: '{name}: there is no such setting.',
  section: '{name}: it must be a section of settings.',
  boolean: '{name}: it must be true or false.',
  number: '{name}: it must be a number.',
  integer: '{name}: it must be a whole number.',
  text: '{name}: it must be text.',
  least: '{name}: it must be at least {limit}.',
  above: '{name}: it must be more than {limit}.',
  most: '{name}: it must be at most {limit}.',
  long: '{name}: the text is too long.',
  choice: '{name}: it must be one of {choices}.',
  currency: '{name}: it must be three capital letters, such as EUR.',
  windows: '{name}: it must be windows such as 22:00-07:00, separated by commas.',
  time: '{name}: it must be a time such as 22:30.',
  'time-zone': '{name}: there is no such time zone; write one such as Europe/Berlin.',
  gpus: '{name}: it must be entries such as “GPU-0b1c off” or “GPU-0b1c 8 GiB 80 C”.',
  line: '{name}: it must be one line.',
  'below-other': '{name}: it is below {other}.',
  'below-depth': '{name}: the least depth of the thermostat is already above it.',
  value: '{name}: this value is not allowed.',
}

const DETAIL_CHARACTERS_MAX = 200

/** A fault in words, and by its code for readers of other languages. `line` from 1; null: the whole file. */
export function ownerFault(
  code: OwnerFaultCode,
  line: number | null = null,
  params: SentenceParams = {},
): OwnerFileProblem {
  return { line, reason: fillSentence(OWNER_FAULT_SENTENCES[code], params), code, params: { ...params } }
}

const OF_YAML: Partial<Record<YamlCode, OwnerFaultCode>> = {
  MULTIPLE_DOCS: 'documents',
  TAB_AS_INDENT: 'tab',
  BAD_INDENT: 'indent',
  BLOCK_IN_FLOW: 'indent',
  MISSING_CHAR: 'missing-mark',
  DUPLICATE_KEY: 'duplicate',
}

/** What the parser of YAML says. */
export function yamlFault({ code, message }: { code: YamlCode; message: string }, line: number) {
  const detail = message.slice(0, DETAIL_CHARACTERS_MAX)
  const known = OF_YAML[code] ?? 'syntax'
  return ownerFault(known, line, OWNER_FAULT_SENTENCES[known].includes('{detail}') ? { detail } : {})
}

/** Settings whose text has a form of its own. */
const FORMS: readonly [RegExp, OwnerFaultCode][] = [
  [/^prices\.currency$/, 'currency'],
  [/^schedule\.[a-z]+day$/, 'windows'],
  [/^schedule\.time_zone$/, 'time-zone'],
  [/^earning\.morning_at$/, 'time'],
  [/^earning\.gpus$/, 'gpus'],
  [/^earning\.exclusive_apps$/, 'line'],
]

const TYPES: Readonly<Record<string, OwnerFaultCode>> = {
  boolean: 'boolean',
  number: 'number',
  int: 'integer',
  string: 'text',
  object: 'section',
}

/** What the schema says of `name`, a setting or a section; empty: of the whole file. */
export function valueFault(
  name: string,
  issue: z.core.$ZodIssue | undefined,
  line: number | null = null,
): OwnerFileProblem {
  if (name === '') return ownerFault('shape', line)
  const fault = (code: OwnerFaultCode, params: SentenceParams = {}) =>
    ownerFault(code, line, { name, ...params })
  switch (issue?.code) {
    case 'unrecognized_keys':
      return fault('unknown')
    case 'invalid_type':
      return fault(TYPES[issue.expected] ?? 'value')
    case 'too_small':
      return fault(issue.inclusive === false ? 'above' : 'least', { limit: Number(issue.minimum) })
    case 'too_big':
      return issue.origin === 'string' ? fault('long') : fault('most', { limit: Number(issue.maximum) })
    case 'invalid_value':
      return fault('choice', { choices: issue.values.map(String).join(', ') })
    case 'custom':
      if (issue.params?.other !== undefined)
        return fault('below-other', { other: String(issue.params.other) })
      if (issue.params?.depth === true) return fault('below-depth')
      break
    default:
      break
  }
  return fault(FORMS.find(([setting]) => setting.test(name))?.[1] ?? 'value')
}
