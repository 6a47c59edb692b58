import { createHash, createPublicKey, verify } from 'node:crypto'
import { hashes, sign as nobleSign, verify as nobleVerify, Point } from '@noble/ed25519'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesFromHex,
  concatBytes,
  hexFromBytes,
  keyPairFromSeed,
  sha256,
  utf8,
  verifyStrict,
} from './index.ts'
import {
  bytes32,
  challenge,
  equations,
  forge,
  isCanonical,
  isMixed,
  isSmall,
  L,
  NON_CANONICAL_SMALL,
  numberFrom,
  P,
  pointOf,
  type Recipe,
  type Signed,
  type SmallEncoding,
  scalarOf,
  secretScalar,
  smallPartsCancel,
  strictByDefinition,
} from './testing/ed25519-forge.ts'

hashes.sha512 = (message) => new Uint8Array(createHash('sha512').update(message).digest())

const strict = ({ key, message, signature }: Signed) => verifyStrict(hexFromBytes(key), message, signature)

/** Cofactored, refuses non-canonical encodings and keys of small order. */
const noble = ({ key, message, signature }: Signed) => nobleVerify(signature, message, key, { zip215: false })

/**
 * Cofactorless, compares the encoding of R. What becomes of points of small order depends on the library behind it:
 * OpenSSL 3.0 takes them, 3.5 does not.
 */
function openssl({ key, message, signature }: Signed): boolean {
  const der = concatBytes(bytesFromHex('302a300506032b6570032100'), key)
  return verify(
    null,
    message,
    createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }),
    signature,
  )
}

/** Message of TEST 1024 (1023 bytes), in base64. */
const TEST_1024_MESSAGE = [
  'CLiytzNCQkN2D+QmpLVJCGMhEKZsL2WR6r0zRePk65j6biZL8J7+Eu5Q+PVOn3ex41X2xQVE4j+xQz3fc76E2HnefABG3EmW',
  '2edz9Lye/lc4gprbJsgbN8k6GycLIDKdZYZ1/G6lNOCBCkQygmv1jJQe+2XVejOLvS4mZA+J/7wahY78uFUO46XhmYvRd+k6',
  'c2PDRP5rGZ7l0C6C1SLE/roVRS+AKIqCGleRFuxtrSs7MQ2pA0AapiEAq10aNlU+BiA7M4kMybgy9574BWDMuaOc52eWftYo',
  'xq1XPLEW2+/v11SZ2pa9aKipe5KKi7wQO2Yh/N4r7KEjHSBr5s2ex6/29slPzXIE7TRVxoyD9KQdpK8rdO9cU/HYrHC9y37R',
  'hc6BvYQ1nUQlTZVinphVqUp8GVjR+K2l0FMu2KWqP7LRe6cOtiSOWU4aIpesu7OdUC8ajG628c4is94aH0DMJFVBGagxqarW',
  'B5ytiEJd5r3hqRh+u2CSz2e/KxP9ZfJwiNeLfog8h1nSxPXGWtt1U4eK1XX5+th46AoMm6Y7y8wnMuaUhbvJyQv71iSB2Qib',
  '7M+Az+LfFqLPZb2S3Vl7BwfgkXr0i7t1/tQT0jj1VVp6Vp2Aw0FKjQhZ3GWkYSi6snr4enExTzGMeCsj6/6Ai4KwziZAHS4i',
  '8E2D0SVdxRrd07daKxrgeEUE31Q6+Jab4+pwgv9/yYiMFE2ir1hCnslgMdvK09rZrw3Lqq8mjLj8/+rZTzx8pJXgVqm0es23',
  'Uftz5mbGxlWt6Clyl9B60bpeQ/G8oyMBZRM54ikEzIxC9YwwwEqv2wON2ghH3ZiNzabzv9FcS0xFJQBKoG7v+MpheDqs7Ff7',
  'PR+SsP4v0ahfZyRRe2XmFK1oCNb27jTf9zEP3IKuv9kEsB4dxUspJwlLLbaNb5A7aEAa3r9afgjXj/TvXWNlOmUEDPm/1Kyn',
  'mEp003FFmGeA/AsWrEUWSd5hiKfb3xkfZLX8Xiq0e1f39yds1BnBejyo4bk5rknkiKy6a5ZWELVIAQnIsXuA4be3UN/HWY1d',
  'UBH9LcxWAKMu9bUqHsyCDjCKo0JyGqwJQ79mhrZLJXk3ZQTMxJPZfmrtP7D5zXGkPdSX8B8XwOLLN5eqKi8lZlYWjmxJavxf',
  'uTJG9rERY5ijRvGmQfOwQemJ95FPkMwsf/81eHblBrUNM0unfCJbwwe6U3FS8/FhDk6v5ZX22dkNEfqpM6Fe8TaVRoaKfzpF',
  'qWdo1A/Z0DQSwJHGMVz0/efLaGBpNzgNsuqqcHtMQYXDLt3N0wZwXk3B/8hy7u5HWmTfrIarpBwGGJg/h0HF72jToQHoo7jK',
  'xgyQXBX8kQhAuUwAoLnQ',
].join('')

