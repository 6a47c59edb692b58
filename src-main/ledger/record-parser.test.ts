import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes } from '../kernel/index.ts'
import type { Transfer } from './accounts.ts'
import { parseUsualRecord } from './record-parser.ts'
import type { LedgerRecord } from './record-types.ts'
import { decodeBySchema, decodeRecord, encodeRecord } from './records.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const key = bytes(32).map(hexFromBytes)
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const amountTrm = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n })
const atMs = fc.maxSafeNat()
const reservation = fc.maxSafeNat().map((number) => `r${number + 1}`)
const text = (maxLength: number) => fc.string({ unit: 'binary', maxLength })

const transfer: fc.Arbitrary<Transfer> = fc.record({
  id: fc.tuple(fc.nat(), fc.nat(15)).map(([sequence, position]) => `${sequence}-${position}`),
  debit: key.map((node) => `reserved:${node}`),
  credit: fc.constantFrom('available:ab', 'system:mint-1'),
  amountTrm,
  code: fc.constantFrom('trade', 'release', 'yield.minted'),
  atMs,
})
const transfers = fc.array(transfer, { minLength: 1, maxLength: 16 })

const reserve = fc.record({
  kind: fc.constant('reserve' as const),
  atMs,
  reservation,
  consumer: key,
  provider: key,
  amountTrm,
  creditLimitTrm: u64,
  expiresAtMs: atMs,
  transfers,
})
const settle = fc.record({
  kind: fc.constant('settle' as const),
  atMs,
  reservation,
  terms: fc.record({
    provider: key,
    consumer: key,
    amountTrm,
    tokensProcessed: u64,
    timestampMs: u64,
    modelId: text(40),
    nonce: bytes(16),
  }),
  providerSignature: bytes(64),
  consumerSignature: bytes(64),
  facts: fc.record(
    {
      flop: fc.bigInt({ min: 0n, max: 10n ** 40n - 1n }),
      promptTokens: fc.maxSafeNat(),
      completionTokens: fc.maxSafeNat(),
      latencyMs: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
      consumerLabel: text(60),
      ownKey: fc.boolean(),
      cachedTokens: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    },
    { requiredKeys: ['flop', 'promptTokens', 'completionTokens', 'latencyMs', 'consumerLabel', 'ownKey'] },
  ),
  transfers,
})
const voided = fc.record({
  kind: fc.constant('void' as const),
  atMs,
  reservation,
  reason: text(60),
  transfers,
})
const record: fc.Arbitrary<LedgerRecord> = fc.oneof(reserve, settle, voided)

function verdict(decode: (payload: Buffer) => LedgerRecord, payload: Buffer) {
  try {
    return decode(payload)
  } catch {
    return null
  }
}

describe('the quick parser of journal records', () => {
  it('reads every record as its schema does', () => {
    let quick = 0
    fc.assert(
      fc.property(record, (original) => {
        const payload = Buffer.from(encodeRecord(original))
        expect(decodeRecord(payload)).toEqual(decodeBySchema(payload))
        if (parseUsualRecord(payload)) quick++
      }),
      { numRuns: 300 },
    )
    // Not by leaving everything to the schema.
    expect(quick).toBeGreaterThan(50)
  })

  it('takes no changed byte that the schema refuses', () => {
    const changed = fc.tuple(record, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 2))
    fc.assert(
      fc.property(changed, ([original, at, byte, how]) => {
        const payload = Buffer.from(encodeRecord(original))
        const position = at % payload.length
        const middle = how === 0 ? [byte] : how === 1 ? [byte, payload[position] ?? 0] : []
        const mutated = Buffer.concat([
          payload.subarray(0, position),
          Buffer.from(middle),
          payload.subarray(position + 1),
        ])
        const quick = verdict((input) => parseUsualRecord(input) ?? decodeBySchema(input), mutated)
        expect(quick).toEqual(verdict(decodeBySchema, mutated))
      }),
      { numRuns: 1000 },
    )
  })

  const usual = (change: (json: string) => string): Buffer => {
    const [first] = fc.sample(settle, { numRuns: 1, seed: 7 })
    if (!first) throw new Error('no sample')
    const terms = { ...first.terms, modelId: 'm', amountTrm: 5n }
    const facts = { ...first.facts, latencyMs: 12.5, consumerLabel: 'laptop', promptTokens: 7 }
    const [only] = first.transfers
    const sample = { ...first, terms, facts, atMs: 1000, transfers: only ? [{ ...only, amountTrm: 5n }] : [] }
    return Buffer.from(change(Buffer.from(encodeRecord(sample)).toString()))
  }

  it.each<[string, (json: string) => string]>([
    ['white space', (json) => json.replace(',"reservation"', ', "reservation"')],
    ['another order of keys', (json) => json.replace(/("promptTokens":7),("completionTokens":\d+)/, '$2,$1')],
    ['a key of its own', (json) => json.replace('"promptTokens"', '"extra":1,"promptTokens"')],
    ['a key twice', (json) => json.replace('"promptTokens":7', '"promptTokens":7,"promptTokens":7')],
    ['a leading zero', (json) => json.replace('"amountTrm":"5"', '"amountTrm":"05"')],
    ['an amount of zero', (json) => json.replace('"amountTrm":"5"', '"amountTrm":"0"')],
    ['an amount beyond u64', (json) => json.replace('"amountTrm":"5"', '"amountTrm":"18446744073709551616"')],
    ['a time beyond 2^53', (json) => json.replace('"atMs":1000', '"atMs":9007199254740993')],
    ['a number with an exponent', (json) => json.replace('"promptTokens":7', '"promptTokens":7e0')],
    ['a latency not in shortest form', (json) => json.replace('12.5', '12.50')],
    ['an infinite latency', (json) => json.replace('12.5', '1e999')],
    ['a negative latency', (json) => json.replace('12.5', '-12.5')],
    ['an escape that is not needed', (json) => json.replace('laptop', '\\u006captop')],
    ['upper-case hex', (json) => json.replace(/"nonce":"([0-9a-f]+)"/, (all) => all.toUpperCase())],
    ['a label that is too long', (json) => json.replace('laptop', 'x'.repeat(257))],
    ['no transfers', (json) => json.replace(/"transfers":\[.*\]/, '"transfers":[]')],
    [
      '17 transfers',
      (json) => json.replace(/\[(\{"id.*\})\]/, (_, one) => `[${Array(17).fill(one).join()}]`),
    ],
    ['a trailing comma', (json) => json.replace(']}', ',]}')],
    ['something after the end', (json) => `${json} `],
    ['a byte order mark', (json) => `\uFEFF${json}`],
    ['an unknown kind', (json) => json.replace('"settle"', '"sell"')],
    ['nothing', () => ''],
  ])('refuses %s', (_what, change) => {
    const payload = usual(change)
    expect(payload.equals(usual((json) => json))).toBe(false)
    expect(parseUsualRecord(payload)).toBeNull()
    expect(() => decodeRecord(payload)).toThrow()
  })

  it('refuses text that is not UTF-8', () => {
    const payload = usual((json) => json)
    payload[payload.indexOf('laptop')] = 0xff
    expect(parseUsualRecord(payload)).toBeNull()
    expect(() => decodeRecord(payload)).toThrow()
  })
})
