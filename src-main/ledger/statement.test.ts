import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes } from '../kernel/index.ts'
import { Decimal, exactJson, parseExactJson } from './exact-json.ts'
import {
  isWithin,
  parsePrice,
  parseWindow,
  type StatementTrade,
  settlementStatement,
  statementCsv,
  statementJson,
} from './statement.ts'

const node = (byte: number) => hexFromBytes(new Uint8Array(32).fill(byte))

function trade(
  provider: number,
  consumer: number,
  amountTrm: bigint,
  atMs: bigint,
  modelId: string,
): StatementTrade {
  return {
    terms: {
      provider: node(provider),
      consumer: node(consumer),
      amountTrm,
      tokensProcessed: amountTrm,
      timestampMs: atMs,
      modelId,
      nonce: new Uint8Array(16),
    },
    providerSignature: new Uint8Array(64),
    consumerSignature: new Uint8Array(64),
    facts: { flop: 5n, ownKey: false },
  }
}

const VECTOR = [trade(1, 2, 10n, 100n, 'm1'), trade(2, 3, 4n, 200n, 'm2'), trade(9, 8, 99n, 999n, 'ignored')]

function statement(trades: StatementTrade[], startMs: number, endMs: number, price?: string) {
  const window = { startMs, endMs }
  return settlementStatement({
    trades: trades.filter((one) => isWithin(window, one)),
    window,
    referencePrice: parsePrice(price),
    generatedAtMs: 1_700_000_000_000,
  })
}

describe('settlement statement', () => {
  it('is the one of vector V4.6, with the root of its window', () => {
    const of = statement(VECTOR, 50, 250, '0.5')
    expect([of.trades.length, of.totalTrm, of.nodes.length]).toEqual([2, 14n, 3])
    expect(of.nodes.map((line) => [line.nodeId, line.netTrm, String(line.estimatedPayoutValue)])).toEqual([
      [node(1), 10n, '5'],
      [node(3), -4n, '-2'],
      [node(2), -6n, '-3'],
    ])
    expect(of.nodes[0]?.grossEarnedTrm).toBe(10n)
    expect(of.merkleRootHex).toBe('aad6265dbc4b4848b7f16a4cfada914784e2397dd026cd68196e5c4a2db90ec3')
    const all = statement(VECTOR, 0, 1000)
    expect(all.merkleRootHex).toBe('668588b8ddde3b314bb6b9cbba7b2fce58646b7d231ab00e185214695a74dbe9')
    expect(all.nodes[0]).toMatchObject({ nodeId: node(9), estimatedPayoutValue: null })
  })

  it('takes both ends of its window and has no root without trades', () => {
    expect(statement(VECTOR, 100, 200).trades).toHaveLength(2)
    expect(statement(VECTOR, 101, 199)).toMatchObject({
      trades: [],
      nodes: [],
      totalTrm: 0n,
      merkleRootHex: null,
    })
    expect(JSON.parse(statementJson(statement(VECTOR, 101, 199)))).not.toHaveProperty('merkle_root')
    expect(statementCsv(statement(VECTOR, 101, 199))).toMatch(/^node_id,[a-z_,]+\r\n$/)
  })

  it('writes the field names of the spec, and numbers beyond 2^53 with all their digits', () => {
    const json = statementJson(statement([trade(1, 2, (1n << 64n) - 1n, 5n, 'a"b')], 0, 9, '0.000000001'))
    expect(json).toContain('"total_trm_transferred":18446744073709551615')
    expect(json).toContain('"estimated_payout_value":18446744073.709551615')
    expect(JSON.parse(json)).toMatchObject({
      generated_at: 1_700_000_000_000,
      window_start: 0,
      window_end: 9,
      trade_count: 1,
      reference_price_per_cu: 1e-9,
      nodes: [{ node_id: node(1) }, { node_id: node(2), trade_count: 1 }],
      trades: [{ model_id: 'a"b', timestamp: 5, flops_estimated: 5, nonce: '00'.repeat(16) }],
    })
  })

  it('writes one CSV row per node, which adds up', () => {
    const rows = statementCsv(statement(VECTOR, 0, 1000, '0.25'))
      .trimEnd()
      .split('\r\n')
    expect(rows[0]).toBe(
      'node_id,gross_earned_cu,gross_spent_cu,net_cu,trade_count,estimated_payout_value,' +
        'reference_price_per_cu,window_start,window_end,merkle_root,passed_on_cu',
    )
    expect(rows[1]).toContain(`${node(9)},99,0,99,1,24.75,0.25,1970-01-01T00:00:00.000Z,`)
    expect(rows.slice(1).reduce((sum, row) => sum + Number(row.split(',')[3]), 0)).toBe(0)
  })

  it('nets add up to zero and are sorted, whatever was traded', () => {
    const trades = fc.array(fc.tuple(fc.nat(5), fc.nat(5), fc.bigInt({ min: 1n, max: 1n << 64n })))
    fc.assert(
      fc.property(trades, (list) => {
        const of = statement(
          list.map(([from, to, amount]) => trade(from, to + 6, amount % (1n << 63n), 1n, 'm')),
          0,
          1,
        )
        const nets = of.nodes.map((line) => line.netTrm)
        expect(nets.reduce((sum, net) => sum + net, 0n)).toBe(0n)
        expect(nets).toEqual([...nets].sort((left, right) => (left > right ? -1 : left < right ? 1 : 0)))
      }),
      { numRuns: 50 },
    )
  })
})