describe('RFC 8032 section 7.1', () => {
  it.each([
    {
      name: 'TEST 1, the empty message',
      seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      name: 'TEST 2, one byte',
      seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      name: 'TEST 3, two bytes',
      seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      message: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    },
    {
      name: 'TEST SHA(abc), 64 bytes',
      seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
      key: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
      message:
        'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
      signature:
        'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
    },
    {
      name: 'TEST 1024, 1023 bytes',
      seed: 'f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
      key: '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
      message: hexFromBytes(Buffer.from(TEST_1024_MESSAGE, 'base64')),
      signature:
        '0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03',
    },
  ])('$name', ({ seed, key, message, signature }) => {
    const pair = keyPairFromSeed(bytesFromHex(seed))
    expect(pair.publicKeyHex).toBe(key)
    expect(hexFromBytes(pair.sign(bytesFromHex(message)))).toBe(signature)
    expect(verifyStrict(key, bytesFromHex(message), bytesFromHex(signature))).toBe(true)
  })
})

/** Instances per class. */
const INSTANCES = 16

interface SpecClass {
  reason: string
  recipe(name: string, index: number): Recipe
  /** What must be true of an instance, or it shows nothing. */
  holds: { cofactorless: boolean; cofactored: boolean; prereduced?: boolean }
  accepted: boolean
}

const odd = (index: number) => (2 * index + 1) % 8
const large = (name: string) => ({ a: secretScalar(`${name}/a`), r: secretScalar(`${name}/r`) })
const forbidden = (index: number) => NON_CANONICAL_SMALL[index % NON_CANONICAL_SMALL.length] as SmallEncoding
const BOTH = { cofactorless: true, cofactored: true }

const cancelling = (recipe: Recipe): Recipe => ({ ...recipe, wanted: (k) => smallPartsCancel(recipe, k) })

/** A of mixed order whose small part undoes the small R that is encoded in a forbidden way. */
function withForbiddenR(name: string, index: number, hashesCanonical: boolean): Recipe {
  const { bytes, index: smallOfR } = forbidden(index)
  const recipe = { name, a: secretScalar(`${name}/a`), r: 0n, smallOfA: odd(index), smallOfR }
  return cancelling({ ...recipe, encodedR: bytes, hashesCanonical })
}

function withForbiddenA(name: string, index: number, hashesCanonical: boolean): Recipe {
  const { bytes, index: smallOfA } = forbidden(index)
  const recipe = {
    name,
    a: 0n,
    r: secretScalar(`${name}/r`),
    smallOfA,
    smallOfR: (smallOfA * odd(index)) % 8,
  }
  return cancelling({ ...recipe, encodedA: bytes, hashesCanonical })
}

