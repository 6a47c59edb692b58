import { sha256 } from './bytes.ts'

const EMPTY_ROOT = new Uint8Array(32)

/**
 * Tirami's Merkle root (spec section 2.6): leaf = SHA-256(bytes), parent = SHA-256(left ‖ right), an odd
 * node pairs with itself, the empty log is 32 zero bytes. Keeps only the roots of complete subtrees, so
 * appending and reading the root cost O(log n).
 */
export class MerkleLog {
  /** peaks[h] is the root of a complete subtree of 2^h leaves, or undefined. */
  readonly #peaks: (Uint8Array | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** What `restore` takes: the size, and the roots of the complete subtrees by height. */
  save(): { size: number; peaks: (Uint8Array | undefined)[] } {
    return { size: this.#size, peaks: [...this.#peaks] }
  }

  static restore({ size, peaks }: ReturnType<MerkleLog['save']>): MerkleLog {
    const log = new MerkleLog()
    log.#size = size
    log.#peaks.push(...peaks)
    return log
  }

  append(leafHash: Uint8Array): void {
    let node = leafHash
    let height = 0
    for (let peak = this.#peaks[height]; peak; peak = this.#peaks[height]) {
      node = sha256(peak, node)
      this.#peaks[height] = undefined
      height++
    }
    this.#peaks[height] = node
    this.#size++
  }

  root(): Uint8Array {
    let carry: Uint8Array | undefined
    const top = this.#peaks.length - 1
    for (let height = 0; height <= top; height++) {
      const peak = this.#peaks[height]
      if (height === top && !carry) return peak ?? EMPTY_ROOT
      if (peak) carry = carry ? sha256(peak, carry) : sha256(peak, peak)
      else if (carry) carry = sha256(carry, carry)
    }
    return carry ?? EMPTY_ROOT
  }
}
