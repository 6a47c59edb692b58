import type { KeyPair } from '../../kernel/index.ts'
import { sealEnvelope } from '../../mesh/index.ts'

const layer = { count: 8, headCount: 4, keyLength: 64, valueLength: 64, windowTokens: null }
/** A model as large as the ones that people ask for. */
const LARGE = { activeMatmulParameters: '1500000000', layers: [layer] }

/** A cheat's signed offer: a tenth of everybody's price, and a hundred free places. */
export function temptingSignal(key: KeyPair, model: string, seq: number, cost: object = LARGE): Uint8Array {
  return sealEnvelope(key, seq, {
    kind: 'signal',
    expiresAtMs: seq + 40_000,
    addresses: [],
    features: [],
    price: { multiplierMicro: '100000', feeMicro: '0' },
    models: [
      { id: model, contextTokens: 4096, cost, toolCallFormat: null, weights: null, demonstration: true },
    ],
    load: { running: 0, queued: 0, slots: 100 },
    latencyHintMs: 1,
    log: { size: 0, rootHex: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
  })
}