/**
 * The twelve classes of Chalkias, Garillot, Nikolaenko, “Taming the many EdDSAs” (2020), section 5, made anew from
 * their definition. ed25519-dalek's `verify_strict` accepts the fourth only, and so do we.
 */
const SPEC_CLASSES: SpecClass[] = [
  {
    reason: 'A and R of small order, S = 0: everybody may have signed everything',
    recipe: (name, index) => {
      const smallOfA = index % 8
      return cancelling({ name, a: 0n, r: 0n, smallOfA, smallOfR: (smallOfA * odd(index >> 3)) % 8 })
    },
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'A of small order: the key binds to no message',
    recipe: (name, index) =>
      cancelling({ name, a: 0n, r: secretScalar(name), smallOfA: odd(index), smallOfR: 1 + (index % 7) }),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'R of small order: the nonce is known',
    recipe: (name, index) =>
      cancelling({ name, a: secretScalar(name), r: 0n, smallOfA: odd(index), smallOfR: 1 + (index % 7) }),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'A and R of mixed order, small parts cancel: both equations hold',
    recipe: (name, index) =>
      cancelling({ name, ...large(name), smallOfA: odd(index), smallOfR: 1 + (index % 7) }),
    holds: BOTH,
    accepted: true,
  },
  {
    reason: 'A and R of mixed order, small parts stay: only the cofactored equation holds',
    recipe: (name, index) => {
      const recipe = { name, ...large(name), smallOfA: odd(index), smallOfR: 1 + (index % 7) }
      return { ...recipe, wanted: (k) => !smallPartsCancel(recipe, k) }
    },
    holds: { cofactorless: false, cofactored: true },
    accepted: false,
  },
  {
    reason: 'A of mixed order: the cofactored equation holds unless 8k is reduced first',
    recipe: (name, index) => ({
      name,
      ...large(name),
      smallOfA: odd(index),
      smallOfR: 0,
      wanted: (k) => k % 8n !== 0n && ((8n * k) % L) % 8n !== 0n,
    }),
    holds: { cofactorless: false, cofactored: true, prereduced: false },
    accepted: false,
  },
  {
    reason: 'S + L: a second signature for the same message',
    recipe: (name) => ({ name, ...large(name), smallOfA: 0, smallOfR: 0, addedToS: L }),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'S + 14 L: needs all 256 bits',
    recipe: (name) => ({ name, ...large(name), smallOfA: 0, smallOfR: 0, addedToS: 14n * L }),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'R of small order not canonical, hashed in its canonical form',
    recipe: (name, index) => withForbiddenR(name, index, true),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'R of small order not canonical, hashed as sent',
    recipe: (name, index) => withForbiddenR(name, index, false),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'A of small order not canonical, hashed in its canonical form',
    recipe: (name, index) => withForbiddenA(name, index, true),
    holds: BOTH,
    accepted: false,
  },
  {
    reason: 'A of small order not canonical, hashed as sent',
    recipe: (name, index) => withForbiddenA(name, index, false),
    holds: BOTH,
    accepted: false,
  },
]

describe('the twelve classes on which verifiers disagree', () => {
  it.each(SPEC_CLASSES.map((of, number) => ({ ...of, number })))(
    '$number: $reason: accepted = $accepted',
    ({ number, recipe, holds, accepted }) => {
      for (let index = 0; index < INSTANCES; index++) {
        const { k, ...signed } = forge(recipe(`class ${number} instance ${index}`, index))
        expect(equations(signed, k)).toMatchObject(holds)
        expect(strict(signed)).toBe(accepted)
      }
    },
  )

  it('knows all six forbidden encodings of points of small order', () => {
    expect(new Set(NON_CANONICAL_SMALL.map(({ bytes }) => hexFromBytes(bytes))).size).toBe(6)
  })
})

