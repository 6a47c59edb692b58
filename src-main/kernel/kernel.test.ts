import { createHash, generateKeyPairSync } from 'node:crypto'
import { Point } from '@noble/ed25519'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  keyPairFromSeed,
  MerkleLog,
  trmFromFlop,
  u64le,
  verifyStrict,
} from './index.ts'

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()

function naiveRoot(leaves: Uint8Array[]): string {
  if (leaves.length === 0) return '00'.repeat(32)
  let level: Buffer[] = leaves.map((leaf) => Buffer.from(leaf))
  while (level.length > 1) {
    const next: Buffer[] = []
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as Buffer
      next.push(sha256(left, level[i + 1] ?? left))
    }
    level = next
  }
  return (level[0] as Buffer).toString('hex')
}

describe('Merkle root (vectors V1)', () => {
  const t1 = '916c3f54949ba8abb5a5626f347f87cd9ca46c350696106ef0b9f91e1bdc82fc'
  const t2 = '8d4ad49d3cfeafe10684f4fa192a309111af8760f56764a040ac66398896158b'
  const t3 = 'ec595d60394ca3c6447c8b6528f10a19c187d9727e543b3ea3a5d96fb2070315'
  const rootOf = (...leaves: string[]) => {
    const log = new MerkleLog()
    for (const leaf of leaves) log.append(bytesFromHex(leaf))
    return hexFromBytes(log.root())
  }

  it.each([
    [[], '00'.repeat(32)],
    [[t1], t1],
    [[t1, t2], '8e74fa2468b9cf694d1412b58abff69059f94aa2f6d8ef354ac48b46700f1c25'],
    [[t1, t2, t3], '7353d0ba16733048ded431cbb3066547f8e5e3d907f66dac9fda332daec69fb6'],
    [[t1, t2, t3, t1, t2], '525b00ba2211d3c47091fae5cc19ac7d08f7fdb32bd1507a2f85660f2d104591'],
  ])('%#', (leaves, root) => {
    expect(rootOf(...leaves)).toBe(root)
  })

  it('equals the naive root at every size', () => {
    const log = new MerkleLog()
    const leaves: Uint8Array[] = []
    for (let size = 0; size <= 130; size++) {
      expect(hexFromBytes(log.root())).toBe(naiveRoot(leaves))
      const leaf = sha256(Buffer.from(String(size)))
      leaves.push(leaf)
      log.append(leaf)
    }
  })
})

describe('Ed25519', () => {
  const k1 = keyPairFromSeed(new Uint8Array(32).fill(1))

  it('derives the public key and signs as RFC 8032 (vectors V3)', () => {
    expect(k1.publicKeyHex).toBe('8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c')
    const message = bytesFromHex(
      '028a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394180000000000000010000000000000000068e5cf8b0100006163746976650102030405060708090a0b0c0d0e0f10',
    )
    expect(hexFromBytes(k1.sign(message))).toBe(
      'e710ff1ee3be66570da6ad5c5e5d1d96faf5465195164cd3896b1a8bcf2d5dfafaa687c8e2b589328c3b9cf2c7c269e3d8cff06d97f8e2abc6dff830e3e68803',
    )
  })

  it('accepts its own signatures and refuses any changed bit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(511), (message, bit) => {
        const signature = k1.sign(message)
        expect(verifyStrict(k1.publicKeyHex, message, signature)).toBe(true)
        const flipped = signature.slice()
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(verifyStrict(k1.publicKeyHex, message, flipped)).toBe(false)
      }),
      { numRuns: 40 },
    )
  })

  it('refuses keys and nonce points of small order', () => {
    const identity = `01${'00'.repeat(31)}`
    const signature = bytesFromHex(identity + '00'.repeat(32))
    expect(verifyStrict(identity, new Uint8Array([1]), signature)).toBe(false)
    expect(verifyStrict(`ee${'ff'.repeat(30)}7f`, new Uint8Array([1]), signature)).toBe(false)
  })

  it('refuses small-order R for which the bare equation holds, on honest and on mixed-order keys', () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const digest = createHash('sha512').update(new Uint8Array(32).fill(1)).digest()
    digest[0] = (digest[0] as number) & 248
    digest[31] = ((digest[31] as number) & 127) | 64
    const littleEndian = (bytes: Uint8Array) => BigInt(`0x${hexFromBytes(bytes.slice().reverse())}`)
    const secret = littleEndian(digest.subarray(0, 32))
    const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')
    let multiple = Point.ZERO
    const small = Array.from({ length: 8 }, () => {
      multiple = multiple.add(torsion)
      return multiple
    })
    let equationHolds = 0
    const honest = Point.BASE.multiply(secret % order)
    for (const keyPoint of [honest, honest.add(torsion)]) {
      const key = keyPoint.toHex()
      for (let number = 0; number < 16; number++) {
        const message = new Uint8Array([number])
        for (const R of small) {
          const hash = createHash('sha512')
            .update(R.toBytes())
            .update(bytesFromHex(key))
            .update(message)
            .digest()
          const challenge = littleEndian(hash) % order
          const s = (challenge * secret) % order
          const signature = concatBytes(R.toBytes(), bytesFromHex(s.toString(16).padStart(64, '0')).reverse())
          // RFC 8032 without the cofactor: [s]B = R + [h]A.
          if (Point.BASE.multiply(s).equals(R.add(keyPoint.multiply(challenge)))) equationHolds++
          expect(verifyStrict(key, message, signature)).toBe(false)
        }
      }
    }
    // All of the honest key's with R = identity, and about one in eight of the mixed one's.
    expect(equationHolds).toBeGreaterThan(16)
  })

  it('refuses a signature with S + L', () => {
    const message = new Uint8Array([7])
    const signature = k1.sign(message)
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const s = BigInt(`0x${hexFromBytes(signature.slice(32).reverse())}`) + order
    const malleable = signature.slice()
    malleable.set(bytesFromHex(s.toString(16).padStart(64, '0')).reverse(), 32)
    expect(verifyStrict(k1.publicKeyHex, message, malleable)).toBe(false)
  })

  it('never throws on bytes of any shape', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.uint8Array({ maxLength: 70 }),
        fc.uint8Array(),
        (key, signature, message) => {
          expect(verifyStrict(key, message, signature)).toBe(false)
        },
      ),
    )
  })

  it('agrees with node:crypto on honest keys', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(16)
    const pair = keyPairFromSeed(seed)
    expect(verifyStrict(pair.publicKeyHex, seed, pair.sign(seed))).toBe(true)
  })
})

describe('TRM', () => {
  it('rounds up and is exact far above 2^53', () => {
    expect(trmFromFlop(0n)).toBe(0n)
    expect(trmFromFlop(1n)).toBe(1n)
    expect(trmFromFlop(1_000_000_000n)).toBe(1n)
    expect(trmFromFlop(1_000_000_001n)).toBe(2n)
    expect(trmFromFlop(10n ** 30n + 1n)).toBe(10n ** 21n + 1n)
    expect(trmFromFlop(10n ** 9n, 1_500_000n)).toBe(2n)
  })

  it('never wraps a 64-bit field', () => {
    expect(() => u64le(1n << 64n)).toThrow(RangeError)
    expect(() => u64le(-1n)).toThrow(RangeError)
    expect(hexFromBytes(u64le((1n << 64n) - 1n))).toBe('ff'.repeat(8))
  })
})
