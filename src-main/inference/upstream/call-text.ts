import { upstreamInvalid } from './errors.ts'
import type { WireChunk } from './wire.ts'

type ToolCallDelta = WireChunk['toolCalls'][number]

/**
 * Writes a server's tool calls as the text that a model would have written: what reads answers then knows one form
 * only. `hermes` where the model was free to call, bare JSON for the one call that was required.
 */
export class CallText {
  readonly #form: 'hermes' | 'json'
  #current: { index: number; argumentsJson: string } | null = null
  /** Calls that were begun. */
  calls = 0

  constructor(form: 'hermes' | 'json') {
    this.#form = form
  }

  push({ index, name, argumentsDelta }: ToolCallDelta): string {
    let text = ''
    if (this.#current?.index !== index) {
      // A required call is one call; whatever follows it is left out.
      if (name === '' || (this.#form === 'json' && this.calls > 0)) return ''
      text = this.#close() + this.#opening(name)
      this.#current = { index, argumentsJson: '' }
      this.calls++
    }
    if (this.#current) this.#current.argumentsJson += argumentsDelta
    return text + argumentsDelta
  }

  /** Closes the last call, unless it was cut off: then the caller gets what there is, and sees that it is not whole. */
  finish(): string {
    return this.#current && !isCut(this.#current.argumentsJson) ? this.#close() : ''
  }

  #close(): string {
    const current = this.#current
    this.#current = null
    if (!current) return ''
    if (isCut(current.argumentsJson)) throw upstreamInvalid('broke a tool call off')
    return `${current.argumentsJson === '' ? '{}' : ''}}${this.#form === 'hermes' ? '\n</tool_call>' : ''}`
  }

  #opening(name: string): string {
    const json = `{"name": ${JSON.stringify(name)}, "arguments": `
    return this.#form === 'hermes' ? `${this.calls > 0 ? '\n' : ''}<tool_call>\n${json}` : json
  }
}

/** No arguments at all are none. */
const isCut = (argumentsJson: string): boolean => argumentsJson !== '' && !isWholeJson(argumentsJson)

export function isWholeJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