/** A signature made by the kernel, with everything that is needed to bend it. */
function honest(name: string, message: Uint8Array = utf8(name)) {
  const seed = sha256(utf8(name))
  const pair = keyPairFromSeed(seed)
  const digest = createHash('sha512').update(seed).digest()
  digest[0] = (digest[0] as number) & 248
  digest[31] = ((digest[31] as number) & 127) | 64
  const a = numberFrom(digest.subarray(0, 32)) % L
  return { key: bytesFromHex(pair.publicKeyHex), message, signature: pair.sign(message), a, pair }
}

const join = (R: Uint8Array, S: bigint | Uint8Array) => concatBytes(R, typeof S === 'bigint' ? bytes32(S) : S)
const names = (count: number) => Array.from({ length: count }, (_, number) => `key ${number}`)

/** The categories of Wycheproof's Ed25519 file (C2SP, 151 tests), filled with instances of our own. */
describe('Wycheproof’s categories', () => {
  it('Valid, Ktv: every length around the blocks of SHA-512, up to 10 kB; noble signs the same bytes', () => {
    for (const length of [0, 1, 31, 32, 47, 48, 63, 64, 65, 111, 112, 127, 128, 129, 1023, 10_000]) {
      const message = new Uint8Array(length).fill(length)
      const signed = honest(`length ${length}`, message)
      expect(strict(signed)).toBe(true)
      expect(hexFromBytes(nobleSign(message, sha256(utf8(`length ${length}`))))).toBe(
        hexFromBytes(signed.signature),
      )
    }
  })

  it('TinkOverflow: scalars and nonces at the edges of every limb', () => {
    const edges = [1n, 2n, 8n, L - 1n, L - 2n, (L - 1n) / 2n, 2n ** 252n, 2n ** 251n - 1n]
    for (let bits = 16n; bits < 252n; bits += 16n) edges.push(2n ** bits - 1n, 2n ** bits)
    edges.forEach((scalar, number) => {
      const other = secretScalar(`edge ${number}`)
      const recipe = { name: `edge ${number}`, smallOfA: 0, smallOfR: 0 }
      expect(strict(forge({ ...recipe, a: scalar, r: other }))).toBe(true)
      expect(strict(forge({ ...recipe, a: other, r: scalar }))).toBe(true)
    })
  })

  it('TruncatedSignature: no shorter length at all, cut at either end', () => {
    const signed = honest('truncated')
    for (let length = 0; length < 64; length++) {
      expect(strict({ ...signed, signature: signed.signature.subarray(0, length) })).toBe(false)
      expect(strict({ ...signed, signature: signed.signature.subarray(64 - length) })).toBe(false)
    }
  })

  it('SignatureWithGarbage: bytes before, between and after; the key or the message attached', () => {
    const { key, message, signature } = honest('garbage')
    const [R, S] = [signature.subarray(0, 32), signature.subarray(32)]
    for (const garbage of [
      new Uint8Array(1),
      new Uint8Array(2),
      new Uint8Array([255]),
      key,
      message,
      signature,
    ]) {
      for (const parts of [
        [garbage, R, S],
        [R, garbage, S],
        [R, S, garbage],
      ]) {
        expect(strict({ key, message, signature: concatBytes(...parts) })).toBe(false)
      }
    }
  })

  it('CompressedSignature: a zero byte left out, or moved; R and S overlapping', () => {
    let found = 0
    for (const name of names(64)) {
      const { key, message, signature } = honest(name)
      const zero = signature.indexOf(0)
      if (zero < 0) continue
      found++
      const cut = concatBytes(signature.subarray(0, zero), signature.subarray(zero + 1))
      const moved = [concatBytes(cut, new Uint8Array(1)), concatBytes(new Uint8Array(1), cut)]
      for (const other of [cut, ...moved.filter((bytes) => !Buffer.from(bytes).equals(signature))]) {
        expect(strict({ key, message, signature: other })).toBe(false)
      }
      const overlapping = concatBytes(signature.subarray(0, 32), signature.subarray(31))
      expect(strict({ key, message, signature: overlapping.subarray(0, 64) })).toBe(false)
    }
    expect(found).toBeGreaterThan(5)
  })

  it('SignatureMalleability: S + kL for every k that fits, S + p, S with each of its high bits set, L − S', () => {
    for (const name of names(8)) {
      const { key, message, signature } = honest(name)
      const S = numberFrom(signature.subarray(32))
      const others = [S + P, L - S, ...[252n, 253n, 254n, 255n].map((bit) => S ^ (1n << bit))]
      for (let other = S + L; other < 2n ** 256n; other += L) others.push(other)
      for (const other of others.filter((value) => value < 2n ** 256n)) {
        expect(strict({ key, message, signature: join(signature.subarray(0, 32), other) })).toBe(false)
      }
    }
  })

  it('InvalidEncoding: any bit of R flipped, with the S that makes the computed R the original one', () => {
    const { key, message, a } = honest('bits of R')
    const r = secretScalar('bits of R')
    const R = Point.BASE.multiply(r).toBytes()
    const fitting = (encoded: Uint8Array) => join(encoded, (r + challenge(encoded, key, message) * a) % L)
    expect(strict({ key, message, signature: fitting(R) })).toBe(true)
    for (let bit = 0; bit < 256; bit++) {
      const flipped = R.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(strict({ key, message, signature: fitting(flipped) })).toBe(false)
    }
    const inverted = R.map((byte) => byte ^ 255)
    for (const encoded of [
      inverted,
      new Uint8Array(32),
      new Uint8Array(32).fill(255),
      bytes32(1n + 2n ** 255n),
    ]) {
      expect(strict({ key, message, signature: fitting(encoded) })).toBe(false)
    }
  })

  it('InvalidSignature: every pair of special values for R and S', () => {
    const ys = [0n, 1n, P - 1n, P, P + 1n, L, 2n ** 255n - 1n]
    const special = [...ys, ...ys.map((y) => y ^ (2n ** 255n))]
    const scalars = [
      0n,
      1n,
      8n,
      L - 1n,
      L,
      L + 1n,
      P - 1n,
      P,
      P + 1n,
      2n ** 252n,
      2n ** 255n,
      2n ** 256n - 1n,
    ]
    const { key, message } = honest('special values')
    for (const R of [...special.map(bytes32), key]) {
      for (const S of scalars) expect(strict({ key, message, signature: join(R, S) })).toBe(false)
    }
  })

  it('InvalidKtv and more: another key, another message, halves swapped or of another signature, S = 0', () => {
    for (const name of names(16)) {
      const signed = honest(name)
      const other = honest(`${name} again`)
      const [R, S] = [pointOf(signed), signed.signature.subarray(32)]
      expect(strict(signed)).toBe(true)
      const forged: Signed[] = [
        { ...signed, key: other.key },
        { ...signed, message: other.message },
        { ...signed, message: concatBytes(signed.message, new Uint8Array(1)) },
        { ...signed, message: new Uint8Array(0) },
        { ...signed, signature: other.signature },
        { ...signed, signature: concatBytes(S, R) },
        { ...signed, signature: join(pointOf(other), S) },
        { ...signed, signature: join(R, other.signature.subarray(32)) },
        { ...signed, signature: join(R, 0n) },
        { ...signed, signature: join(R, R) },
      ]
      for (const bent of forged) expect(strict(bent)).toBe(false)
    }
  })

  it('any bit of signature, key or message changed', () => {
    const signed = honest('every bit')
    for (const part of ['signature', 'key', 'message'] as const) {
      for (let bit = 0; bit < 8 * signed[part].length; bit++) {
        const flipped = signed[part].slice()
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(strict({ ...signed, [part]: flipped })).toBe(false)
      }
    }
  })

  it('keys: wrong length, not on the curve, all 19 forbidden y with either sign, hex in capitals', () => {
    const signed = honest('keys')
    const hex = hexFromBytes(signed.key)
    for (const key of ['', hex.slice(2), `${hex}00`, `00${hex}`, hex.toUpperCase(), ` ${hex.slice(1)}`]) {
      expect(verifyStrict(key, signed.message, signed.signature)).toBe(false)
    }
    for (let y = P; y < 2n ** 255n; y++) {
      for (const sign of [0n, 2n ** 255n]) {
        const key = bytes32(y + sign)
        const k = challenge(pointOf(signed), key, signed.message)
        const signature = join(pointOf(signed), k)
        expect([isCanonical(key), strict({ ...signed, key, signature })]).toEqual([false, false])
      }
    }
  })
})

