import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesFromHex, hexFromBytes } from '../kernel/index.ts'
import {
  TransparencyRoot,
  TransparencyTree,
  transparencyLeafHash,
  verifyConsistency,
  verifyInclusion,
} from './transparency.ts'

/** RFC 6962 section 2.1 word for word, sharing no code with the tree. */
function naiveRoot(leaves: Buffer[]): string {
  const hash = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  const mth = (d: Buffer[]): Buffer => {
    if (d.length === 0) return hash()
    if (d.length === 1) return hash(Buffer.from([0]), ...d)
    let k = 1
    while (k * 2 < d.length) k *= 2
    return hash(Buffer.from([1]), mth(d.slice(0, k)), mth(d.slice(k)))
  }
  return mth(leaves).toString('hex')
}

const leaf = (index: number) => Buffer.from(`record ${index}`)
const leavesTo = (size: number) => Array.from({ length: size }, (_, index) => leaf(index))

function treeOf(leaves: Uint8Array[]): TransparencyTree {
  const tree = new TransparencyTree()
  for (const data of leaves) tree.append(data)
  return tree
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  // Not slice(): of a Buffer that is a view, and the original would change too.
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

const inclusionHolds = (tree: TransparencyTree, index: number, size: number) =>
  verifyInclusion({
    leafHash: tree.leafHash(index),
    index,
    size,
    proof: tree.inclusionProof(index, size),
    root: tree.root(size),
  })

const consistencyHolds = (tree: TransparencyTree, earlierSize: number, laterSize: number) =>
  verifyConsistency({
    earlierSize,
    earlierRoot: tree.root(earlierSize),
    laterSize,
    laterRoot: tree.root(laterSize),
    proof: tree.consistencyProof(earlierSize, laterSize),
  })

describe('the reference tree of Certificate Transparency', () => {
  const INPUTS = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ]
  const ROOTS = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]
  const tree = treeOf(INPUTS.map(bytesFromHex))
  const node = {
    l1: '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    l6: 'b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f',
    l01: ROOTS[2],
    l23: '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    l45: '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    l67: 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    l03: ROOTS[4],
    l47: '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  }

  it('has the published roots at every size', () => {
    expect(ROOTS.map((_, size) => hexFromBytes(tree.root(size)))).toEqual(ROOTS)
  })

  it('gives the published inclusion proofs', () => {
    const proof = (index: number, size: number) => tree.inclusionProof(index, size).map(hexFromBytes)
    expect(proof(0, 1)).toEqual([])
    expect(proof(0, 8)).toEqual([node.l1, node.l23, node.l47])
    expect(proof(7, 8)).toEqual([node.l6, node.l45, node.l03])
    expect(proof(6, 7)).toEqual([node.l45, node.l03])
  })

  it('gives the published consistency proofs', () => {
    const proof = (earlier: number, later: number) => tree.consistencyProof(earlier, later).map(hexFromBytes)
    expect(proof(1, 1)).toEqual([])
    expect(proof(1, 8)).toEqual([node.l1, node.l23, node.l47])
    expect(proof(2, 8)).toEqual([node.l23, node.l47])
    expect(proof(6, 8)).toEqual([node.l45, node.l67, node.l03])
  })
})

describe('every size', () => {
  const MAX = 64
  const leaves = leavesTo(MAX)
  const tree = treeOf(leaves)

  it('has the root of the definition, also when asked later', () => {
    const growing = new TransparencyTree()
    for (let size = 0; size <= 130; size++) {
      expect(hexFromBytes(growing.root())).toBe(naiveRoot(leavesTo(size)))
      expect(growing.append(leaf(size))).toBe(size)
    }
    for (let size = 0; size <= 130; size++) {
      expect(hexFromBytes(growing.root(size))).toBe(naiveRoot(leavesTo(size)))
    }
  })

  it('proves every leaf, and only at its own place', () => {
    for (let size = 1; size <= MAX; size++) {
      for (let index = 0; index < size; index++) {
        expect(inclusionHolds(tree, index, size)).toBe(true)
        const proof = tree.inclusionProof(index, size)
        const claim = { leafHash: tree.leafHash(index), size, proof, root: tree.root(size) }
        expect(verifyInclusion({ ...claim, index: (index + 1) % (size + 1) })).toBe(false)
      }
    }
  })

  it('proves every pair of sizes, and no other earlier root', () => {
    for (let later = 0; later <= MAX; later++) {
      for (let earlier = 0; earlier <= later; earlier++) {
        expect(consistencyHolds(tree, earlier, later)).toBe(true)
        if (earlier === 0) continue
        const proof = tree.consistencyProof(earlier, later)
        const claim = { earlierSize: earlier, laterSize: later, laterRoot: tree.root(later), proof }
        expect(verifyConsistency({ ...claim, earlierRoot: tree.root(earlier - 1) })).toBe(false)
      }
    }
  })
})

