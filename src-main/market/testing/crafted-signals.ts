import type { KeyPair } from '../../kernel/index.ts'
import { sealEnvelope } from '../../mesh/index.ts'

const layer = { count: 8, headCount: 4, keyLength: 64, valueLength: 64, windowTokens: null }
/** A model as large as the ones that people ask for. */
const LARGE = { activeMatmulParameters: '1500000000', layers: [layer] }
/** RFC 6962: the root of no leaves. */
export const EMPTY_ROOT = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** The signed signal of a node that offers nothing, but for `changes`. */
function craftedSignal(key: KeyPair, seq: number, changes: object): Uint8Array {
  return sealEnvelope(key, seq, {
    kind: 'signal',
    expiresAtMs: seq + 40_000,
    addresses: [],
    features: [],
    price: { multiplierMicro: '1000000', feeMicro: '0' },
    models: [],
    load: { running: 0, queued: 0, slots: 1 },
    latencyHintMs: 1,
    log: { size: 0, rootHex: EMPTY_ROOT },
    ...changes,
  })
}

/** A cheat's signed offer: a tenth of everybody's price, and a hundred free places. */
export const temptingSignal = (key: KeyPair, model: string, seq: number, cost: object = LARGE): Uint8Array =>
  craftedSignal(key, seq, {
    price: { multiplierMicro: '100000', feeMicro: '0' },
    models: [
      { id: model, contextTokens: 4096, cost, toolCallFormat: null, weights: null, demonstration: true },
    ],
    load: { running: 0, queued: 0, slots: 100 },
  })

/** A signed claim to have traded with nobody, under a root: another one for the same size proves two histories. */
export const historySignal = (key: KeyPair, rootHex: string, seq: number): Uint8Array =>
  craftedSignal(key, seq, { log: { size: 0, rootHex } })
