import { z } from 'zod'
import type { JsonSchema, OutputFormat, ToolCallFormat, ToolDefinition } from './types.ts'

/** What an answer consists of once its tool calls are told apart from its text. */
export type AnswerPiece =
  | { type: 'content'; text: string }
  /** A call has begun; its arguments follow in pieces, which together are the JSON text that the model wrote. */
  | { type: 'tool-call'; index: number; id: string; name: string }
  | { type: 'tool-arguments'; index: number; argumentsDelta: string }

export interface ToolCallParser {
  /** Takes a piece of the model's text as it comes. */
  push(text: string): AnswerPiece[]
  /** What was held back. A call that the model never finished keeps the arguments it has. */
  finish(): AnswerPiece[]
}

export interface ToolCallParserOptions {
  format: ToolCallFormat
  /** Tools on offer; a call of anything else is text. */
  names: ReadonlySet<string>
  newId(): string
}

/** What an answer under `forcedToolFormat` is parsed as. */
export const FORCED_TOOL_CALL_FORMAT: ToolCallFormat = 'llama3-json'

/**
 * How a chat template has tool calls written; null when it takes no tools. A template that lists tools without
 * showing any of the known ways is taken for Llama's JSON, whose shape most of them describe in words.
 */
export function detectToolCallFormat(template: string | null): ToolCallFormat | null {
  if (template === null || !/\btools\b/.test(template)) return null
  if (template.includes('[TOOL_CALLS]')) return 'mistral'
  if (template.includes('<tool_call>')) return 'hermes'
  return 'llama3-json'
}

/**
 * The format under which the answer is one call, of any of `tools`: for `tool_choice: "required"` give all, for a
 * named one only that. The answer is `{"name": …, "arguments": …}` whatever the model's own format.
 */
export function forcedToolFormat(tools: readonly ToolDefinition[]): OutputFormat {
  const calls = tools.map(({ name }, index) => ({
    type: 'object',
    properties: { name: { const: name }, arguments: { $ref: `#/$defs/${index}` } },
    required: ['name', 'arguments'],
    additionalProperties: false,
  }))
  const $defs = Object.fromEntries(
    tools.map(({ parameters }, index) => [String(index), moved(parameters, `#/$defs/${index}`)]),
  )
  return { type: 'json-schema', schema: { $defs, anyOf: calls } }
}

/** The functions that `forcedToolFormat` was given; null for a format that is none of its making. */
export function forcedToolNames(format: OutputFormat): string[] | null {
  const parsed = ForcedFormat.safeParse(format)
  return parsed.success ? parsed.data.schema.anyOf.map(({ properties }) => properties.name.const) : null
}

const ForcedFormat = z.object({
  type: z.literal('json-schema'),
  schema: z.object({
    anyOf: z.array(z.object({ properties: z.object({ name: z.object({ const: z.string() }) }) })).min(1),
  }),
})

/** `schema` with its local references as they must be once it lies at `place`. */
function moved(schema: JsonSchema, place: string): unknown {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' && value.startsWith('#') ? place + value.slice(1) : value,
  )
}

/** Tells tool calls from text while the answer streams. Pure: no clock, no randomness but `newId`. */
export function createToolCallParser(options: ToolCallParserOptions): ToolCallParser {
  return new Parser(options)
}

/** What stands before a call, or before a list of calls, in each format. */
const OPENINGS: Readonly<Record<ToolCallFormat, readonly string[]>> = {
  hermes: ['<tool_call>'],
  mistral: ['[TOOL_CALLS]'],
  'llama3-json': ['<|python_tag|>'],
}
const HERMES_CLOSING = '</tool_call>'
const MISTRAL_MAX_MARKERS = 200
const MISTRAL_NAME = /^[\w.-]{1,64}$/

class Parser implements ToolCallParser {
  readonly #format: ToolCallFormat
  readonly #names: ReadonlySet<string>
  readonly #newId: () => string
  /** Not looked at yet: text that could still begin an opening, or that follows a finished call. */
  #pending = ''
  /** As the model wrote it, from the opening on: given out as text when it turns out to be no call. */
  #raw = ''
  #reader: CallReader | null = null
  #calls = 0
  /** `text`: anything; `open`: after an opening or a call, where another call may follow. */
  #place: 'start' | 'text' | 'open' | 'between' = 'start'
  #out: AnswerPiece[] = []

  constructor({ format, names, newId }: ToolCallParserOptions) {
    this.#format = format
    this.#names = names
    this.#newId = newId
  }

