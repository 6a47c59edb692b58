import { digest } from './hash.ts'

const HASH_BYTES = 32
const FIRST_CAPACITY = 64
const LEAF_PREFIX = Uint8Array.of(0x00)
/** SHA-256 of nothing. */
const EMPTY_ROOT = digest(new Uint8Array(0))

/** SHA-256(0x00 ‖ data), RFC 6962 section 2.1: a leaf can never be passed off as a node. */
export function transparencyLeafHash(data: Uint8Array): Uint8Array {
  return digest(Buffer.concat([LEAF_PREFIX, data]))
}

// 0x01 ‖ left ‖ right, filled anew for every node.
const nodeBytes = new Uint8Array(1 + 2 * HASH_BYTES)
nodeBytes[0] = 0x01

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeBytes.set(left, 1)
  nodeBytes.set(right, 1 + HASH_BYTES)
  return digest(nodeBytes)
}

/** Hashes one after the other in one buffer that doubles as it fills. */
class HashList {
  #bytes = new Uint8Array(FIRST_CAPACITY * HASH_BYTES)
  #length = 0

  get length(): number {
    return this.#length
  }

  push(hash: Uint8Array): void {
    const offset = this.#length * HASH_BYTES
    if (offset === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(hash, offset)
    this.#length++
  }

  /** The hashes one after the other. */
  save(): Uint8Array {
    return this.#bytes.slice(0, this.#length * HASH_BYTES)
  }

  static restore(saved: Uint8Array): HashList {
    const list = new HashList()
    // Twice as long: room to grow, as if it had doubled.
    list.#bytes = new Uint8Array(Math.max(FIRST_CAPACITY * HASH_BYTES, 2 * saved.length))
    list.#bytes.set(saved)
    list.#length = saved.length / HASH_BYTES
    return list
  }

  /** A copy: callers cannot change the tree. */
  at(index: number): Uint8Array {
    return this.#bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES)
  }
}

/**
 * The Merkle tree of Certificate Transparency (RFC 6962): shows that a record is in the log, and that a later log
 * only ever appended to an earlier one. Tirami's own root (spec section 2.6, `MerkleLog`) can show neither safely:
 * it does not tell leaves from nodes and lets an odd node stand twice.
 *
 * A root does not say how many leaves it covers: publish and sign it together with its size.
 *
 * Every complete subtree's hash is kept, 64 bytes per leaf in all, so appending costs amortised O(1) hashes, and
 * a root or a proof at any size O(log n).
 */
export class TransparencyTree {
  /** `#levels[h]` holds the roots of the complete subtrees of 2^h leaves, from left to right. */
  readonly #levels: HashList[] = []

  /** Number of leaves. */
  get size(): number {
    return this.#levels[0]?.length ?? 0
  }

  /** What `restore` takes: the hashes of each level, leaves first, 32 bytes each. */
  save(): Uint8Array[] {
    return this.#levels.map((level) => level.save())
  }

  static restore(saved: readonly Uint8Array[]): TransparencyTree {
    const tree = new TransparencyTree()
    tree.#levels.push(...saved.map(HashList.restore))
    return tree
  }

  /** @returns the index of the new leaf */
  append(data: Uint8Array): number {
    let hash = transparencyLeafHash(data)
    for (let height = 0; ; height++) {
      const level = this.#level(height)
      level.push(hash)
      if (level.length % 2 !== 0) return this.size - 1
      hash = nodeHash(level.at(level.length - 2), hash)
    }
  }

  /** @throws RangeError when there is no such leaf */
  leafHash(index: number): Uint8Array {
    assertInteger('index', index, 0, this.size - 1)
    return this.#subtree(0, index)
  }

  /** Root over the first `size` leaves; SHA-256 of nothing for none. @throws RangeError beyond the tree */
  root(size: number = this.size): Uint8Array {
    assertInteger('size', size, 0, this.size)
    return size === 0 ? EMPTY_ROOT.slice() : this.#range(0, size)
  }

