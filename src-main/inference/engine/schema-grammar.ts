import { TiramiError } from '../../kernel/index.ts'
import type { JsonSchema } from '../types.ts'

/** Bytes of the schema as JSON text. */
const MAX_SCHEMA_BYTES = 32 * 1024
const MAX_DEPTH = 16
const MAX_RULES = 1000
/** llama.cpp writes every repetition out, so all of them together are bounded. */
const MAX_REPETITIONS = 2000
/**
 * Alternatives that begin alike are followed side by side, at the cost of time with every token: so many at most, and
 * none that contains itself, where their number would double with every level of the answer.
 */
const MAX_PARALLEL_ALTERNATIVES = 128
const MAX_LISTED_INTEGERS = 1000

/** Say nothing about what is valid. */
const ANNOTATIONS = [
  '$schema',
  '$id',
  '$comment',
  '$anchor',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
  'contentEncoding',
  'contentMediaType',
]
/** What each type is asserted with; anything else that narrows what is valid is refused. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength'],
  number: ['minimum'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  boolean: [],
  null: [],
}
const TYPES = Object.keys(KEYWORDS)

/** JSON without long runs of white space, in which a model could lose itself; numbers that a double holds. */
const JSON_RULES = `ws ::= | " " | "\\n" [ \\t]{0,20}
char ::= [^"\\\\\\x7F\\x00-\\x1F\\uD800-\\uDFFF\\U00110000-\\U001FFFFF] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})
string ::= "\\"" char* "\\""
whole ::= "0" | [1-9] [0-9]{0,14}
integer ::= "-"? whole
number ::= "-"? whole ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
object ::= "{" ws (string ws ":" ws value (ws "," ws string ws ":" ws value)*)? ws "}"
array ::= "[" ws (value (ws "," ws value)*)? ws "]"
value ::= object | array | string | number | boolean | null
`

/** GBNF of any JSON object. */
export const JSON_OBJECT_GRAMMAR = `root ::= object\n${JSON_RULES}`

/**
 * GBNF whose every text is valid under `schema`. It may leave valid texts out (properties come in the schema's order,
 * unlisted ones only where none is listed), but never lets an invalid one through: a keyword that it cannot enforce is
 * refused.
 * @throws TiramiError UNSUPPORTED_SCHEMA (400)
 */
export function schemaGrammar(schema: JsonSchema): string {
  const text = JSON.stringify(schema)
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) {
    throw unsupported(`it is longer than ${MAX_SCHEMA_BYTES} bytes`)
  }
  return new Converter(JSON.parse(text) as JsonSchema).convert()
}

export function unsupportedSchema(message: string, cause?: unknown): TiramiError {
  return new TiramiError('UNSUPPORTED_SCHEMA', message, {
    nextStep: 'Simplify the schema; the documentation lists what is supported.',
    httpStatus: 400,
    cause,
  })
}

function unsupported(why: string): TiramiError {
  return unsupportedSchema(`The JSON schema cannot be used: ${why}.`)
}

/** What is known of a rule while it is being made, and after. */
interface Rule {
  name: string
  /** Alternatives that can be followed side by side within it. */
  parallel: number
  finished: boolean
}

class Converter {
  readonly #root: JsonSchema
  readonly #rules: string[] = []
  readonly #byPointer = new Map<string, Rule>()
  /** References that are being resolved, and whether alternatives that begin alike lie between them. */
  readonly #path: { pointer: string; overlaps: boolean }[] = []
  #repetitions = 0

  constructor(root: JsonSchema) {
    this.#root = root
  }

  convert(): string {
    const { name } = this.#schemaRule(this.#root, 0, '#')
    return `root ::= ${name}\n${this.#rules.join('')}${JSON_RULES}`
  }

  #add(body: string): string {
    if (this.#rules.length >= MAX_RULES) throw unsupported('it is too large')
    const name = `r${this.#rules.length}`
    this.#rules.push(`${name} ::= ${body}\n`)
    return name
  }

