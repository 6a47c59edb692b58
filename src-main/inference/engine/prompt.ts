import { randomBytes } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import { TiramiError } from '../../kernel/index.ts'
import type { ChatTurn } from '../types.ts'

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
  readonly #template: Template
  readonly #vocabulary: Vocabulary
  readonly #spelling: RegExp | null

  /** @param template Jinja; null takes ChatML. @throws TiramiError MODEL_TEMPLATE_INVALID */
  constructor(template: string | null, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
    this.#spelling = anyOf(vocabulary.controlSpellings)
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
  write(turns: readonly ChatTurn[]): number[] {
    const structure = this.#structure(turns)
    const expected = this.#controls(this.#tokens(structure.pieces.filter((piece) => piece.fromTemplate)))
    const faithful = this.#faithful(turns)
    if (faithful.intact) {
      const tokens = this.#tokens(faithful.pieces)
      if (sameItems(this.#controls(tokens), expected)) return tokens
    }
    if (!structure.intact) throw rejected("The model's chat template cannot carry this conversation.")
    return this.#tokens(structure.pieces)
  }

  /** Step 1: contents as they are, except for spellings of control tokens. */
  #faithful(turns: readonly ChatTurn[]): Rendering {
    const marks = new Marks()
    const spelling = this.#spelling
    const safe = turns.map(({ role, content }) => ({
      role,
      content: spelling ? content.replaceAll(spelling, (text) => marks.add(text)) : content,
    }))
    return marks.split(this.#render(safe))
  }

  /** Steps 2 and 3: every content a mark. */
  #structure(turns: readonly ChatTurn[]): Rendering {
    const marks = new Marks()
    return marks.split(
      this.#render(turns.map(({ role, content }) => ({ role, content: marks.add(content) }))),
    )
  }

  #render(messages: ChatTurn[]): string {
    try {
      return this.#template.render({
        messages,
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
  #plainTokens(text: string): number[] {
    const cuts = this.#spelling ? [...text.matchAll(this.#spelling)].map((match) => match.index + 1) : []
    return [0, ...cuts].flatMap((from, index) =>
      this.#vocabulary.tokenize(text.slice(from, cuts[index]), false, false),
    )
  }

  #controls(tokens: readonly number[]): number[] {
    return tokens.filter((token) => this.#vocabulary.isControl(token))
  }
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
