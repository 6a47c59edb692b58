import { bytesFromHex, concatBytes, hexFromBytes, u64le, utf8 } from '../kernel/index.ts'
import { proofRangeInvalid } from './errors.ts'
import type { TransparencyTree } from './transparency.ts'
import type { ConsistencyProof, InclusionProof, TransparencyHead } from './types.ts'

const hexes = (hashes: Uint8Array[]): string[] => hashes.map(hexFromBytes)

/** The tree's own complaint about sizes, as an answer to the caller. */
function inRange<T>(prove: () => T): T {
  try {
    return prove()
  } catch (error) {
    if (error instanceof RangeError) throw proofRangeInvalid(error.message)
    throw error
  }
}

export function transparencyHead(tree: TransparencyTree): TransparencyHead {
  return { size: tree.size, rootHex: hexFromBytes(tree.root()) }
}

const HEAD_DOMAIN = utf8('tirami-tree-head-v1\0')

/**
 * What a node signs to stand by a head: domain ‖ size u64 ‖ time in ms u64, both little-endian ‖ root 32. Two signed heads
 * of one size and different roots prove to anybody that the node showed two histories.
 */
export function treeHeadBytes({ size, rootHex }: TransparencyHead, timestampMs: number): Uint8Array {
  const numbers = [size, timestampMs].map((value) => u64le(BigInt(value)))
  return concatBytes(HEAD_DOMAIN, ...numbers, bytesFromHex(rootHex))
}

/** @throws TiramiError PROOF_RANGE_INVALID when the tree of `treeSize` trades does not hold leaf `index` */
export function inclusionProof(
  tree: TransparencyTree,
  trade: { tradeId: string; index: number; signedBytes: Uint8Array },
  treeSize: number = tree.size,
): InclusionProof {
  const { tradeId, index } = trade
  return inRange(() => ({
    tradeId,
    index,
    treeSize,
    rootHex: hexFromBytes(tree.root(treeSize)),
    leafHashHex: hexFromBytes(tree.leafHash(index)),
    pathHex: hexes(tree.inclusionProof(index, treeSize)),
    signedBytesHex: hexFromBytes(trade.signedBytes),
  }))
}

/** @throws TiramiError PROOF_RANGE_INVALID unless 0 ≤ first ≤ second ≤ size of the tree */
export function consistencyProof(
  tree: TransparencyTree,
  first: number,
  second: number = tree.size,
): ConsistencyProof {
  return inRange(() => ({
    first,
    second,
    firstRootHex: hexFromBytes(tree.root(first)),
    secondRootHex: hexFromBytes(tree.root(second)),
    pathHex: hexes(tree.consistencyProof(first, second)),
  }))
}

/** The form that leaves the process, by HTTP or as a file, and that `e2e/verify-proof.mjs` checks. */
export function inclusionJson(proof: InclusionProof) {
  return {
    type: 'inclusion',
    trade_id: proof.tradeId,
    index: proof.index,
    tree_size: proof.treeSize,
    root_hash: proof.rootHex,
    leaf_hash: proof.leafHashHex,
    path: proof.pathHex,
    signed_bytes: proof.signedBytesHex,
  }
}

export function consistencyJson(proof: ConsistencyProof) {
  return {
    type: 'consistency',
    first: proof.first,
    second: proof.second,
    first_root_hash: proof.firstRootHex,
    second_root_hash: proof.secondRootHex,
    path: proof.pathHex,
  }
}
