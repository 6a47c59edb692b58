import { type KeyPair, keyPairFromSeed, sha256, utf8 } from '../src-main/kernel/index.ts'

// Making a key and checking a new one cost more than a signature. All worlds of a process share these keys; a seed
// decides who holds which.
const pool: KeyPair[] = []

/** The key number `index`: always the same. */
export function keyNumber(index: number): KeyPair {
  for (let next = pool.length; next <= index; next++) {
    pool.push(keyPairFromSeed(sha256(utf8(`simulation key ${next}`))))
  }
  const key = pool[index]
  if (!key) throw new RangeError('no such key')
  return key
}
