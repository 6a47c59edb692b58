import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { procedureNames, procedures } from '../../src-preload/contract/index.ts'
import type { CallResultEnvelope } from './host-protocol.ts'
import { gateCall, inputWithinBounds, type Sender, senderAllowed } from './ipc-gate.ts'
import { exampleStatus } from './testing/status.ts'

const WINDOW = 7
const page: Sender = {
  contentsId: WINDOW,
  frameUrl: 'app://tirami/index.html#/earnings',
  frameOrigin: 'app://tirami',
  isTopFrame: true,
}
const status = exampleStatus()
const ok = async (): Promise<CallResultEnvelope> => ({ ok: true, result: status })
const gate = (change: Partial<Parameters<typeof gateCall>[0]>, call = ok) =>
  gateCall({ sender: page, windowContentsId: WINDOW, procedure: 'status.get', input: {}, ...change }, call)
const code = async (result: ReturnType<typeof gateCall>) => {
  const settled = await result
  return settled.ok ? 'OK' : settled.error.code
}

afterEach(() => vi.restoreAllMocks())

describe('senderAllowed', () => {
  it('accepts the top frame of our window', () => expect(senderAllowed(page, WINDOW)).toBe(true))

  it.each<[string, Sender | null, number | null]>([
    ['a frame that is gone', null, WINDOW],
    ['our window being gone', page, null],
    ['another window', { ...page, contentsId: 8 }, WINDOW],
    ['a sub-frame with our URL', { ...page, isTopFrame: false }, WINDOW],
    ['about:blank with our origin', { ...page, frameUrl: 'about:blank' }, WINDOW],
    ['an empty URL', { ...page, frameUrl: '' }, WINDOW],
    ['a blob of ours', { ...page, frameUrl: 'blob:app://tirami/1' }, WINDOW],
    [
      'a foreign page',
      { ...page, frameUrl: 'https://example.invalid/', frameOrigin: 'https://example.invalid' },
      WINDOW,
    ],
    ['a foreign origin under our URL', { ...page, frameOrigin: 'https://example.invalid' }, WINDOW],
    ['an opaque origin (sandboxed frame)', { ...page, frameOrigin: 'null' }, WINDOW],
    ['another app host', { ...page, frameUrl: 'app://other/', frameOrigin: 'app://other' }, WINDOW],
    ['our name in a query', { ...page, frameUrl: 'https://x/?app://tirami/' }, WINDOW],
    ['a file', { ...page, frameUrl: 'file:///index.html', frameOrigin: 'file://' }, WINDOW],
    [
      'developer tools',
      { ...page, contentsId: 9, frameUrl: 'devtools://devtools/', frameOrigin: 'devtools://devtools' },
      WINDOW,
    ],
  ])('refuses %s', async (_name, sender, windowContentsId) => {
    expect(senderAllowed(sender, windowContentsId)).toBe(false)
    const call = vi.fn(ok)
    expect(await code(gate({ sender, windowContentsId }, call))).toBe('SENDER_REFUSED')
    expect(call).not.toHaveBeenCalled()
  })
})

