/** A row-major f32 matrix in the shared memory. */
export interface Tensor {
  /** Byte offset of the first element. */
  readonly offset: number
  readonly rows: number
  readonly columns: number
}

const ALIGNMENT_BYTES = 64
export const FLOAT_BYTES = 4

/**
 * A bump allocator: reserves byte ranges of a memory one after the other and never frees. With no memory behind
 * it, it measures how much a layout needs.
 */
export class Arena {
  /** First byte not yet reserved. */
  end: number

  constructor(start = ALIGNMENT_BYTES) {
    this.end = start
  }

  bytes(count: number): number {
    const offset = this.end
    this.end = offset + Math.ceil(count / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    return offset
  }

  tensor(rows: number, columns: number): Tensor {
    return { offset: this.bytes(rows * columns * FLOAT_BYTES), rows, columns }
  }
}

/** The first `rows` rows of `tensor`. */
export function firstRows(tensor: Tensor, rows: number): Tensor {
  if (rows > tensor.rows) throw new RangeError(`tensor has ${tensor.rows} rows, ${rows} asked for`)
  return { offset: tensor.offset, rows, columns: tensor.columns }
}
