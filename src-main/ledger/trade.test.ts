import { expect, test } from 'vitest'
import { bytesFromHex, hexFromBytes, MerkleLog, verifyStrict } from '../kernel/index.ts'
import { canonicalTradeBytes, type TradeTerms, tradeLeafHash } from './index.ts'
import { key, nonce, terms } from './test-support.ts'
import { verifySignatures } from './trade.ts'

// Golden values: shared/vectors/tirami.md V1 and V3.1.
const A = 'aa'.repeat(32)
const B = 'bb'.repeat(32)
const COUNTING = bytesFromHex('0102030405060708090a0b0c0d0e0f10')
const QWEN = '7177656e322e352d302e3562'

const T1: TradeTerms = {
  provider: A,
  consumer: B,
  amountTrm: 9n,
  tokensProcessed: 9n,
  timestampMs: 1_700_000_000_000n,
  modelId: 'qwen2.5-0.5b',
  nonce: new Uint8Array(16),
}
const T2: TradeTerms = {
  ...T1,
  amountTrm: 15n,
  tokensProcessed: 15n,
  timestampMs: 1_700_000_001_000n,
  nonce: COUNTING,
}
const T3: TradeTerms = {
  ...T1,
  provider: B,
  consumer: A,
  amountTrm: 6n,
  tokensProcessed: 6n,
  timestampMs: 1_700_000_002_000n,
}

test.each([
  [
    'T1',
    T1,
    `${A}${B}09000000000000000900000000000000` + `0068e5cf8b010000${QWEN}`,
    '916c3f54949ba8abb5a5626f347f87cd9ca46c350696106ef0b9f91e1bdc82fc',
  ],
  [
    'T2',
    T2,
    `02${A}${B}0f000000000000000f00000000000000` + `e86be5cf8b010000${QWEN}0102030405060708090a0b0c0d0e0f10`,
    '8d4ad49d3cfeafe10684f4fa192a309111af8760f56764a040ac66398896158b',
  ],
  [
    'T3',
    T3,
    `${B}${A}06000000000000000600000000000000` + `d06fe5cf8b010000${QWEN}`,
    'ec595d60394ca3c6447c8b6528f10a19c187d9727e543b3ea3a5d96fb2070315',
  ],
] as const)('V1 %s: canonical bytes and leaf', (_name, of, canonical, leaf) => {
  expect(hexFromBytes(canonicalTradeBytes(of))).toBe(canonical)
  expect(hexFromBytes(tradeLeafHash(of))).toBe(leaf)
})

test('V1 lengths for llama-7b: v1 has 96 bytes, v2 has 113 and starts with 02', () => {
  const v1 = { ...T1, modelId: 'llama-7b' }
  expect(canonicalTradeBytes(v1).length).toBe(96)
  const v2 = canonicalTradeBytes({ ...v1, nonce: COUNTING })
  expect([v2.length, v2[0]]).toEqual([113, 2])
  expect(v2.subarray(-16)).toEqual(COUNTING)
})

test.each([
  [[], '00'.repeat(32)],
  [[T1], '916c3f54949ba8abb5a5626f347f87cd9ca46c350696106ef0b9f91e1bdc82fc'],
  [[T1, T2], '8e74fa2468b9cf694d1412b58abff69059f94aa2f6d8ef354ac48b46700f1c25'],
  [[T1, T2, T3], '7353d0ba16733048ded431cbb3066547f8e5e3d907f66dac9fda332daec69fb6'],
  [[T1, T2, T3, T1, T2], '525b00ba2211d3c47091fae5cc19ac7d08f7fdb32bd1507a2f85660f2d104591'],
])('V1 Merkle roots (%#)', (log, root) => {
  const merkle = new MerkleLog()
  for (const trade of log) merkle.append(tradeLeafHash(trade))
  expect(hexFromBytes(merkle.root())).toBe(root)
})

test('V3.1 canonical bytes and both signatures', () => {
  const [k1, k2] = [key(1), key(2)]
  const of = terms(0, {
    amountTrm: 24n,
    tokensProcessed: 16n,
    timestampMs: 1_700_000_000_000n,
    modelId: 'active',
    nonce: COUNTING,
  })
  const bytes = canonicalTradeBytes(of)
  expect(hexFromBytes(bytes)).toBe(
    '028a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394' +
      '180000000000000010000000000000000068e5cf8b0100006163746976650102030405060708090a0b0c0d0e0f10',
  )
  const providerSignature = bytesFromHex(
    'e710ff1ee3be66570da6ad5c5e5d1d96faf5465195164cd3896b1a8bcf2d5dfafaa687c8e2b589328c3b9cf2c7c269e3d8cff06d97f8e2abc6dff830e3e68803',
  )
  const consumerSignature = bytesFromHex(
    '4ef72d8925458b22c0bd874a9dd1ffc5cc557bb6f2355713e00e38c189c9aa360515ee0acb68f862bb7c1dd949e7a717e8e7c6fbd71d2d0c4cd8df61fc131801',
  )
  expect(k1.sign(bytes)).toEqual(providerSignature)
  expect(k2.sign(bytes)).toEqual(consumerSignature)
  const both = { providerValid: true, consumerValid: true }
  expect(verifySignatures({ terms: of, providerSignature, consumerSignature })).toEqual(both)
  expect(verifyStrict(k1.publicKeyHex, bytes, consumerSignature)).toBe(false)
})

test('64-bit extremes are carried exactly', () => {
  const bytes = canonicalTradeBytes(terms(0, { amountTrm: 2n ** 64n - 1n, tokensProcessed: 2n ** 63n }))
  expect(hexFromBytes(bytes.subarray(65, 81))).toBe(`${'ff'.repeat(8)}${'00'.repeat(7)}80`)
})

test.each<[string, Partial<TradeTerms>]>([
  ['amount above u64', { amountTrm: 2n ** 64n }],
  ['negative tokens', { tokensProcessed: -1n }],
  ['empty model id', { modelId: '' }],
  ['model id of 257 bytes', { modelId: 'x'.repeat(257) }],
  ['model id of 129 two-byte letters', { modelId: 'é'.repeat(129) }],
  ['lone surrogate', { modelId: 'a\ud800' }],
  ['nonce of 15 bytes', { nonce: nonce(1).subarray(0, 15) }],
  ['upper-case key', { provider: 'AA'.repeat(32) }],
  ['short key', { consumer: 'aa'.repeat(31) }],
])('refuses %s', (_name, changes) => {
  expect(() => canonicalTradeBytes(terms(0, changes))).toThrow(RangeError)
})

test('takes a model id of exactly 256 bytes', () => {
  expect(canonicalTradeBytes(terms(0, { modelId: 'é'.repeat(128) })).length).toBe(105 + 256)
})