describe('gateCall', () => {
  it('hands a good call on and its result back', async () => {
    const call = vi.fn(ok)
    expect(await gate({}, call)).toEqual({ ok: true, result: status })
    expect(call).toHaveBeenCalledWith('status.get', {})
  })

  it.each([
    'status',
    'STATUS.GET',
    'status.get ',
    '__proto__',
    'constructor',
    'toString',
    '',
    undefined,
    null,
    1,
    ['status.get'],
    { toString: () => 'status.get' },
  ])('refuses the procedure %j', async (procedure) => {
    expect(await code(gate({ procedure }))).toBe('UNKNOWN_PROCEDURE')
  })

  it.each<[string, unknown]>([
    ['status.get', { extra: 1 }],
    ['status.get', null],
    ['status.get', undefined],
    ['status.get', []],
    ['earnings.get', {}],
    ['earnings.get', { range: '1y' }],
    ['earnings.get', { range: ['24h'] }],
    ['trades.list', { limit: 0 }],
    ['trades.list', { limit: 201 }],
    ['trades.list', { limit: Number.NaN }],
    ['trades.list', { limit: '10' }],
    ['trades.list', { limit: 1, beforeIndex: -1 }],
    ['trades.prove', { tradeId: 'AB'.repeat(32) }],
    ['trades.prove', { tradeId: `${'ab'.repeat(32)}\n` }],
    ['chat.start', { messages: [] }],
    ['chat.start', { messages: [{ role: 'root', content: '' }] }],
    ['chat.start', { messages: [{ role: 'user', content: 'x'.repeat(32_769) }] }],
    ['chat.start', { messages: Array(65).fill({ role: 'user', content: '' }) }],
    ['chat.cancel', { chatId: '../../x' }],
  ])('%s refuses bad input %#', async (procedure, input) => {
    const call = vi.fn(ok)
    expect(await code(gate({ procedure, input }, call))).toBe('INVALID_INPUT')
    expect(call).not.toHaveBeenCalled()
  })

  it('accepts the largest legal chat', async () => {
    const messages = Array(64).fill({ role: 'user', content: 'x'.repeat(32_768) })
    const call = async (): Promise<CallResultEnvelope> => ({ ok: true, result: { chatId: 'ab'.repeat(16) } })
    expect(await code(gate({ procedure: 'chat.start', input: { messages } }, call))).toBe('OK')
  })

  it('passes the host’s refusals on', async () => {
    const error = { code: 'BUDGET', message: 'Too dear.', nextStep: 'Earn first.' }
    expect(await gate({}, async () => ({ ok: false, error }))).toEqual({ ok: false, error })
  })

  it('keeps answers that break the contract, and thrown errors, from the page', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const secret = async (): Promise<CallResultEnvelope> => ({
      ok: true,
      result: { ...status, nodeId: 'sk-secret' },
    })
    const result = await gate({}, secret)
    expect(result).toMatchObject({ ok: false, error: { code: 'INTERNAL' } })
    expect(JSON.stringify(result)).not.toContain('secret')
    const thrown = await gate({}, () => Promise.reject(new Error('/home/me/secret')))
    expect(thrown).toMatchObject({ ok: false, error: { code: 'INTERNAL' } })
    expect(JSON.stringify(thrown)).not.toContain('secret')
  })

  it('drops what the contract does not name from an answer', async () => {
    const result = await gate({}, async () => ({ ok: true, result: { ...status, privateKey: 'k' } }))
    expect(result).toEqual({ ok: true, result: status })
  })

  it('answers any noise with a typed refusal, and never throws', async () => {
    const call = vi.fn(ok)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          // To those that take nothing, an empty object is no noise.
          ...procedureNames.filter((name) => !procedures[name].input.safeParse({}).success),
        ),
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
        }),
        async (procedure, input) => {
          const result = await gate({ procedure, input }, call)
          expect(result.ok).toBe(false)
        },
      ),
      { numRuns: 500 },
    )
    expect(call).not.toHaveBeenCalled()
  })
})

describe('inputWithinBounds', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) })
  const circular: { self?: unknown } = {}
  circular.self = circular

  it.each<[string, unknown]>([
    ['too long a text', 'x'.repeat(4 * 1024 * 1024 + 1)],
    ['too many texts', { a: Array(200).fill('x'.repeat(32_768)) }],
    ['too long keys', { ['k'.repeat(5 * 1024 * 1024)]: 1 }],
    ['too many parts', Array(5_000).fill(0)],
    ['a sparse giant', Array(1e9)],
    ['too deep', nested(20)],
    ['a circle', circular],
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set([1])],
    ['a Date', new Date(0)],
    ['bytes', new Uint8Array(8)],
    ['a RegExp', /x/],
    ['an Error', new Error('x')],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an own __proto__', JSON.parse('{"__proto__":{"polluted":true}}')],
    ['a nested own __proto__', JSON.parse('{"a":[{"__proto__":{"polluted":true}}]}')],
    ['an own constructor', { constructor: { prototype: { polluted: true } } }],
  ])('refuses %s', async (_name, input) => {
    expect(inputWithinBounds(input)).toBe(false)
    expect(await code(gate({ procedure: 'chat.start', input }))).toBe('INPUT_TOO_LARGE')
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('accepts plain data', () => {
    expect(inputWithinBounds({ a: [1, 'x', null, true, undefined, { b: {} }] })).toBe(true)
    expect(inputWithinBounds(Object.assign(Object.create(null), { a: 1 }))).toBe(true)
  })
})