  push(text: string): AnswerPiece[] {
    this.#pending += text
    while (this.#step());
    return this.#take()
  }

  finish(): AnswerPiece[] {
    const reader = this.#reader
    if (reader && !reader.announced) this.#content(this.#raw)
    if (this.#place === 'open' && !reader) this.#content(this.#raw)
    if (this.#place !== 'between') this.#content(this.#pending)
    this.#reader = null
    this.#pending = ''
    return this.#take()
  }

  #take(): AnswerPiece[] {
    const out = this.#out
    this.#out = []
    return out
  }

  /** Advances by one stretch. @returns false when more text is needed. */
  #step(): boolean {
    if (this.#pending === '') return false
    if (this.#reader) return this.#read(this.#reader)
    if (this.#place === 'open') return this.#open()
    if (this.#place === 'between') return this.#between()
    if (this.#place === 'start' && this.#format === 'llama3-json') return this.#startsWithJson()
    return this.#text()
  }

  /** Llama writes a call as the whole answer: only a `{` at its very start begins one. */
  #startsWithJson(): boolean {
    const trimmed = this.#pending.trimStart()
    if (trimmed === '') return false
    if (trimmed.startsWith('{')) {
      this.#raw = this.#pending.slice(0, this.#pending.length - trimmed.length)
      this.#pending = trimmed
      this.#begin()
    } else if (OPENINGS['llama3-json'].some((opening) => opening.startsWith(trimmed))) {
      return false
    } else {
      this.#place = 'text'
    }
    return true
  }

  #text(): boolean {
    const [opening = ''] = OPENINGS[this.#format]
    const at = this.#pending.indexOf(opening)
    if (at >= 0) {
      this.#content(this.#pending.slice(0, at))
      this.#raw = opening
      this.#pending = this.#pending.slice(at + opening.length)
      this.#place = 'open'
      return true
    }
    const held = overlap(this.#pending, opening)
    this.#content(this.#pending.slice(0, this.#pending.length - held))
    this.#pending = this.#pending.slice(this.#pending.length - held)
    return false
  }

  /** After an opening: the call itself, a list of calls, or Mistral's `name[ARGS]{…}`. */
  #open(): boolean {
    const rest = this.#pending.trimStart()
    if (rest === '') return false
    if (this.#format === 'mistral' && rest.startsWith('[') && !this.#raw.endsWith('[')) {
      const taken = this.#pending.length - rest.length + 1
      this.#raw += this.#pending.slice(0, taken)
      this.#pending = this.#pending.slice(taken)
      return true
    }
    if (this.#format === 'mistral' && !/^[{[]/.test(rest)) return this.#openNamed()
    if (!rest.startsWith('{')) return this.#abandon()
    this.#raw += this.#pending.slice(0, this.#pending.length - rest.length)
    this.#pending = rest
    this.#begin()
    return true
  }

  /** `name[ARGS]{…}` or `name{…}`. */
  #openNamed(): boolean {
    const at = this.#pending.search(/[{[]/)
    if (at < 0) {
      return MISTRAL_NAME.test(this.#pending.trim()) ? false : this.#abandon()
    }
    const name = this.#pending.slice(0, at).trim()
    let rest = this.#pending.slice(at)
    if (rest.startsWith('[')) {
      // `[ARGS]`, or `[CALL_ID]…[ARGS]`.
      const brace = rest.indexOf('{')
      if ((brace < 0 ? rest.length : brace) > MISTRAL_MAX_MARKERS) return this.#abandon()
      if (brace < 0) return false
      rest = rest.slice(brace)
    }
    if (!this.#names.has(name)) return this.#abandon()
    this.#raw += this.#pending.slice(0, this.#pending.length - rest.length)
    this.#pending = rest
    this.#reader = new CallReader(this.#names, name)
    return true
  }

  /** After a call: its closing, separators, the next call, or text again. */
  #between(): boolean {
    const rest = this.#pending.replace(this.#format === 'hermes' ? /^\s+/ : /^[\s,;\]]+/, '')
    if (rest === '') {
      this.#pending = rest
      return false
    }
    this.#pending = rest
    if (this.#format === 'hermes' && HERMES_CLOSING.startsWith(rest.slice(0, HERMES_CLOSING.length))) {
      if (rest.length < HERMES_CLOSING.length) return false
      this.#pending = rest.slice(HERMES_CLOSING.length)
      return true
    }
    const [opening = ''] = OPENINGS[this.#format]
    if (rest.startsWith(opening)) {
      this.#raw = opening
      this.#pending = rest.slice(opening.length)
      this.#place = 'open'
      return true
    }
    if (opening.startsWith(rest)) return false
    if (this.#format !== 'hermes' && rest.startsWith('{')) {
      this.#raw = ''
      this.#begin()
      return true
    }
    this.#place = 'text'
    return true
  }

  #begin(): void {
    this.#reader = new CallReader(this.#names, null)
  }

  /** What looked like a call is none: its text is text. */
  #abandon(): boolean {
    this.#content(this.#raw)
    this.#raw = ''
    this.#reader = null
    this.#place = 'text'
    return true
  }

  #read(reader: CallReader): boolean {
    const { taken, state } = reader.read(this.#pending)
    this.#raw += this.#pending.slice(0, taken)
    this.#pending = this.#pending.slice(taken)
    this.#tell(reader)
    if (state === 'more') return false
    if (state === 'invalid' && !reader.announced) return this.#abandon()
    this.#reader = null
    this.#raw = ''
    this.#place = 'between'
    return true
  }

  #tell(reader: CallReader): void {
    if (reader.name === null) return
    if (!reader.announced) {
      reader.announced = true
      this.#out.push({ type: 'tool-call', index: this.#calls++, id: this.#newId(), name: reader.name })
    }
    const argumentsDelta = reader.takeArguments()
    if (argumentsDelta !== '') {
      this.#out.push({ type: 'tool-arguments', index: this.#calls - 1, argumentsDelta })
    }
  }

  #content(text: string): void {
    const last = this.#out.at(-1)
    if (text === '') return
    if (last?.type === 'content') last.text += text
    else this.#out.push({ type: 'content', text })
  }
}

const ARGUMENT_KEYS = new Set(['arguments', 'parameters'])

/** Reads `{"name": …, "arguments": {…}}`, or the arguments alone where the name is known, character by character. */
class CallReader {
  name: string | null
  announced = false
  readonly #names: ReadonlySet<string>
  readonly #argumentsOnly: boolean
  #arguments = ''
  #sawArguments = false
  #phase: 'start' | 'key' | 'colon' | 'value' | 'after' = 'start'
  #key = ''
  /** The key or value that is being read, as written. */
  #token = ''
  #depth = 0
  #inString = false
  #escaped = false

  constructor(names: ReadonlySet<string>, name: string | null) {
    this.#names = names
    this.name = name
    this.#argumentsOnly = name !== null
    if (name !== null) {
      this.#phase = 'value'
      this.#key = 'arguments'
    }
  }

  /** Arguments that have come since the last call. */
  takeArguments(): string {
    const taken = this.#arguments
    this.#arguments = ''
    return taken
  }

  read(text: string): { taken: number; state: 'more' | 'done' | 'invalid' } {
    for (let index = 0; index < text.length; index++) {
      const state = this.#take(text[index] ?? '')
      if (state !== 'more') return { taken: index + 1, state }
    }
    return { taken: text.length, state: 'more' }
  }

  #take(char: string): 'more' | 'done' | 'invalid' {
    if (this.#phase === 'value') return this.#takeValue(char)
    if (this.#phase === 'key' && this.#token !== '') return this.#takeKey(char)
    if (/\s/.test(char)) return 'more'
    switch (this.#phase) {
      case 'start':
        if (char !== '{') return 'invalid'
        this.#phase = 'key'
        return 'more'
      case 'key':
        if (char !== '"') return 'invalid'
        this.#token = char
        return 'more'
      case 'colon':
        if (char !== ':') return 'invalid'
        this.#phase = 'value'
        this.#token = ''
        return 'more'
      case 'after':
        if (char === ',') this.#phase = 'key'
        else if (char !== '}') return 'invalid'
        return char === '}' ? this.#end() : 'more'
    }
  }

  #takeKey(char: string): 'more' | 'invalid' {
    this.#token += char
    if (!this.#closesString(char)) return 'more'
    this.#key = this.#token.slice(1, -1)
    this.#token = ''
    this.#phase = 'colon'
    return 'more'
  }

  #takeValue(char: string): 'more' | 'done' | 'invalid' {
    if (this.#token === '') {
      if (/\s/.test(char)) return 'more'
      this.#depth = 0
      this.#inString = false
    } else if (this.#depth === 0 && !this.#inString && /[\s,}]/.test(char)) {
      // A number or a literal has no end of its own.
      return this.#endValue() === 'invalid' ? 'invalid' : this.#take(char)
    }
    this.#token += char
    const streams = ARGUMENT_KEYS.has(this.#key) && this.#token.startsWith('{')
    if (streams) {
      this.#sawArguments = true
      this.#arguments += char
    }
    if (this.#inString) {
      if (this.#closesString(char)) this.#inString = false
    } else if (char === '"') this.#inString = true
    else if (char === '{' || char === '[') this.#depth++
    else if (char === '}' || char === ']') this.#depth--
    const isOpen = this.#inString || this.#depth > 0 || !/["}\]]/.test(char)
    return isOpen ? 'more' : this.#endValue()
  }

  #endValue(): 'more' | 'done' | 'invalid' {
    const written = this.#token
    this.#token = ''
    this.#phase = 'after'
    if (this.#argumentsOnly) return 'done'
    if (this.#key === 'name') {
      const name = textOf(written)
      if (name === null || !this.#names.has(name)) return 'invalid'
      this.name = name
    } else if (ARGUMENT_KEYS.has(this.#key) && !written.startsWith('{')) {
      // Some models write the arguments as a string that holds JSON.
      this.#sawArguments = true
      this.#arguments += textOf(written) ?? written
    }
    return 'more'
  }

  #end(): 'done' | 'invalid' {
    if (this.name === null) return 'invalid'
    if (!this.#sawArguments) this.#arguments = '{}'
    return 'done'
  }

  /** Whether `char` ends the string that it is read in. */
  #closesString(char: string): boolean {
    const wasEscaped = this.#escaped
    this.#escaped = char === '\\' && !wasEscaped
    return char === '"' && !wasEscaped
  }
}

function textOf(written: string): string | null {
  try {
    const value: unknown = JSON.parse(written)
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/** Length of the longest end of `text` that begins `word`. */
function overlap(text: string, word: string): number {
  let length = Math.min(word.length - 1, text.length)
  while (length > 0 && !text.endsWith(word.slice(0, length))) length--
  return Math.max(0, length)
}
