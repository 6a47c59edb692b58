export { bytesFromHex, concatBytes, hexFromBytes, sha256, u64le, utf8 } from './bytes.ts'
export { type KeyPair, keyPairFromSeed, verifyStrict } from './ed25519.ts'
export { type PublicError, TiramiError, toPublicError } from './errors.ts'
export { MerkleLog } from './merkle.ts'
export {
  type Clock,
  LATEST_MS,
  type Rng,
  readClockMs,
  systemClock,
  systemRng,
  systemTimers,
  type Timers,
} from './ports.ts'
export { verifyRemembering } from './remembered.ts'
export { fillSentence, type SentenceParams } from './sentence.ts'
export { FLOP_PER_TRM, MAX_AMOUNT_TRM, trmFromFlop } from './trm.ts'
