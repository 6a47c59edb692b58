import type { AnswerPiece, TokenLogprobs } from '../../inference/index.ts'
import { tokenLogprob } from './logprobs.ts'
import { newId } from './models.ts'

type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

interface TextItem {
  id: string
  type: 'message'
  role: 'assistant'
  status: ItemStatus
  content: { type: 'output_text'; text: string; annotations: never[]; logprobs: object[] }[]
}

interface CallItem {
  id: string
  type: 'function_call'
  status: ItemStatus
  call_id: string
  name: string
  arguments: string
}

/** One entry of a response's `output`. */
export type OutputItem = TextItem | CallItem

/** A streamed event without its place in the stream. */
export interface ResponseEvent {
  type: string
  [field: string]: unknown
}

/**
 * Builds a response's `output` from the pieces of an answer, and says what a stream tells of it. One item is open at
 * a time: text, or a call.
 */
export class ResponseOutput {
  readonly items: OutputItem[] = []
  /** Of tokens whose text has not come yet: half a character, or what may still become a call. */
  #waiting: object[] = []

  push(pieces: readonly AnswerPiece[], logprobs: readonly TokenLogprobs[] = []): ResponseEvent[] {
    this.#waiting.push(...logprobs.map(tokenLogprob))
    return pieces.flatMap((piece) => {
      if (piece.type === 'content') return this.#text(piece.text)
      this.#waiting = []
      return piece.type === 'tool-call'
        ? this.#call(piece.id, piece.name)
        : this.#arguments(piece.argumentsDelta)
    })
  }

  /** Closes what is open; an answer that said nothing is one empty message. */
  finish(status: 'completed' | 'incomplete'): ResponseEvent[] {
    const opened = this.items.length === 0 ? this.#text('') : []
    return [...opened, ...this.#close(status)]
  }

  get #open(): OutputItem | undefined {
    const last = this.items.at(-1)
    return last?.status === 'in_progress' ? last : undefined
  }

  /** Copies, because an event says how things were when it was sent. */
  #event(type: string, fields: object): ResponseEvent {
    return { type, output_index: this.items.length - 1, ...structuredClone(fields) }
  }

  #add(item: OutputItem): ResponseEvent[] {
    const closed = this.#close('completed')
    this.items.push(item)
    return [...closed, this.#event('response.output_item.added', { item })]
  }

  #text(delta: string): ResponseEvent[] {
    const opened = this.#open?.type === 'message' ? [] : this.#openText()
    const item = this.#open
    const part = item?.type === 'message' ? item.content[0] : undefined
    if (!item || !part) return opened
    const logprobs = this.#waiting
    this.#waiting = []
    part.text += delta
    part.logprobs.push(...logprobs)
    const where = { item_id: item.id, content_index: 0 }
    return delta === ''
      ? opened
      : [...opened, this.#event('response.output_text.delta', { ...where, delta, logprobs })]
  }

  #openText(): ResponseEvent[] {
    const item: TextItem = {
      id: newId('msg'),
      type: 'message',
      role: 'assistant',
      status: 'in_progress',
      content: [],
    }
    const added = this.#add(item)
    const part = { type: 'output_text' as const, text: '', annotations: [], logprobs: [] }
    const where = { item_id: item.id, content_index: 0 }
    const partAdded = this.#event('response.content_part.added', { ...where, part })
    item.content.push(part)
    return [...added, partAdded]
  }

  #call(callId: string, name: string): ResponseEvent[] {
    return this.#add({
      id: newId('fc'),
      type: 'function_call',
      status: 'in_progress',
      call_id: callId,
      name,
      arguments: '',
    })
  }

  #arguments(delta: string): ResponseEvent[] {
    const item = this.#open
    if (item?.type !== 'function_call') return []
    item.arguments += delta
    return [this.#event('response.function_call_arguments.delta', { item_id: item.id, delta })]
  }

  #close(status: 'completed' | 'incomplete'): ResponseEvent[] {
    const item = this.#open
    if (!item) return []
    item.status = status
    const done = item.type === 'message' ? this.#textDone(item) : this.#callDone(item)
    return [...done, this.#event('response.output_item.done', { item })]
  }

  #textDone(item: TextItem): ResponseEvent[] {
    const [part] = item.content
    const where = { item_id: item.id, content_index: 0 }
    return [
      this.#event('response.output_text.done', { ...where, text: part?.text, logprobs: part?.logprobs }),
      this.#event('response.content_part.done', { ...where, part }),
    ]
  }

  #callDone({ id, name, arguments: args }: CallItem): ResponseEvent[] {
    return [this.#event('response.function_call_arguments.done', { item_id: id, name, arguments: args })]
  }
}