  /** A rule for `schema`, which lies at `pointer` when something may refer to it. */
  #schemaRule(schema: unknown, depth: number, pointer?: string): Rule {
    if (depth > MAX_DEPTH) throw unsupported(`it is nested deeper than ${MAX_DEPTH} levels`)
    if (pointer === undefined) return this.#body(schema, depth)
    const known = this.#byPointer.get(pointer)
    if (known?.finished) return known
    if (known) {
      const from = this.#path.findIndex((step) => step.pointer === pointer)
      if (this.#path.slice(from).some((step) => step.overlaps)) {
        throw unsupported('alternatives that begin alike contain themselves')
      }
      return known
    }
    const rule: Rule = { name: `d${this.#byPointer.size}`, parallel: 1, finished: false }
    this.#byPointer.set(pointer, rule)
    this.#path.push({ pointer, overlaps: false })
    const body = this.#body(schema, depth)
    this.#path.pop()
    this.#rules.push(`${rule.name} ::= ${body.name}\n`)
    rule.parallel = body.parallel
    rule.finished = true
    return rule
  }

  #body(schema: unknown, depth: number): Rule {
    if (schema === true) return rule('value')
    if (!isObject(schema)) throw unsupported('it contains something that is no schema')
    if ('$ref' in schema) return this.#reference(schema, depth)
    if ('const' in schema) {
      assertOnly(schema, ['const', 'type'])
      return rule(this.#literals([schema.const]))
    }
    if ('enum' in schema) {
      assertOnly(schema, ['enum', 'type'])
      if (!Array.isArray(schema.enum) || schema.enum.length === 0) throw unsupported('an “enum” is empty')
      return rule(this.#literals(schema.enum))
    }
    for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
      if (keyword in schema) return this.#combination(schema, keyword, depth)
    }
    return this.#typed(schema, depth)
  }

  #reference(schema: JsonSchema, depth: number): Rule {
    assertOnly(schema, ['$ref'])
    const { $ref } = schema
    const target = this.#resolve($ref)
    if (isObject(target) && target.$ref === $ref) throw unsupported('a “$ref” points to itself')
    return this.#schemaRule(target, depth + 1, String($ref))
  }

  #resolve($ref: unknown): unknown {
    if (typeof $ref !== 'string' || !$ref.startsWith('#')) {
      throw unsupported('a “$ref” points outside of it')
    }
    let target: unknown = this.#root
    for (const step of $ref.slice(1).split('/').slice(1)) {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
      if (typeof target !== 'object' || target === null || !Object.hasOwn(target, key)) {
        throw unsupported('a “$ref” points to nothing')
      }
      target = (target as JsonSchema)[key]
    }
    return target
  }

  #combination(schema: JsonSchema, keyword: string, depth: number): Rule {
    assertOnly(schema, [keyword])
    const parts = schema[keyword]
    if (!Array.isArray(parts) || parts.length === 0) throw unsupported(`an “${keyword}” is empty`)
    if (keyword === 'allOf' && parts.length > 1) throw unsupported('“allOf” of several is not supported')
    const beginnings = parts.map((part) => this.#beginnings(part, depth))
    if (keyword === 'oneOf' && !areDisjoint(beginnings) && !this.#areTagged(parts)) {
      throw unsupported('one text could be valid under two alternatives of a “oneOf”; use “anyOf”')
    }
    return this.#alternatives(
      parts.map((part) => () => this.#schemaRule(part, depth + 1)),
      beginnings,
    )
  }

  /** Whether all are objects that one required property tells apart. */
  #areTagged(parts: unknown[]): boolean {
    const objects = parts.map((part) => (isObject(part) && '$ref' in part ? this.#resolve(part.$ref) : part))
    const tagsOf = (object: unknown): Map<string, unknown> => {
      if (!isObject(object) || !isObject(object.properties) || !Array.isArray(object.required))
        return new Map()
      const { properties, required } = object
      return new Map(
        Object.entries(properties).flatMap(([name, schema]) =>
          isObject(schema) && 'const' in schema && required.includes(name)
            ? [[name, JSON.stringify(schema.const)]]
            : [],
        ),
      )
    }
    const tags = objects.map(tagsOf)
    const names = [...(tags[0]?.keys() ?? [])]
    return names.some((name) => {
      const values = tags.map((tag) => tag.get(name))
      return !values.includes(undefined) && new Set(values).size === values.length
    })
  }

  #alternatives(makers: (() => Rule)[], beginnings: string[]): Rule {
    const overlap = !areDisjoint(beginnings)
    const [step] = this.#path.slice(-1)
    const before = step?.overlaps ?? false
    if (step) step.overlaps ||= overlap
    const made = makers.map((make) => make())
    if (step) step.overlaps = before
    const parallel = overlap
      ? made.reduce((sum, { parallel }) => sum + parallel, 0)
      : Math.max(...made.map(({ parallel }) => parallel))
    if (parallel > MAX_PARALLEL_ALTERNATIVES) throw unsupported('too many of its alternatives begin alike')
    const names = new Set(made.map(({ name }) => name))
    return { ...rule(this.#add([...names].join(' | '))), parallel }
  }

  /** The characters that a value under `schema` can begin with, one per kind of value; `?` where that is not known. */
  #beginnings(schema: unknown, depth: number): string {
    if (depth > MAX_DEPTH || !isObject(schema)) return '?'
    if ('$ref' in schema) return this.#beginnings(this.#resolve(schema.$ref), depth + 1)
    if ('anyOf' in schema || 'oneOf' in schema || 'allOf' in schema) return '?'
    if ('const' in schema) return kindOf(schema.const)
    if (Array.isArray(schema.enum)) return [...new Set(schema.enum.map(kindOf))].join('')
    const types = typesOf(schema)
    return types === null ? '?' : types.map(beginningOf).join('')
  }

  #typed(schema: JsonSchema, depth: number): Rule {
    const types = typesOf(schema)
    if (types === null) {
      assertOnly(schema, [])
      return rule('value')
    }
    assertOnly(schema, ['type', ...types.flatMap((type) => KEYWORDS[type] ?? [])])
    const makers = types.map((type) => () => this.#ofType(type, schema, depth))
    const [only] = makers
    if (makers.length === 1 && only) return only()
    return this.#alternatives(makers, types.map(beginningOf))
  }

  #ofType(type: string, schema: JsonSchema, depth: number): Rule {
    switch (type) {
      case 'object':
        return this.#object(schema, depth)
      case 'array':
        return this.#array(schema, depth)
      case 'string':
        return rule(this.#string(schema))
      case 'integer':
        return rule(this.#integer(schema))
      case 'number':
        return rule(this.#number(schema))
      default:
        return rule(type)
    }
  }

  #object(schema: JsonSchema, depth: number): Rule {
    const { properties = {}, required = [], additionalProperties = true } = schema
    if (!isObject(properties) || !Array.isArray(required)) throw unsupported('an object is described wrongly')
    const names = Object.keys(properties)
    const missing = required.filter((name) => !names.includes(name))
    if (missing.length > 0) throw unsupported('a required property is not described')
    if (names.length === 0) return this.#map(additionalProperties, depth)
    let parallel = 1
    const members = names.map((name) => {
      const value = this.#schemaRule(properties[name], depth + 1)
      parallel = Math.max(parallel, value.parallel)
      return this.#add(`${literal(JSON.stringify(name))} ws ":" ws ${value.name}`)
    })
    return { ...rule(this.#members(names, members, new Set(required))), parallel }
  }

  /** From the last to the first: what may follow when nothing was written yet, and when something was. */
  #members(names: string[], members: string[], required: ReadonlySet<unknown>): string {
    let first = '""'
    let more = '""'
    for (let index = names.length - 1; index >= 0; index--) {
      const member = members[index] ?? ''
      const isRequired = required.has(names[index])
      const nextFirst = this.#add(`${member} ${more}${isRequired ? '' : ` | ${first}`}`)
      more = this.#add(`ws "," ws ${member} ${more}${isRequired ? '' : ` | ${more}`}`)
      first = nextFirst
    }
    return this.#add(`"{" ws ${first} ws "}"`)
  }

  #map(additionalProperties: unknown, depth: number): Rule {
    if (additionalProperties === false) return rule(this.#add('"{" ws "}"'))
    const { name, parallel } = this.#schemaRule(additionalProperties, depth + 1)
    const member = this.#add(`string ws ":" ws ${name}`)
    return { ...rule(this.#add(`"{" ws (${member} (ws "," ws ${member})*)? ws "}"`)), parallel }
  }

  #array(schema: JsonSchema, depth: number): Rule {
    const { items = true, prefixItems = [] } = schema
    const min = this.#count(schema.minItems) ?? 0
    const max = this.#count(schema.maxItems)
    if (max !== null && max < min) throw unsupported('“maxItems” is less than “minItems”')
    if (!Array.isArray(prefixItems)) throw unsupported('“prefixItems” is no list')
    if (prefixItems.length > 0) return this.#tuple(prefixItems, items, min, max, depth)
    const { name, parallel } = this.#schemaRule(items, depth + 1)
    if (max === 0) return rule(this.#add('"[" ws "]"'))
    const rest = this.#repeat(`(ws "," ws ${name})`, Math.max(0, min - 1), max === null ? null : max - 1)
    const list = `${name} ${rest}`
    return { ...rule(this.#add(`"[" ws ${min === 0 ? `(${list})?` : list} ws "]"`)), parallel }
  }

  /** As many items as the prefix has, which every bound that allows them agrees with. */
  #tuple(prefix: unknown[], items: unknown, min: number, max: number | null, depth: number): Rule {
    if (min > prefix.length || (max !== null && max < prefix.length)) {
      throw unsupported('the length of a list contradicts its “prefixItems”')
    }
    if (items !== true && items !== false) throw unsupported('“items” after “prefixItems” are not supported')
    const made = prefix.map((item) => this.#schemaRule(item, depth + 1))
    const body = made.map(({ name }) => name).join(' ws "," ws ')
    return {
      ...rule(this.#add(`"[" ws ${body} ws "]"`)),
      parallel: Math.max(...made.map((one) => one.parallel)),
    }
  }

  #string(schema: JsonSchema): string {
    const min = this.#count(schema.minLength) ?? 0
    const max = this.#count(schema.maxLength)
    if (max !== null && max < min) throw unsupported('“maxLength” is less than “minLength”')
    if (min === 0 && max === null) return 'string'
    return this.#add(`"\\"" ${this.#repeat('char', min, max)} "\\""`)
  }

  #integer(schema: JsonSchema): string {
    const low = bound(schema.minimum, schema.exclusiveMinimum, 1)
    const high = bound(schema.maximum, schema.exclusiveMaximum, -1)
    if (low === null && high === null) return 'integer'
    if (high === null && low === 0) return 'whole'
    if (high === null && low === 1) return this.#add('[1-9] [0-9]{0,14}')
    if (low === null || high === null || high < low || high - low >= MAX_LISTED_INTEGERS) {
      throw unsupported(
        `the range of an integer must be empty above, or of at most ${MAX_LISTED_INTEGERS} values`,
      )
    }
    return this.#literals(Array.from({ length: high - low + 1 }, (_, index) => low + index))
  }

  #number(schema: JsonSchema): string {
    if (schema.minimum === undefined) return 'number'
    if (schema.minimum !== 0) throw unsupported('the only “minimum” of a number is 0')
    return this.#add('whole ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?')
  }

  #literals(values: unknown[]): string {
    return this.#add([...new Set(values.map((value) => literal(JSON.stringify(value))))].join(' | '))
  }

  #count(value: unknown): number | null {
    if (value === undefined) return null
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw unsupported('a length is no whole number')
    }
    return value
  }

  #repeat(item: string, min: number, max: number | null): string {
    this.#repetitions += max ?? min
    if (this.#repetitions > MAX_REPETITIONS) {
      throw unsupported(`its lengths add up to more than ${MAX_REPETITIONS}`)
    }
    if (min === 0 && max === null) return `${item}*`
    return `${item}{${min},${max ?? ''}}`
  }
}

