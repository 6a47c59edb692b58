import { describe, expect, it } from 'vitest'
import { integrityHash, readTiramiLedger } from './tirami-import.ts'

const list = (byte: number, length = 32) => Array<number>(length).fill(byte)
const V1 = {
  provider: list(0xaa),
  consumer: list(0xbb),
  trm_amount: 9,
  tokens_processed: 9,
  timestamp: 1_700_000_000_000,
  model_id: 'qwen2.5-0.5b',
}
const V2 = {
  ...V1,
  trm_amount: 15,
  tokens_processed: 15,
  timestamp: 1_700_000_001_000,
  nonce: list(0, 16).map((_, at) => at + 1),
}
const V1_BACK = {
  ...V1,
  provider: list(0xbb),
  consumer: list(0xaa),
  trm_amount: 6,
  tokens_processed: 6,
  timestamp: 1_700_000_002_000,
}
const SNAPSHOT = {
  balances: [{ node_id: list(0xaa), contributed: 100, consumed: 6, reserved: 1, reputation: 0.5 }],
  work_log: [],
  trade_log: [V1, V2, V1_BACK],
  price: { base_trm_per_token: 1, supply_factor: 1, demand_factor: 1, total_trades_ever: 3 },
  loan_log: [],
  checkpoints: [{ merkle_root: 'x', trade_count_sealed: 4, sealed_up_to_ms: 1, sealed_at_ms: 2 }],
}

const text = (snapshot: object) => JSON.stringify(snapshot, null, 2)
const wrapped = (data: string, integrity_hash = integrityHash(data)) =>
  JSON.stringify({ data, integrity_hash }, null, 2)
const read = (file: string | Uint8Array, allowUnsigned = false) =>
  readTiramiLedger(typeof file === 'string' ? Buffer.from(file) : file, { allowUnsigned })
const code = (expected: string) => expect.objectContaining({ code: expected, httpStatus: 400 })

describe('import of a Tirami ledger', () => {
  it('computes the HMAC of vector V3.4', () => {
    expect(integrityHash('{}')).toBe(
      'hmac-sha256:7f5a6811f1e887270befb0daf8776539132479ccb40742c02ec724c38618c6a8',
    )
    expect(integrityHash('')).toBe(
      'hmac-sha256:a4ba27e26aff9e8b28f04db6e72a17ca35010e2c217adcdea3650b839884c998',
    )
  })

  it('sums up a signed ledger, with the root of the vectors T1, T2, T3', () => {
    expect(read(wrapped(text(SNAPSHOT)))).toMatchObject({
      integrity: 'hmac',
      nodes: 1,
      contributedTrm: 100n,
      consumedTrm: 6n,
      reservedTrm: 1n,
      trades: 3,
      tradesV1: 2,
      tradesV2: 1,
      replayedNonces: 0,
      tradedTrm: 30n,
      firstTradeMs: 1_700_000_000_000n,
      lastTradeMs: 1_700_000_002_000n,
      merkleRootHex: '7353d0ba16733048ded431cbb3066547f8e5e3d907f66dac9fda332daec69fb6',
      sealedTrades: 4n,
      loans: 0,
    })
  })

  it('refuses the tampering of vector V4.13', () => {
    const file = wrapped(text(SNAPSHOT))
    const tampered = file.replace('\\"contributed\\": 100', '\\"contributed\\": 999999')
    expect(tampered).not.toBe(file)
    for (const allowUnsigned of [false, true]) {
      expect(() => read(tampered, allowUnsigned)).toThrow(code('IMPORT_INTEGRITY_FAILED'))
    }
    expect(() => read(tampered)).toThrow(/integrity check failed/)
    expect(() => read(wrapped(text(SNAPSHOT), 'hmac-sha256:'))).toThrow(code('IMPORT_INTEGRITY_FAILED'))
  })

  it.each([
    ['no wrapper', text(SNAPSHOT)],
    ['the hash of an old version', wrapped(text(SNAPSHOT), '0123456789abcdef')],
    ['the HMAC without its prefix', wrapped(text(SNAPSHOT), integrityHash(text(SNAPSHOT)).slice(12))],
  ])('takes %s only when told to', (_what, file) => {
    expect(() => read(file)).toThrow(code('IMPORT_UNSIGNED'))
    expect(read(file, true)).toMatchObject({ integrity: 'unsigned', trades: 3 })
  })

  it('keeps amounts beyond 2^53', () => {
    const big = text({ ...SNAPSHOT, trade_log: [V1] }).replace(
      '"trm_amount": 9',
      '"trm_amount": 18446744073709551615',
    )
    expect(read(wrapped(big)).tradedTrm).toBe(18_446_744_073_709_551_615n)
    const beyond = big.replace('18446744073709551615', '18446744073709551616')
    expect(() => read(wrapped(beyond))).toThrow(code('IMPORT_INVALID'))
  })

  it('counts nonces that were used twice', () => {
    expect(read(wrapped(text({ ...SNAPSHOT, trade_log: [V2, V2, V1, V1] })))).toMatchObject({
      replayedNonces: 1,
    })
  })

  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['no JSON', '{"data":'],
    ['no text', Uint8Array.of(0x7b, 0xff, 0x7d)],
    ['a list', '[]'],
    ['data that is no JSON', wrapped('{')],
    ['no trades', wrapped('{"balances":[]}')],
    ['a short key', wrapped(text({ ...SNAPSHOT, trade_log: [{ ...V1, provider: list(1, 31) }] }))],
    ['a negative amount', wrapped(text({ ...SNAPSHOT, trade_log: [{ ...V1, trm_amount: -1 }] }))],
    ['part of a TRM', wrapped(text({ ...SNAPSHOT, trade_log: [{ ...V1, trm_amount: 1.5 }] }))],
    ['a model without a name', wrapped(text({ ...SNAPSHOT, trade_log: [{ ...V1, model_id: '' }] }))],
    ['a model that is no text', wrapped(text({ ...SNAPSHOT, trade_log: [{ ...V1, model_id: '\ud800' }] }))],
  ])('refuses %s with a reason', (_what, file) => {
    expect(() => read(file, true)).toThrow(code('IMPORT_INVALID'))
  })
})
