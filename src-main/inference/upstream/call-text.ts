import type { WireChunk } from './wire.ts'

type ToolCallDelta = WireChunk['toolCalls'][number]

/**
 * Writes a server's tool calls as the text that a model would have written: what reads answers then knows one form
 * only. `hermes` where the model was free to call, bare JSON for the one call that was required.
 */
export class CallText {
  readonly #form: 'hermes' | 'json'
  #current: { index: number; hasArguments: boolean } | null = null
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
      text = this.finish() + this.#opening(name)
      this.#current = { index, hasArguments: false }
      this.calls++
    }
    if (argumentsDelta !== '' && this.#current) this.#current.hasArguments = true
    return text + argumentsDelta
  }

  /** Closes the call that is open. */
  finish(): string {
    const current = this.#current
    this.#current = null
    if (!current) return ''
    return `${current.hasArguments ? '' : '{}'}}${this.#form === 'hermes' ? '\n</tool_call>' : ''}`
  }

  #opening(name: string): string {
    const json = `{"name": ${JSON.stringify(name)}, "arguments": `
    return this.#form === 'hermes' ? `${this.calls > 0 ? '\n' : ''}<tool_call>\n${json}` : json
  }
}