  /**
   * Siblings from the leaf up: with them, leaf `index` leads to `root(size)`.
   * @throws RangeError unless 0 ≤ index < size ≤ this.size
   */
  inclusionProof(index: number, size: number = this.size): Uint8Array[] {
    assertInteger('size', size, 1, this.size)
    assertInteger('index', index, 0, size - 1)
    const fromTop: Uint8Array[] = []
    let [start, end] = [0, size]
    while (end - start > 1) {
      const middle = start + splitOf(end - start)
      if (index < middle) {
        fromTop.push(this.#range(middle, end))
        end = middle
      } else {
        fromTop.push(this.#range(start, middle))
        start = middle
      }
    }
    return fromTop.reverse()
  }

  /**
   * Shows that `root(later)` only appends to `root(earlier)`. Empty when the sizes are equal or `earlier` is 0.
   * @throws RangeError unless 0 ≤ earlier ≤ later ≤ this.size
   */
  consistencyProof(earlier: number, later: number = this.size): Uint8Array[] {
    assertInteger('later', later, 0, this.size)
    assertInteger('earlier', earlier, 0, later)
    if (earlier === 0) return []
    const fromTop: Uint8Array[] = []
    let [start, end] = [0, later]
    while (end !== earlier) {
      const middle = start + splitOf(end - start)
      if (earlier <= middle) {
        fromTop.push(this.#range(middle, end))
        end = middle
      } else {
        fromTop.push(this.#range(start, middle))
        start = middle
      }
    }
    // The verifier knows the earlier root itself; what starts at 0 and ends there is just that.
    if (start > 0) fromTop.push(this.#range(start, end))
    return fromTop.reverse()
  }

  #level(height: number): HashList {
    const level = this.#levels[height] ?? new HashList()
    this.#levels[height] = level
    return level
  }

  #subtree(height: number, index: number): Uint8Array {
    const level = this.#levels[height]
    if (!level) throw new Error('the subtree is not complete')
    return level.at(index)
  }

  /** Root over the leaves from `start` up to `end`; `start` is where RFC 6962 lets a subtree of that size begin. */
  #range(start: number, end: number): Uint8Array {
    const count = end - start
    const height = heightOf(count)
    if (2 ** height === count) return this.#subtree(height, start / count)
    const middle = start + splitOf(count)
    return nodeHash(this.#range(start, middle), this.#range(middle, end))
  }
}

/** The root of the same tree over all leaves so far, and nothing else: it takes O(log n) memory and makes no proofs. */
export class TransparencyRoot {
  #size = 0
  /** Roots of the complete subtrees that the leaves fall into, from left to right. */
  readonly #peaks: Uint8Array[] = []

  get size(): number {
    return this.#size
  }

  append(data: Uint8Array): void {
    let hash = transparencyLeafHash(data)
    for (let count = this.#size; isOdd(count); count = half(count)) {
      hash = nodeHash(this.#peaks.pop() ?? EMPTY_ROOT, hash)
    }
    this.#peaks.push(hash)
    this.#size++
  }

  root(): Uint8Array {
    const [last, ...others] = [...this.#peaks].reverse()
    if (!last) return EMPTY_ROOT.slice()
    return others.reduce((right, left) => nodeHash(left, right), last)
  }

  /** What `restore` takes. */
  save(): { size: number; peaks: Uint8Array[] } {
    return { size: this.#size, peaks: [...this.#peaks] }
  }

  static restore({ size, peaks }: ReturnType<TransparencyRoot['save']>): TransparencyRoot {
    const restored = new TransparencyRoot()
    restored.#size = size
    restored.#peaks.push(...peaks)
    return restored
  }
}

/** Levels above the leaves of a tree of `count` leaves. Exact, unlike a logarithm; a tree in memory is far below 2^32. */
const heightOf = (count: number): number => 32 - Math.clz32(count - 1)

/** The largest power of two below `count` (which is above 1). */
const splitOf = (count: number): number => 2 ** (heightOf(count) - 1)

function assertInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}`)
  }
}

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const isHash = (bytes: Uint8Array): boolean => bytes.length === HASH_BYTES
const sameBytes = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0
// Sizes go beyond 32 bits, where bit operators would wrap.
const half = (value: number): number => Math.floor(value / 2)
const isOdd = (value: number): boolean => value % 2 === 1

export interface InclusionClaim {
  leafHash: Uint8Array
  index: number
  size: number
  proof: readonly Uint8Array[]
  root: Uint8Array
}

/** RFC 9162 section 2.1.3.2. Needs nothing but the claim; false for malformed ones, never throws. */
export function verifyInclusion({ leafHash, index, size, proof, root }: InclusionClaim): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (![leafHash, root, ...proof].every(isHash)) return false
  let [node, last] = [index, size - 1]
  let hash = leafHash
  for (const sibling of proof) {
    if (last === 0) return false
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash)
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)]
    } else {
      hash = nodeHash(hash, sibling)
    }
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && sameBytes(hash, root)
}

export interface ConsistencyClaim {
  earlierSize: number
  earlierRoot: Uint8Array
  laterSize: number
  laterRoot: Uint8Array
  proof: readonly Uint8Array[]
}

/**
 * RFC 9162 section 2.1.4.2. Needs nothing but the claim; false for malformed ones, never throws. The empty tree is
 * consistent with every tree and has a known root.
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { earlierSize, earlierRoot, laterSize, laterRoot, proof } = claim
  if (!isSize(earlierSize) || !isSize(laterSize) || earlierSize > laterSize) return false
  if (![earlierRoot, laterRoot, ...proof].every(isHash)) return false
  if (earlierSize === laterSize) return proof.length === 0 && sameBytes(earlierRoot, laterRoot)
  if (earlierSize === 0) return proof.length === 0 && sameBytes(earlierRoot, EMPTY_ROOT)
  return climbs(claim)
}

/** Both roots rebuilt side by side from one list of hashes, for 0 < earlierSize < laterSize. */
function climbs({ earlierSize, earlierRoot, laterSize, laterRoot, proof }: ConsistencyClaim): boolean {
  let [node, last] = [earlierSize - 1, laterSize - 1]
  while (isOdd(node)) [node, last] = [half(node), half(last)]
  // A complete earlier tree is itself the first hash; otherwise the proof brings it.
  const [first, ...rest] = node === 0 ? [earlierRoot, ...proof] : proof
  if (!first) return false
  let [earlier, later] = [first, first]
  for (const hash of rest) {
    if (last === 0) return false
    if (isOdd(node) || node === last) {
      earlier = nodeHash(hash, earlier)
      later = nodeHash(hash, later)
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)]
    } else {
      later = nodeHash(later, hash)
    }
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && sameBytes(earlier, earlierRoot) && sameBytes(later, laterRoot)
}