/** A recipe for any mixture of what can be wrong. */
const recipes: fc.Arbitrary<Recipe> = fc
  .record({
    number: fc.nat(),
    largeA: fc.boolean(),
    largeR: fc.boolean(),
    smallOfA: fc.nat(7),
    smallOfR: fc.nat(7),
    forbiddenA: fc.option(fc.nat(5), { freq: 3 }),
    forbiddenR: fc.option(fc.nat(5), { freq: 3 }),
    hashesCanonical: fc.boolean(),
    wanted: fc.constantFrom('cancel', 'stay', 'any'),
    addedToS: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0n) },
      { weight: 1, arbitrary: fc.constantFrom(1n, L, 14n * L) },
    ),
  })
  .map(({ number, largeA, largeR, forbiddenA, forbiddenR, wanted, ...rest }) => {
    const [a, r] = [largeA ? secretScalar(`a ${number}`) : 0n, largeR ? secretScalar(`r ${number}`) : 0n]
    const recipe: Recipe = { ...rest, name: `${number}`, a, r }
    if (!largeA && forbiddenA !== null) {
      recipe.encodedA = forbidden(forbiddenA).bytes
      recipe.smallOfA = forbidden(forbiddenA).index
    }
    if (!largeR && forbiddenR !== null) {
      recipe.encodedR = forbidden(forbiddenR).bytes
      recipe.smallOfR = forbidden(forbiddenR).index
    }
    // Where the small part of A cannot undo the one of R, or cannot help doing it, no message has what is wanted.
    const reachable = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].map((k) => smallPartsCancel(recipe, k))
    const cancels = wanted === 'cancel'
    if (wanted !== 'any' && reachable.includes(cancels))
      recipe.wanted = (k) => smallPartsCancel(recipe, k) === cancels
    return recipe
  })

describe('against the definition and two other verifiers', () => {
  it('is the definition, and differs from node:crypto and noble only where they are documented to', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(recipes, (recipe) => {
        const { k: _k, ...signed } = forge(recipe)
        const accepted = strict(signed)
        expect(accepted).toBe(strictByDefinition(signed))
        const { cofactorless } = equations(signed)
        const smallR = isSmall(pointOf(signed))
        if (openssl(signed) !== accepted) {
          expect(accepted).toBe(false)
          expect(isSmall(signed.key) || smallR).toBe(true)
        }
        if (noble(signed) !== accepted) {
          seen.add('noble takes small R and uses the cofactor')
          expect(accepted).toBe(false)
          expect(smallR || (!cofactorless && equations(signed).cofactored)).toBe(true)
        }
        if (accepted)
          seen.add(isMixed(signed.key) ? 'a key of mixed order is taken' : 'an honest key is taken')
        if (scalarOf(signed) >= L) seen.add('S out of range')
      }),
      { numRuns: 150, seed: 8032 },
    )
    expect([...seen].sort()).toEqual([
      'S out of range',
      'a key of mixed order is taken',
      'an honest key is taken',
      'noble takes small R and uses the cofactor',
    ])
  })
})