describe('window and price', () => {
  it.each([
    ['2026-11-01', '2026-11-01', Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 2) - 1],
    ['2026-11-01T08:00:00+01:00', '2026-11-01T08:00Z', Date.UTC(2026, 10, 1, 7), Date.UTC(2026, 10, 1, 8)],
    [undefined, undefined, 0, 77],
  ])('%s to %s', (from, to, startMs, endMs) => {
    expect(parseWindow(from, to, 77)).toEqual({ startMs, endMs })
  })

  it.each([
    ['2026-02-30', undefined],
    ['2026-13-01', undefined],
    ['2026-11-01T08:00:00', undefined],
    ['yesterday', undefined],
    ['1', undefined],
    ['', undefined],
    ['2026-11-02', '2026-11-01'],
  ])('%s to %s is refused', (from, to) => {
    expect(() => parseWindow(from, to, Date.UTC(2027, 0))).toThrow(
      expect.objectContaining({ code: 'STATEMENT_INVALID', httpStatus: 400 }),
    )
  })

  it.each(['', '-1', '1e3', '.5', '1.', 'NaN', '1,5', '0x10'])('“%s” is no price', (text) => {
    expect(() => parsePrice(text)).toThrow(expect.objectContaining({ code: 'STATEMENT_INVALID' }))
  })
})

describe('exact numbers', () => {
  it('a decimal is written without rounding', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(99_999), fc.bigInt(-(2n ** 64n), 2n ** 64n), (whole, fraction, factor) => {
        const text = `${whole}.${String(fraction).padStart(5, '0')}`
        const product = Decimal.parse(text)?.times(factor)
        const scaled = (BigInt(whole) * 100_000n + BigInt(fraction)) * factor
        const [units = '', digits = ''] = String(product).replace('-', '').split('.')
        const back = BigInt(units + digits.padEnd(5, '0')) * (String(product).startsWith('-') ? -1n : 1n)
        expect(back).toBe(scaled)
      }),
    )
  })

  it('survives JSON', () => {
    const value = { big: 2n ** 64n - 1n, list: [1, 'x\n', null, true], decimal: new Decimal(-5n, 3) }
    const text = exactJson(value)
    expect(text).toContain('18446744073709551615')
    expect(text).toContain('-0.005')
    expect(parseExactJson(text)).toEqual({ ...value, decimal: -0.005 })
  })
})
