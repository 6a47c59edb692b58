import type { GenerateEvent, GenerateRequest } from '../types.ts'
import { CallText, isWholeJson } from './call-text.ts'
import { upstreamInvalid, upstreamUnsupported } from './errors.ts'
import { complaintIn, upstreamComplaint } from './http.ts'
import { readChunk, type WireChunk, type WireUsage } from './wire.ts'

/** What was reserved: nothing beyond it is sold. */
export interface Reserved {
  promptTokens: number
  maxTokens: number
}

/** Of the longest token that vocabularies have; one is mostly four. */
const MAX_TOKEN_BYTES = 1024
/** One token on the wire, with 20 alternatives and their bytes. */
const MAX_WIRE_BYTES_PER_TOKEN = 16 * 1024
const WIRE_BYTES_BESIDE = 1 << 20

/**
 * What a server streams, as an engine's events. Its own count of tokens is the one that is charged, if it can be true:
 * whole numbers, no more than was reserved. An answer without it, or not in the form that was asked for, is refused.
 * @param open starts the work @throws TiramiError UPSTREAM_*
 */
export async function* readAnswer(
  { prompt, format, topLogprobs }: GenerateRequest,
  reserved: Reserved,
  open: (maxBytes: number) => AsyncGenerator<string, void, void>,
): AsyncGenerator<GenerateEvent, void, void> {
  const hasTools = prompt.type === 'chat' && prompt.tools !== undefined && prompt.tools.length > 0
  const isForced = hasTools && format !== undefined && format.type !== 'text'
  const isJson = !hasTools && format !== undefined && format.type !== 'text'
  const calls = hasTools ? new CallText(isForced ? 'json' : 'hermes') : null
  // Thoughts are paid for, so they are shown where text is free; a form has no place for them.
  const thoughts = isForced || isJson ? null : new Thoughts()
  let json = ''
  let textBytes = 0
  let usage: WireUsage | null = null
  let finishReason: 'stop' | 'length' | null = null
  for await (const data of open(WIRE_BYTES_BESIDE + reserved.maxTokens * MAX_WIRE_BYTES_PER_TOKEN)) {
    const chunk = chunkOf(data)
    usage = chunk.usage ?? usage
    finishReason = chunk.finishReason ?? finishReason
    const text = textOf(chunk, thoughts, calls, isForced)
    if (isJson) json += text
    textBytes += Buffer.byteLength(text)
    if (textBytes > reserved.maxTokens * MAX_TOKEN_BYTES)
      throw upstreamInvalid('said far more than it was asked for')
    const { logprobs } = chunk
    if (topLogprobs !== undefined && logprobs === null && chunk.text !== '')
      throw upstreamUnsupported('gives no log-probabilities')
    const asked = topLogprobs !== undefined && logprobs !== null ? { logprobs } : {}
    if (text !== '' || (asked.logprobs?.length ?? 0) > 0)
      // How many tokens a piece took it does not say; its count stands at the end.
      yield { type: 'text', text, tokens: logprobs?.length ?? 0, ...asked }
  }
  if (finishReason === null) throw upstreamInvalid('ended before its answer did')
  const rest = (thoughts?.close() ?? '') + (calls?.finish() ?? '')
  if (rest !== '') yield { type: 'text', text: rest, tokens: 0 }
  if (finishReason === 'stop') {
    if (isForced && calls?.calls === 0) throw upstreamUnsupported('did not make the call that was required')
    if (isJson && !isWholeJson(json))
      throw upstreamUnsupported('did not answer in the form that was asked for')
  }
  yield { type: 'end', finishReason, ...checkedUsage(usage, reserved) }
}

function chunkOf(data: string): WireChunk {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    throw upstreamInvalid('streams broken JSON')
  }
  if (typeof value === 'object' && value !== null && 'error' in value && value.error) throw failure(value)
  return readChunk(value)
}

/** An error after the stream had begun: the caller's when it says so, otherwise the server's. */
function failure(value: object) {
  const complaint = complaintIn(value)
  const code =
    'error' in value && typeof value.error === 'object' && value.error && 'code' in value.error
      ? value.error.code
      : null
  const isCallers =
    code === 400 || /invalid_request|bad_?request|context|prompt_too_long/i.test(complaint.kind)
  return isCallers ? upstreamComplaint(complaint) : upstreamInvalid('failed while it was answering')
}

function textOf(
  chunk: WireChunk,
  thoughts: Thoughts | null,
  calls: CallText | null,
  isForced: boolean,
): string {
  const called = calls ? chunk.toolCalls.map((delta) => calls.push(delta)).join('') : ''
  const thought = thoughts?.think(chunk.reasoning) ?? ''
  const closing = called === '' && chunk.text === '' ? '' : (thoughts?.close() ?? '')
  // A server that writes its calls as text, for want of a parser, is read by ours.
  return thought + closing + (isForced && called !== '' ? '' : chunk.text) + called
}

/** Marks a server's separate thoughts in the text, as models that think write them. */
class Thoughts {
  #open = false

  think(text: string): string {
    if (text === '') return ''
    const opening = this.#open ? '' : '<think>\n'
    this.#open = true
    return opening + text
  }

  close(): string {
    if (!this.#open) return ''
    this.#open = false
    return '\n</think>\n\n'
  }
}

function checkedUsage(usage: WireUsage | null, reserved: Reserved): WireUsage {
  if (!usage) throw upstreamInvalid('does not say how many tokens its answer took')
  const { promptTokens, cachedTokens, completionTokens } = usage
  if (
    completionTokens > reserved.maxTokens ||
    promptTokens > reserved.promptTokens ||
    cachedTokens > promptTokens
  )
    throw upstreamInvalid('counts more tokens than there can be')
  return usage
}
