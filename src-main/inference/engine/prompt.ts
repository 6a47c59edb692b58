import { createHash, randomBytes } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import { TiramiError } from '../../kernel/index.ts'
import { detectToolCallFormat } from '../tool-calls.ts'
import type { Prompt, ToolCallFormat } from '../types.ts'

/** What the prompt needs of a model's tokenizer. */
export interface Vocabulary {
  /**
   * @param specials whether spellings of control tokens become those tokens.
   * @param isStart whether the text begins the prompt; some tokenizers put a space before that only.
   */
  tokenize(text: string, specials: boolean, isStart: boolean): number[]
  isControl(token: number): boolean
  /** Texts that would become control tokens, such as `<|im_end|>`. */
  controlSpellings: string[]
  bosText: string
  eosText: string
  /** Set when every prompt of this model must begin with it. */
  requiredBos: number | null
}

type Chat = Extract<Prompt, { type: 'chat' }>
/** A conversation as chat templates take it (Hugging Face's names). */
interface TemplateInput {
  messages: unknown[]
  tools?: unknown[]
}

/** A stretch of the prompt. Only what the template wrote may hold control tokens. */
interface Piece {
  text: string
  fromTemplate: boolean
}

interface Rendering {
  pieces: Piece[]
  /** False when the template changed a mark: what stood for it is lost. */
  intact: boolean
}

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
const MAX_REASON_CHARACTERS = 200

/**
 * Makes prompts from conversations with the model's own chat template. Nothing a caller writes can become a
 * control token:
 *
 * 1. Spellings of control tokens in the contents are replaced with random marks, the template is rendered
 *    with the rest as it is, and the marks are tokenised as plain text. Contents without such spellings, the
 *    normal case, give exactly the tokens that llama.cpp gives.
 * 2. That the result holds the control tokens of the template and no others is checked against a rendering
 *    whose contents are marks only.
 * 3. If it does not (a template that rewrites contents or looks into them), the prompt is put together from
 *    that second rendering, with every content tokenised as plain text by itself.
 */
export class PromptWriter {
  /** Null: the template takes no tools. */
  readonly toolCallFormat: ToolCallFormat | null
  readonly #template: Template
  readonly #vocabulary: Vocabulary
  readonly #spelling: RegExp | null

  /** @param template Jinja; null takes ChatML. @throws TiramiError MODEL_TEMPLATE_INVALID */
  constructor(template: string | null, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
    this.#spelling = anyOf(vocabulary.controlSpellings)
    this.toolCallFormat = detectToolCallFormat(template)
    try {
      this.#template = new Template(template ?? CHATML)
    } catch (cause) {
      throw new TiramiError('MODEL_TEMPLATE_INVALID', "The model's chat template cannot be read.", {
        nextStep: 'Choose another model, or another conversion of this one.',
        cause,
      })
    }
  }

  /** The prompt's tokens. @throws TiramiError PROMPT_REJECTED (400) when the template refuses the conversation. */
  write(prompt: Prompt): number[] {
    const tokens = prompt.type === 'text' ? this.#raw(prompt.text) : this.#chat(prompt)
    if (tokens.length === 0) throw rejected('The prompt is empty.')
    return tokens
  }

  /** Tokens of a text by itself, in which no spelling of a control token counts. */
  plain(text: string): number[] {
    return this.#plainTokens(text, true)
  }

  #raw(text: string): number[] {
    const bos = this.#vocabulary.requiredBos
    return [...(bos === null ? [] : [bos]), ...this.#plainTokens(text, true)]
  }