function rule(name: string): Rule {
  return { name, parallel: 1, finished: true }
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws TiramiError for a keyword that is neither in `keywords` nor a mere annotation */
function assertOnly(schema: JsonSchema, keywords: readonly string[]): void {
  for (const keyword of Object.keys(schema)) {
    if (keywords.includes(keyword) || ANNOTATIONS.includes(keyword)) continue
    throw unsupported(`“${keyword.slice(0, 40)}” is not supported here`)
  }
}

/** The types that `schema` names or, by its keywords, means; null for any. @throws TiramiError for one there is not */
function typesOf(schema: JsonSchema): string[] | null {
  const { type } = schema
  if (type === undefined) {
    if ('properties' in schema || 'additionalProperties' in schema) return ['object']
    return 'items' in schema || 'prefixItems' in schema ? ['array'] : null
  }
  const types = Array.isArray(type) ? type : [type]
  if (types.length === 0) throw unsupported('a “type” is empty')
  return [...new Set(types)].map((name) => {
    if (typeof name !== 'string' || !TYPES.includes(name))
      throw unsupported('it names a type that does not exist')
    return name
  })
}

function beginningOf(type: string): string {
  return { object: '{', array: '[', string: '"', boolean: 'b', null: 'n' }[type] ?? '0'
}

function kindOf(value: unknown): string {
  if (value === null) return 'n'
  if (Array.isArray(value)) return '['
  return { string: '"', number: '0', boolean: 'b' }[typeof value as string] ?? '{'
}

function areDisjoint(beginnings: string[]): boolean {
  const all = beginnings.join('')
  return !all.includes('?') && new Set(all).size === all.length
}

function bound(inclusive: unknown, exclusive: unknown, step: 1 | -1): number | null {
  const bounds = [inclusive, exclusive === undefined ? undefined : Number(exclusive) + step].filter(
    (value) => value !== undefined,
  )
  if (bounds.length === 0) return null
  const [value] = bounds
  if (bounds.length > 1 || !Number.isSafeInteger(value)) throw unsupported('a bound is no whole number')
  return value as number
}

/** A GBNF literal of `text`. */
function literal(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\u007f', '\\x7F')
  return `"${escaped}"`
}
