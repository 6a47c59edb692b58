import { type CallResult, isProcedureName, procedures } from '../../src-preload/contract/index.ts'
import { APP_ORIGIN, isAppUrl } from './app-request.ts'
import { type CallResultEnvelope, failure } from './host-protocol.ts'

/** Who sent an IPC message, read from Electron's event. */
export interface Sender {
  contentsId: number
  frameUrl: string
  frameOrigin: string
  isTopFrame: boolean
}

/** Bounds on an input before any schema looks at it. The largest legal input is a chat of 64 × 32 768 characters. */
const MAX_INPUT_CHARACTERS = 4 * 1024 * 1024
const MAX_INPUT_NODES = 4_096
const MAX_INPUT_DEPTH = 8
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Only the top frame of our own window, showing our own page, may call. */
export function senderAllowed(sender: Sender | null, windowContentsId: number | null): boolean {
  return (
    sender !== null &&
    windowContentsId !== null &&
    sender.contentsId === windowContentsId &&
    sender.isTopFrame &&
    // Both: about:blank and blob: inherit the origin, and a URL alone says nothing about a sandboxed frame.
    sender.frameOrigin === APP_ORIGIN &&
    isAppUrl(sender.frameUrl)
  )
}

/** Whether `input` is plain JSON-like data within bounds. Looks at no more of it than the bounds allow. */
export function inputWithinBounds(input: unknown): boolean {
  let characters = 0
  let nodes = 0
  const visit = (value: unknown, depth: number): boolean => {
    nodes += 1
    if (nodes > MAX_INPUT_NODES || depth > MAX_INPUT_DEPTH) return false
    if (typeof value === 'string') {
      characters += value.length
      return characters <= MAX_INPUT_CHARACTERS
    }
    if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number')
      return true
    if (typeof value !== 'object') return false
    if (Array.isArray(value)) {
      return value.length <= MAX_INPUT_NODES && value.every((item) => visit(item, depth + 1))
    }
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return false
    return Object.entries(value).every(([key, item]) => {
      characters += key.length
      return characters <= MAX_INPUT_CHARACTERS && !FORBIDDEN_KEYS.has(key) && visit(item, depth + 1)
    })
  }
  return visit(input, 0)
}

/**
 * Takes one call from the page to the host: who asks, what, with which input, and what comes back.
 * Never throws and never lets anything through that the contract does not name.
 */
export async function gateCall(
  request: { sender: Sender | null; windowContentsId: number | null; procedure: unknown; input: unknown },
  call: (procedure: string, input: unknown) => Promise<CallResultEnvelope>,
): Promise<CallResult> {
  if (!senderAllowed(request.sender, request.windowContentsId)) {
    return failure('SENDER_REFUSED', 'Only the window of Tirami Host may ask this.', 'Close this page.')
  }
  const { procedure } = request
  if (typeof procedure !== 'string' || !isProcedureName(procedure)) {
    return failure('UNKNOWN_PROCEDURE', 'The host does not know this request.', 'Update the app.')
  }
  if (!inputWithinBounds(request.input)) {
    return failure(
      'INPUT_TOO_LARGE',
      'The request is too large or not plain data.',
      'Send a shorter request.',
    )
  }
  const input = procedures[procedure].input.safeParse(request.input)
  if (!input.success) {
    return failure('INVALID_INPUT', 'The request does not have the expected form.', 'Check what was entered.')
  }
  try {
    const result = await call(procedure, input.data)
    if (!result.ok) return result
    const output = procedures[procedure].output.safeParse(result.result)
    if (output.success) return { ok: true, result: output.data }
    console.error(`ipc: ${procedure} answered something else than the contract says:`, output.error.message)
  } catch (error) {
    console.error(`ipc: ${procedure} failed:`, error)
  }
  return failure(
    'INTERNAL',
    'Something went wrong inside the host.',
    'Try again; if it happens again, report it with the time it happened.',
  )
}