  #chat(chat: Chat): number[] {
    if (chat.tools?.length && this.toolCallFormat === null) {
      throw rejected("The model's chat template takes no tools.")
    }
    const structure = this.#structure(chat)
    const expected = this.#controls(this.#tokens(structure.pieces.filter((piece) => piece.fromTemplate)))
    const faithful = this.#faithful(chat)
    if (faithful.intact) {
      const tokens = this.#tokens(faithful.pieces)
      if (sameItems(this.#controls(tokens), expected)) return tokens
    }
    if (!structure.intact) throw rejected("The model's chat template cannot carry this conversation.")
    return this.#tokens(structure.pieces)
  }

  /** Step 1: what the caller wrote as it is, except for spellings of control tokens. */
  #faithful(chat: Chat): Rendering {
    const marks = new Marks()
    const spelling = this.#spelling
    const safe = (text: string) =>
      spelling ? text.replaceAll(spelling, (spelled) => marks.add(spelled)) : text
    return marks.split(this.#render(templateInput(chat, safe, this.toolCallFormat)))
  }

  /** Steps 2 and 3: everything that the caller wrote a mark. */
  #structure(chat: Chat): Rendering {
    const marks = new Marks()
    return marks.split(this.#render(templateInput(chat, (text) => marks.add(text), this.toolCallFormat)))
  }

  #render(input: TemplateInput): string {
    try {
      return this.#template.render({
        ...input,
        add_generation_prompt: true,
        bos_token: this.#vocabulary.bosText,
        eos_token: this.#vocabulary.eosText,
      })
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.slice(0, MAX_REASON_CHARACTERS) : 'unknown'
      throw rejected(`The model's chat template refused the conversation: ${reason}`, cause)
    }
  }

  #tokens(pieces: readonly Piece[]): number[] {
    const tokens = pieces.flatMap(({ text, fromTemplate }, index) =>
      fromTemplate ? this.#vocabulary.tokenize(text, true, index === 0) : this.#plainTokens(text),
    )
    const bos = this.#vocabulary.requiredBos
    return bos === null || tokens[0] === bos ? tokens : [bos, ...tokens]
  }

  /**
   * A caller's text. Cutting every control spelling after its first character keeps even tokenizers from
   * finding it that match some special tokens in plain text too (llama.cpp: USER_DEFINED).
   */
  #plainTokens(text: string, isStart = false): number[] {
    const cuts = this.#spelling ? [...text.matchAll(this.#spelling)].map((match) => match.index + 1) : []
    return [0, ...cuts].flatMap((from, index) =>
      this.#vocabulary.tokenize(text.slice(from, cuts[index]), false, isStart && index === 0),
    )
  }

  #controls(tokens: readonly number[]): number[] {
    return tokens.filter((token) => this.#vocabulary.isControl(token))
  }
}

/** @param write what becomes of a caller's text on its way into the template. */
function templateInput(
  { turns, tools }: Chat,
  write: (text: string) => string,
  format: ToolCallFormat | null,
): TemplateInput {
  const id = format === 'mistral' ? shortId : write
  const messages = turns.map(({ role, content, toolCalls, toolCallId }) => ({
    role,
    content: write(content),
    ...(toolCallId === undefined ? {} : { tool_call_id: id(toolCallId) }),
    ...(toolCalls === undefined || toolCalls.length === 0
      ? {}
      : {
          tool_calls: toolCalls.map((call) => ({
            id: id(call.id),
            type: 'function',
            function: { name: write(call.name), arguments: writeAll(argumentsOf(call.argumentsJson), write) },
          })),
        }),
  }))
  if (!tools?.length) return { messages }
  return {
    messages,
    tools: tools.map(({ name, description, parameters }) => ({
      type: 'function',
      function: {
        name: write(name),
        description: write(description ?? ''),
        parameters: writeAll(parameters, write),
      },
    })),
  }
}

/** Templates want the arguments as an object; what is none stays text. */
function argumentsOf(json: string): unknown {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? value : json
  } catch {
    return json
  }
}

/** Every text in `value`, names of properties too, as `write` gives it. */
function writeAll(value: unknown, write: (text: string) => string): unknown {
  if (typeof value === 'string') return write(value)
  if (Array.isArray(value)) return value.map((item) => writeAll(item, write))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [write(key), writeAll(item, write)]))
}

/** Mistral's templates check that an id has nine letters and digits. A hash holds nothing that the caller wrote. */
function shortId(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 9)
}

/** Random stand-ins for texts that must pass through a template unseen. */
class Marks {
  readonly #nonce = `m${randomBytes(12).toString('hex')}`
  readonly #texts: string[] = []

  add(text: string): string {
    return `${this.#nonce}n${this.#texts.push(text) - 1}e`
  }

  /** Puts the texts back in place of their marks. A mark that the template dropped stays dropped. */
  split(rendered: string): Rendering {
    const parts = rendered.split(new RegExp(`${this.#nonce}n(\\d+)e`))
    return {
      pieces: parts.map((part, index) => {
        const isMark = index % 2 === 1
        return { text: isMark ? (this.#texts[Number(part)] ?? '') : part, fromTemplate: !isMark }
      }),
      intact: parts.every((part, index) => index % 2 === 1 || !part.toLowerCase().includes(this.#nonce)),
    }
  }
}

function rejected(message: string, cause?: unknown): TiramiError {
  return new TiramiError('PROMPT_REJECTED', message, {
    nextStep: 'Change the order or the roles of the messages, or choose another model.',
    httpStatus: 400,
    cause,
  })
}

/** Matches any of `texts`, longest first; null where there are none. */
function anyOf(texts: readonly string[]): RegExp | null {
  const escaped = texts
    .filter((text) => text !== '')
    .toSorted((a, b) => b.length - a.length)
    .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return escaped.length === 0 ? null : new RegExp(escaped.join('|'), 'g')
}

function sameItems(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