describe('any tree', () => {
  const LARGE = 5_000
  const large = treeOf(leavesTo(LARGE))
  const pair = fc
    .tuple(fc.integer({ min: 1, max: LARGE }), fc.integer({ min: 1, max: LARGE }))
    .map(([a, b]) => ({ small: Math.min(a, b), big: Math.max(a, b) }))

  it('proves inclusion with at most log2 hashes', () => {
    fc.assert(
      fc.property(pair, ({ small, big }) => {
        expect(inclusionHolds(large, small - 1, big)).toBe(true)
        expect(large.inclusionProof(small - 1, big).length).toBeLessThanOrEqual(Math.ceil(Math.log2(big)))
      }),
    )
  })

  it('proves that a later tree only appended', () => {
    fc.assert(
      fc.property(pair, ({ small, big }) => {
        expect(consistencyHolds(large, small, big)).toBe(true)
      }),
    )
  })

  it('a rewritten record breaks the consistency with what was published', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(40), fc.nat(), (earlier, more, pick) => {
        const rewritten = leavesTo(earlier + more)
        rewritten[pick % earlier] = Buffer.from('forged')
        const forged = treeOf(rewritten)
        const published = treeOf(leavesTo(earlier))
        const claim = {
          earlierSize: earlier,
          earlierRoot: published.root(),
          laterSize: earlier + more,
          laterRoot: forged.root(),
        }
        expect(verifyConsistency({ ...claim, proof: forged.consistencyProof(earlier) })).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  it('no changed inclusion proof verifies', () => {
    fc.assert(
      fc.property(
        pair,
        fc.nat(),
        fc.nat(255),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (sizes, pick, bit, extra) => {
          const [index, size] = [sizes.small - 1, sizes.big]
          const proof = large.inclusionProof(index, size)
          const claim = { leafHash: large.leafHash(index), index, size, proof, root: large.root(size) }
          expect(verifyInclusion({ ...claim, leafHash: flipped(claim.leafHash, bit) })).toBe(false)
          expect(verifyInclusion({ ...claim, root: flipped(claim.root, bit) })).toBe(false)
          expect(verifyInclusion({ ...claim, proof: [...proof, extra] })).toBe(false)
          expect(verifyInclusion({ ...claim, proof: [extra, ...proof] })).toBe(false)
          if (proof.length === 0) return
          const at = pick % proof.length
          const changed = proof.map((hash, i) => (i === at ? flipped(hash, bit) : hash))
          expect(verifyInclusion({ ...claim, proof: changed })).toBe(false)
          expect(verifyInclusion({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false)
        },
      ),
    )
  })

  it('no changed consistency proof verifies', () => {
    fc.assert(
      fc.property(
        pair,
        fc.nat(),
        fc.nat(255),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (sizes, pick, bit, extra) => {
          const [earlierSize, laterSize] = [sizes.small, sizes.big]
          const proof = large.consistencyProof(earlierSize, laterSize)
          const roots = { earlierRoot: large.root(earlierSize), laterRoot: large.root(laterSize) }
          const claim = { earlierSize, laterSize, ...roots, proof }
          expect(verifyConsistency({ ...claim, earlierRoot: flipped(roots.earlierRoot, bit) })).toBe(false)
          expect(verifyConsistency({ ...claim, laterRoot: flipped(roots.laterRoot, bit) })).toBe(false)
          expect(verifyConsistency({ ...claim, proof: [...proof, extra] })).toBe(false)
          if (proof.length === 0) return
          const at = pick % proof.length
          const changed = proof.map((hash, i) => (i === at ? flipped(hash, bit) : hash))
          expect(verifyConsistency({ ...claim, proof: changed })).toBe(false)
          expect(verifyConsistency({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false)
        },
      ),
    )
  })
})

describe('malformed input', () => {
  const tree = treeOf(leavesTo(5))
  const [leafHash, root] = [tree.leafHash(0), tree.root()]

  it('an inner node is not a leaf', () => {
    const pair = treeOf(leavesTo(2))
    const forged = Buffer.concat([pair.leafHash(0), pair.leafHash(1)])
    expect(hexFromBytes(transparencyLeafHash(forged))).not.toBe(hexFromBytes(pair.root()))
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 53, 6])('indexes and sizes such as %s are refused', (value) => {
    expect(() => tree.root(value)).toThrow(RangeError)
    expect(() => tree.leafHash(value)).toThrow(RangeError)
    expect(() => tree.inclusionProof(value)).toThrow(RangeError)
    expect(() => tree.consistencyProof(value)).toThrow(RangeError)
    expect(verifyInclusion({ leafHash, index: value, size: 5, proof: [], root })).toBe(false)
    const sizes = { earlierSize: value, laterSize: 5 }
    expect(verifyConsistency({ ...sizes, earlierRoot: root, laterRoot: root, proof: [] })).toBe(false)
  })

  it('hashes of another length are refused', () => {
    const proof = tree.inclusionProof(0)
    const short = proof.with(0, new Uint8Array(31))
    expect(verifyInclusion({ leafHash, index: 0, size: 5, proof: short, root })).toBe(false)
    expect(verifyInclusion({ leafHash: new Uint8Array(0), index: 0, size: 5, proof, root })).toBe(false)
  })

  it('a proof that is too long or too short for the claimed size is refused, even where it leads to the root', () => {
    const pair = treeOf(leavesTo(2))
    const leaf1 = { leafHash: pair.leafHash(1), root: pair.root() }
    expect(verifyInclusion({ ...leaf1, index: 0, size: 1, proof: [pair.leafHash(0)] })).toBe(false)
    expect(verifyInclusion({ leafHash: root, index: 0, size: 5, proof: [], root })).toBe(false)
    const grown = treeOf(leavesTo(14))
    const claim = (earlier: number, later: number) => ({
      earlierRoot: grown.root(earlier),
      laterRoot: grown.root(later),
      proof: grown.consistencyProof(earlier, later),
    })
    expect(verifyConsistency({ ...claim(13, 14), earlierSize: 5, laterSize: 6 })).toBe(false)
    expect(verifyConsistency({ ...claim(5, 6), earlierSize: 13, laterSize: 14 })).toBe(false)
  })

  it('the empty tree is consistent only under its own root', () => {
    const claim = { earlierSize: 0, laterSize: 5, laterRoot: root, proof: [] }
    expect(verifyConsistency({ ...claim, earlierRoot: new TransparencyTree().root() })).toBe(true)
    expect(verifyConsistency({ ...claim, earlierRoot: root })).toBe(false)
  })

  it('positions beyond 32 bits are handled', () => {
    const siblings = Array.from({ length: 40 }, () => new Uint8Array(32))
    const root40 = siblings.reduce(
      (hash, sibling) =>
        new Uint8Array(
          createHash('sha256')
            .update(Buffer.concat([Buffer.from([1]), hash, sibling]))
            .digest(),
        ),
      leafHash,
    )
    const claim = { leafHash, size: 2 ** 40, proof: siblings, root: root40 }
    expect(verifyInclusion({ ...claim, index: 0 })).toBe(true)
    expect(verifyInclusion({ ...claim, index: 2 ** 32 })).toBe(false)
  })

  it('what callers get is a copy', () => {
    tree.leafHash(0).fill(0)
    tree.root().fill(0)
    expect(hexFromBytes(tree.root())).toBe(naiveRoot(leavesTo(5)))
    expect(hexFromBytes(tree.leafHash(0))).toBe(hexFromBytes(leafHash))
  })
})

describe('the root alone', () => {
  it('is that of the whole tree at every size, also after it was saved', () => {
    let alone = new TransparencyRoot()
    const tree = new TransparencyTree()
    for (const data of leavesTo(130)) {
      expect(hexFromBytes(alone.root())).toBe(hexFromBytes(tree.root()))
      alone.append(data)
      tree.append(data)
      if (tree.size % 3 === 0) alone = TransparencyRoot.restore(structuredClone(alone.save()))
    }
    expect(hexFromBytes(alone.root())).toBe(hexFromBytes(tree.root()))
    expect(alone.size).toBe(130)
  })
})
