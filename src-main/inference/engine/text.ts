/** Turns tokens into text. @param before tokens right before them, which may decide about a leading space. */
type Detokenize = (tokens: number[], before: number[]) => string

const REPLACEMENT = '\uFFFD'
/** A UTF-8 character has at most 4 bytes, so at most 3 tokens can wait for its end. */
const MAX_PENDING_TOKENS = 3
/** As many as node-llama-cpp looks at. */
const CONTEXT_TOKENS = 3

/** Makes text of a token stream without ever giving half a character away. */
export class TokenDecoder {
  readonly #detokenize: Detokenize
  #before: number[] = []
  #pending: number[] = []

  constructor(detokenize: Detokenize) {
    this.#detokenize = detokenize
  }

  /** Text that is complete with this token; empty while a character is unfinished. */
  push(token: number): string {
    this.#pending.push(token)
    const text = this.#detokenize(this.#pending, this.#before)
    if (!text.endsWith(REPLACEMENT)) return this.#release(this.#pending.length, text)
    if (this.#pending.length <= MAX_PENDING_TOKENS) return ''
    // Invalid bytes, not an unfinished character: the oldest token cannot belong to what comes next.
    return this.#release(1, this.#detokenize(this.#pending.slice(0, 1), this.#before))
  }

  /** What is left, with replacement characters for bytes that never became a character. */
  finish(): string {
    return this.#release(this.#pending.length, this.#detokenize(this.#pending, this.#before))
  }

  #release(count: number, text: string): string {
    this.#before = [...this.#before, ...this.#pending.slice(0, count)].slice(-CONTEXT_TOKENS)
    this.#pending = this.#pending.slice(count)
    return text
  }
}

/** Cuts a text stream at the first stop string; holds back what could still become one. */
export class StopFilter {
  readonly #stops: readonly string[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#stops = stops
  }

  /** @returns the text that may be shown, and whether a stop string was reached. */
  push(text: string): { text: string; stopped: boolean } {
    const all = this.#held + text
    const cut = Math.min(...this.#stops.map((stop) => all.indexOf(stop)).filter((index) => index >= 0))
    if (Number.isFinite(cut)) {
      this.#held = ''
      return { text: all.slice(0, cut), stopped: true }
    }
    const safe = all.length - this.#heldLength(all)
    this.#held = all.slice(safe)
    return { text: all.slice(0, safe), stopped: false }
  }

  /** What was held back when no more text comes. */
  finish(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }

  /** Length of the longest end of `text` that begins a stop string. */
  #heldLength(text: string): number {
    const lengths = this.#stops.map((stop) => {
      let length = Math.min(stop.length - 1, text.length)
      while (length > 0 && !text.endsWith(stop.slice(0, length))) length--
      return length
    })
    return Math.max(0, ...lengths)
  }
}
