import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Arena,
  createSharedMemory,
  exactSineCosine,
  FLOAT_BYTES,
  rotationTable,
  seededNormal,
  seededRandom,
  type Tensor,
  TensorOps,
} from './index.ts'

// Every operation is checked against a plain double-precision reference: the forward value directly, the backward
// pass against central finite differences of the reference.

/** A memory with kernels and helpers to move numbers in and out. */
class Bench {
  readonly #arena = new Arena()
  readonly #floats: Float32Array
  readonly #integers: Int32Array
  readonly ops: TensorOps

  constructor(megabytes = 4) {
    const memory = createSharedMemory(megabytes << 20)
    this.#floats = new Float32Array(memory.buffer)
    this.#integers = new Int32Array(memory.buffer)
    this.ops = new TensorOps(memory, this.#arena)
  }

  tensor(rows: number, columns: number, values: readonly number[] = []): Tensor {
    const tensor = this.#arena.tensor(rows, columns)
    this.#floats.set(values, tensor.offset / FLOAT_BYTES)
    return tensor
  }

  integers(values: readonly number[]): number {
    const offset = this.#arena.bytes(values.length * FLOAT_BYTES)
    this.#integers.set(values, offset / FLOAT_BYTES)
    return offset
  }

  read({ offset, rows, columns }: Tensor): number[] {
    return [...this.#floats.subarray(offset / FLOAT_BYTES, offset / FLOAT_BYTES + rows * columns)]
  }
}

const random = seededRandom(1)

/** Numbers that f32 holds exactly, so that kernel and reference start from the same values. */
function numbers(count: number, scale = 1): number[] {
  return Array.from({ length: count }, () => Math.fround(scale * seededNormal(random)))
}

const at = (values: readonly number[], index: number): number => values[index] as number

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(at(actual, i) - value)).toBeLessThan(tolerance * (1 + Math.abs(value)))
  }
}

/** d(Σ upstream·f(x))/dx by central differences. */
function numericGradient(
  f: (x: readonly number[]) => readonly number[],
  x: readonly number[],
  upstream: readonly number[],
): number[] {
  const step = 1e-5
  const objective = (values: readonly number[]): number =>
    f(values).reduce((sum, value, i) => sum + value * at(upstream, i), 0)
  return x.map((value, i) => {
    const moved = (by: number): number => objective(x.with(i, value + by))
    return (moved(step) - moved(-step)) / (2 * step)
  })
}

function referenceLinear(x: readonly number[], w: readonly number[], rows: number, inner: number): number[] {
  const outer = w.length / inner
  return Array.from({ length: rows * outer }, (_, i) => {
    const [row, column] = [Math.floor(i / outer), i % outer]
    let sum = 0
    for (let k = 0; k < inner; k++) sum += at(x, row * inner + k) * at(w, column * inner + k)
    return sum
  })
}

function referenceRmsNorm(x: readonly number[], gain: readonly number[], epsilon: number): number[] {
  const columns = gain.length
  return x.map((value, i) => {
    const start = i - (i % columns)
    const squares = x.slice(start, start + columns).reduce((sum, v) => sum + v * v, 0)
    return (value / Math.sqrt(squares / columns + epsilon)) * at(gain, i % columns)
  })
}

const referenceSwiglu = (gate: readonly number[], up: readonly number[]): number[] =>
  gate.map((g, i) => (g / (1 + Math.exp(-g))) * at(up, i))

interface AttentionCase {
  readonly causal?: boolean
  readonly offsets: readonly number[]
  readonly heads: number
  readonly headLength: number
}

function referenceRotate(x: readonly number[], { offsets, heads, headLength }: AttentionCase): number[] {
  const y = [...x]
  const width = heads * headLength
  for (let s = 0; s + 1 < offsets.length; s++) {
    for (let row = at(offsets, s); row < at(offsets, s + 1); row++) {
      for (let column = 0; column < width; column += 2) {
        const angle = (row - at(offsets, s)) * 10_000 ** (-(column % headLength) / headLength)
        const i = row * width + column
        y[i] = at(x, i) * Math.cos(angle) - at(x, i + 1) * Math.sin(angle)
        y[i + 1] = at(x, i) * Math.sin(angle) + at(x, i + 1) * Math.cos(angle)
      }
    }
  }
  return y
}

function referenceAttention(
  q: readonly number[],
  k: readonly number[],
  v: readonly number[],
  { offsets, heads, headLength, causal = true }: AttentionCase,
): number[] {
  const width = heads * headLength
  const out = new Array<number>(q.length).fill(0)
  const dot = (i: number, j: number): number => {
    let sum = 0
    for (let c = 0; c < headLength; c++) sum += at(q, i + c) * at(k, j + c)
    return sum / Math.sqrt(headLength)
  }
  for (let s = 0; s + 1 < offsets.length; s++) {
    for (let row = at(offsets, s); row < at(offsets, s + 1); row++) {
      for (let head = 0; head < width; head += headLength) {
        const keys = Array.from(
          { length: (causal ? row + 1 : at(offsets, s + 1)) - at(offsets, s) },
          (_, i) => (at(offsets, s) + i) * width + head,
        )
        const scores = keys.map((key) => Math.exp(dot(row * width + head, key)))
        const total = scores.reduce((sum, score) => sum + score, 0)
        for (let c = 0; c < headLength; c++) {
          out[row * width + head + c] = keys.reduce(
            (sum, key, i) => sum + (at(scores, i) / total) * at(v, key + c),
            0,
          )
        }
      }
    }
  }
  return out
}

describe('linear', () => {
  it('multiplies any shape, also where tiles and blocks do not divide it', () => {
    const extents = fc.tuple(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 300 }),
    )
    fc.assert(
      fc.property(extents, ([rows, outer, inner]) => {
        const bench = new Bench()
        const [x, w] = [numbers(rows * inner), numbers(outer * inner)]
        const y = bench.tensor(rows, outer)
        bench.ops.linearForward(bench.tensor(rows, inner, x), bench.tensor(outer, inner, w), y)
        expectClose(bench.read(y), referenceLinear(x, w, rows, inner), 1e-4)
      }),
      { numRuns: 25, seed: 1 },
    )
  })

  it('has the gradients of its reference', () => {
    const [rows, inner, outer] = [5, 12, 9]
    const [x, w, upstream] = [numbers(rows * inner), numbers(outer * inner), numbers(rows * outer)]
    const bench = new Bench()
    const [dx, dw] = [bench.tensor(rows, inner, numbers(rows * inner)), bench.tensor(outer, inner)]
    const before = bench.read(dx)
    const dy = bench.tensor(rows, outer, upstream)
    bench.ops.linearBackward(bench.tensor(rows, inner, x), bench.tensor(outer, inner, w), dy, dx, dw, true)
    const expectedDx = numericGradient((values) => referenceLinear(values, w, rows, inner), x, upstream)
    expectClose(
      bench.read(dx),
      expectedDx.map((value, i) => value + at(before, i)),
      1e-4,
    )
    expectClose(
      bench.read(dw),
      numericGradient((values) => referenceLinear(x, values, rows, inner), w, upstream),
      1e-4,
    )
  })

  it('refuses shapes that do not fit', () => {
    const bench = new Bench()
    const wrong = (): void =>
      bench.ops.linearForward(bench.tensor(2, 4), bench.tensor(3, 5), bench.tensor(2, 3))
    expect(wrong).toThrow(RangeError)
  })
})

describe('rms norm', () => {
  it('agrees with its reference, forward and backward', () => {
    const [rows, columns, epsilon] = [3, 8, 1e-5]
    const [x, gain, upstream] = [numbers(rows * columns), numbers(columns), numbers(rows * columns)]
    const bench = new Bench()
    const [tx, tg, ty] = [
      bench.tensor(rows, columns, x),
      bench.tensor(1, columns, gain),
      bench.tensor(rows, columns),
    ]
    const inverse = bench.tensor(rows, 1)
    bench.ops.rmsNormForward(tx, tg, ty, inverse, epsilon)
    expectClose(bench.read(ty), referenceRmsNorm(x, gain, epsilon), 1e-5)
    const [dx, dGain] = [bench.tensor(rows, columns), bench.tensor(1, columns)]
    bench.ops.rmsNormBackward(tx, tg, inverse, bench.tensor(rows, columns, upstream), dx, dGain)
    expectClose(
      bench.read(dx),
      numericGradient((v) => referenceRmsNorm(v, gain, epsilon), x, upstream),
      1e-4,
    )
    expectClose(
      bench.read(dGain),
      numericGradient((v) => referenceRmsNorm(x, v, epsilon), gain, upstream),
      1e-4,
    )
  })
})

describe('SwiGLU', () => {
  it('agrees with its reference, forward and backward', () => {
    const [gate, up, upstream] = [numbers(16, 3), numbers(16), numbers(16)]
    const bench = new Bench()
    const [tGate, tUp, ty] = [bench.tensor(2, 8, gate), bench.tensor(2, 8, up), bench.tensor(2, 8)]
    bench.ops.swigluForward(tGate, tUp, ty)
    expectClose(bench.read(ty), referenceSwiglu(gate, up), 1e-5)
    bench.ops.swigluBackward(tGate, tUp, bench.tensor(2, 8, upstream))
    expectClose(
      bench.read(tGate),
      numericGradient((v) => referenceSwiglu(v, up), gate, upstream),
      1e-4,
    )
    expectClose(
      bench.read(tUp),
      numericGradient((v) => referenceSwiglu(gate, v), up, upstream),
      1e-4,
    )
  })
})

describe('attention', () => {
  const shape: AttentionCase = { offsets: [0, 1, 6, 9], heads: 2, headLength: 16 }
  const [rows, width] = [9, 32]

  function bound(bench: Bench) {
    return { offsets: bench.integers(shape.offsets), sequences: shape.offsets.length - 1 }
  }

  it('rotates neighbouring pairs by position, and back', () => {
    const x = numbers(rows * width)
    const bench = new Bench()
    const table = bench.tensor(16, 16, [...rotationTable(8, 16)])
    const [tx, packing] = [bench.tensor(rows, width, x), bound(bench)]
    bench.ops.rotate(tx, table, packing, shape, false)
    expectClose(bench.read(tx), referenceRotate(x, shape), 1e-5)
    bench.ops.rotate(tx, table, packing, shape, true)
    expectClose(bench.read(tx), x, 1e-5)
  })

  it.each([true, false])('agrees with its reference, forward and backward, causal: %s', (causal) => {
    const wanted = { ...shape, causal }
    const [q, k, v] = [numbers(rows * width), numbers(rows * width), numbers(rows * width)]
    const upstream = numbers(rows * width)
    const bench = new Bench()
    const matrix = (values?: readonly number[]): Tensor => bench.tensor(rows, width, values)
    const input = { q: matrix(q), k: matrix(k), v: matrix(v) }
    const [out, d] = [matrix(), { q: matrix(), k: matrix(), v: matrix() }]
    const [probabilities, scratch] = [bench.tensor(128, 16).offset, bench.tensor(16, 16).offset]
    const packing = bound(bench)
    bench.ops.attentionForward(input, out, probabilities, packing, shape, causal)
    expectClose(bench.read(out), referenceAttention(q, k, v, wanted), 1e-5)
    bench.ops.attentionBackward(input, probabilities, matrix(upstream), d, scratch, packing, shape, causal)
    const gradient = (f: (x: readonly number[]) => number[], x: readonly number[]): number[] =>
      numericGradient(f, x, upstream)
    expectClose(
      bench.read(d.q),
      gradient((x) => referenceAttention(x, k, v, wanted), q),
      1e-4,
    )
    expectClose(
      bench.read(d.k),
      gradient((x) => referenceAttention(q, x, v, wanted), k),
      1e-4,
    )
    expectClose(
      bench.read(d.v),
      gradient((x) => referenceAttention(q, k, x, wanted), v),
      1e-4,
    )
  })
})

describe('softmax cross-entropy', () => {
  it('leaves the weighted, smoothed gradient and the probability of the target', () => {
    const [columns, smoothing, weights, targets] = [8, 0.1, [0.5, 2], [3, 0]]
    const logits = numbers(2 * columns, 4)
    const softmax = (values: readonly number[], row: number): number[] => {
      const part = values.slice(row * columns, (row + 1) * columns).map(Math.exp)
      const total = part.reduce((sum, value) => sum + value, 0)
      return part.map((value) => value / total)
    }
    const loss = (values: readonly number[]): number[] =>
      targets.map((target, row) => {
        const logs = softmax(values, row).map(Math.log)
        const mean = logs.reduce((sum, value) => sum + value, 0) / columns
        return -(1 - smoothing) * at(logs, target) - smoothing * mean
      })
    const bench = new Bench()
    const [tLogits, probabilities] = [bench.tensor(2, columns, logits), bench.tensor(2, 1)]
    const tWeights = bench.tensor(2, 1, weights)
    bench.ops.softmaxCrossEntropy(tLogits, bench.integers(targets), tWeights, probabilities, smoothing)
    expectClose(bench.read(tLogits), numericGradient(loss, logits, weights), 1e-5)
    expectClose(bench.read(probabilities), [at(softmax(logits, 0), 3), at(softmax(logits, 1), 0)], 1e-5)
  })

  it('stays finite with extreme logits', () => {
    const bench = new Bench()
    const [logits, probability] = [bench.tensor(1, 4, [1e4, -1e4, 0, 0]), bench.tensor(1, 1)]
    bench.ops.softmaxCrossEntropy(logits, bench.integers([0]), bench.tensor(1, 1, [1]), probability, 0)
    expectClose(bench.read(logits), [0, 0, 0, 0], 1e-6)
    expectClose(bench.read(probability), [1], 1e-6)
  })
})

describe('embedding', () => {
  it('gathers rows, and adds gradients up where an index repeats', () => {
    const table = numbers(5 * 4)
    const bench = new Bench()
    const [indices, y, dTable] = [bench.integers([3, 1, 3]), bench.tensor(3, 4), bench.tensor(5, 4)]
    bench.ops.gatherRows(bench.tensor(5, 4, table), indices, y)
    expect(bench.read(y)).toEqual([...table.slice(12, 16), ...table.slice(4, 8), ...table.slice(12, 16)])
    bench.ops.scatterAddRows(dTable, indices, bench.tensor(3, 4, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]))
    expect(bench.read(dTable)).toEqual([0, 0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0])
  })
})

describe('dropout', () => {
  it('drops the given share, scales the rest, and repeats its mask for the gradient', () => {
    const bench = new Bench()
    const ones = new Array<number>(40_000).fill(1)
    const [x, dx] = [bench.tensor(100, 400, ones), bench.tensor(100, 400, ones)]
    bench.ops.dropout(x, 42, 0.25)
    bench.ops.dropout(dx, 42, 0.25)
    const values = bench.read(x)
    expect(bench.read(dx)).toEqual(values)
    expect(new Set(values)).toEqual(new Set([0, Math.fround(4 / 3)]))
    expect(values.filter((value) => value === 0).length / values.length).toBeCloseTo(0.25, 2)
  })
})

describe('gain-free norms of a residual', () => {
  const [rows, columns, epsilon] = [6, 8, 1e-5]
  const ones = new Array<number>(columns).fill(1)
  const [x, branch, upstream] = [numbers(rows * columns), numbers(rows * columns), numbers(rows * columns)]
  const sum = x.map((value, i) => value + at(branch, i))

  it('norms each row, forward and backward', () => {
    const bench = new Bench()
    const matrix = (values?: readonly number[]): Tensor => bench.tensor(rows, columns, values)
    const [y, inverse, dx] = [matrix(), bench.tensor(rows, 1), matrix()]
    bench.ops.residualNormForward(matrix(x), matrix(branch), y, inverse, epsilon)
    expectClose(bench.read(y), referenceRmsNorm(sum, ones, epsilon), 1e-5)
    bench.ops.residualNormBackward(y, inverse, matrix(upstream), dx)
    const expected = numericGradient((v) => referenceRmsNorm(v, ones, epsilon), sum, upstream)
    expectClose(bench.read(dx), expected, 1e-4)
  })

  it('has the published value', () => {
    const bench = new Bench()
    const [y, inverse] = [bench.tensor(1, 4), bench.tensor(1, 1)]
    // The mean of squares of (3, 4, 3, 4) is that of (3, 4).
    bench.ops.residualNormForward(bench.tensor(1, 4, [3, 4, 3, 4]), bench.tensor(1, 4), y, inverse, 1e-5)
    expectClose(bench.read(y), [0.8485, 1.1314, 0.8485, 1.1314], 5e-5)
  })

  it('norms over the tokens of each sample, forward and backward', () => {
    const [samples, tokens] = [2, 3]
    const reference = (values: readonly number[]): number[] =>
      values.map((value, i) => {
        const sample = Math.floor(i / (tokens * columns))
        let squares = 0
        for (let t = 0; t < tokens; t++)
          squares += at(values, (sample * tokens + t) * columns + (i % columns)) ** 2
        return value / Math.sqrt(squares / tokens + epsilon)
      })
    const bench = new Bench()
    const matrix = (values?: readonly number[]): Tensor => bench.tensor(rows, columns, values)
    const [y, inverse, dx] = [matrix(), bench.tensor(samples, columns), matrix()]
    bench.ops.tokenNormForward(matrix(x), matrix(branch), y, inverse, samples, epsilon)
    expectClose(bench.read(y), reference(sum), 1e-5)
    bench.ops.tokenNormBackward(y, inverse, matrix(upstream), dx, samples)
    expectClose(bench.read(dx), numericGradient(reference, sum, upstream), 1e-4)
  })
})

describe('packed gate', () => {
  it('agrees with SwiGLU of its halves, forward and backward', () => {
    const [rows, columns] = [3, 8]
    const [x, upstream] = [numbers(rows * 2 * columns, 4), numbers(rows * columns)]
    const half = (values: readonly number[], which: 0 | 1): number[] =>
      values.filter((_, i) => Math.floor(i / columns) % 2 === which)
    const reference = (values: readonly number[]): number[] =>
      referenceSwiglu(half(values, 0), half(values, 1))
    const bench = new Bench()
    const [tx, y] = [bench.tensor(rows, 2 * columns, x), bench.tensor(rows, columns)]
    bench.ops.gatedForward(tx, y)
    expectClose(bench.read(y), reference(x), 2e-6)
    bench.ops.gatedBackward(tx, bench.tensor(rows, columns, upstream))
    expectClose(bench.read(tx), numericGradient(reference, x, upstream), 1e-4)
  })

  it('has a sigmoid that is right to 3e-7 everywhere, and exact at 0', () => {
    const bench = new Bench()
    const x = Array.from({ length: 4000 }, (_, i) => Math.fround((i - 2000) / 20))
    const y = bench.tensor(1, x.length)
    bench.ops.sigmoid(bench.tensor(1, x.length, x), y)
    for (const [i, value] of bench.read(y).entries()) {
      expect(Math.abs(value - 1 / (1 + Math.exp(-at(x, i))))).toBeLessThan(3e-7)
    }
    expect(bench.read(y)[2000]).toBe(0.5)
  })
})

describe('linear layer across tokens', () => {
  it('agrees with its reference, forward and backward', () => {
    const [samples, tokens, outer, columns] = [2, 5, 6, 4]
    const [x, w] = [numbers(samples * tokens * columns), numbers(outer * tokens)]
    const upstream = numbers(samples * outer * columns)
    const reference = (x: readonly number[], w: readonly number[]): number[] =>
      Array.from({ length: samples * outer * columns }, (_, i) => {
        const [sample, row, column] = [
          Math.floor(i / (outer * columns)),
          Math.floor(i / columns) % outer,
          i % columns,
        ]
        let sum = 0
        for (let t = 0; t < tokens; t++)
          sum += at(w, row * tokens + t) * at(x, (sample * tokens + t) * columns + column)
        return sum
      })
    const bench = new Bench()
    const [tx, tw] = [bench.tensor(samples * tokens, columns, x), bench.tensor(outer, tokens, w)]
    const [y, dx, dw] = [
      bench.tensor(samples * outer, columns),
      bench.tensor(samples * tokens, columns),
      bench.tensor(outer, tokens),
    ]
    bench.ops.tokenLinearForward(tx, tw, y, samples)
    expectClose(bench.read(y), reference(x, w), 1e-5)
    const dy = bench.tensor(samples * outer, columns, upstream)
    bench.ops.tokenLinearBackward(tx, tw, dy, dx, dw, samples, false)
    expectClose(
      bench.read(dx),
      numericGradient((v) => reference(v, w), x, upstream),
      1e-4,
    )
    expectClose(
      bench.read(dw),
      numericGradient((v) => reference(x, v), w, upstream),
      1e-4,
    )
  })
})

describe('groups', () => {
  it('sums each group, and spreads as its transpose does', () => {
    const [samples, columns, index] = [2, 4, [0, 2, 1, 0, 2]]
    const [tokens, groups, scale] = [index.length, 3, 0.5]
    const x = numbers(samples * tokens * columns)
    const reference = (values: readonly number[]): number[] => {
      const y = new Array<number>(samples * groups * columns).fill(0)
      for (const [i, value] of values.entries()) {
        const [sample, token] = [Math.floor(i / (tokens * columns)), Math.floor(i / columns) % tokens]
        const target = (sample * groups + at(index, token)) * columns + (i % columns)
        y[target] = at(y, target) + scale * value
      }
      return y
    }
    const bench = new Bench()
    const partition = { index: bench.integers(index), tokens, groups }
    const y = bench.tensor(samples * groups, columns, numbers(samples * groups * columns))
    bench.ops.groupSum(bench.tensor(samples * tokens, columns, x), y, partition, scale)
    expectClose(bench.read(y), reference(x), 1e-6)
    const [upstream, before] = [numbers(samples * groups * columns), numbers(samples * tokens * columns)]
    const dx = bench.tensor(samples * tokens, columns, before)
    bench.ops.groupSpread(bench.tensor(samples * groups, columns, upstream), dx, partition, scale)
    const gradient = numericGradient(reference, x, upstream)
    expectClose(
      bench.read(dx),
      gradient.map((value, i) => value + at(before, i)),
      1e-5,
    )
  })
})

describe('depthwise convolution', () => {
  it('agrees with its reference, forward and backward, also where the grid is one row', () => {
    for (const [height, width] of [
      [3, 4],
      [1, 5],
      [2, 1],
    ] as const) {
      const [samples, columns] = [2, 4]
      const [x, w] = [numbers(samples * height * width * columns), numbers(9 * columns)]
      const upstream = numbers(x.length)
      const reference = (x: readonly number[], w: readonly number[]): number[] =>
        x.map((_, i) => {
          const [c, cell] = [i % columns, Math.floor(i / columns) % (height * width)]
          const sample = Math.floor(i / (columns * height * width))
          const [row, column] = [Math.floor(cell / width), cell % width]
          let sum = 0
          for (let tap = 0; tap < 9; tap++) {
            const [r, k] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1]
            if (r < 0 || r >= height || k < 0 || k >= width) continue
            sum += at(w, tap * columns + c) * at(x, ((sample * height + r) * width + k) * columns + c)
          }
          return sum
        })
      const bench = new Bench()
      const matrix = (values?: readonly number[]): Tensor => bench.tensor(x.length / columns, columns, values)
      const [tx, tw, y, dx, dw] = [
        matrix(x),
        bench.tensor(9, columns, w),
        matrix(),
        matrix(),
        bench.tensor(9, columns),
      ]
      const grid = { samples, height, width }
      bench.ops.depthwiseForward(tx, tw, y, grid)
      expectClose(bench.read(y), reference(x, w), 1e-5)
      bench.ops.depthwiseBackward(tx, tw, matrix(upstream), dx, dw, grid)
      expectClose(
        bench.read(dx),
        numericGradient((v) => reference(v, w), x, upstream),
        1e-4,
      )
      expectClose(
        bench.read(dw),
        numericGradient((v) => reference(x, v), w, upstream),
        1e-4,
      )
    }
  })
})

describe('scaled embedding', () => {
  it('gathers scaled rows, and adds scaled gradients up', () => {
    const bench = new Bench()
    const [indices, scales] = [bench.integers([1, 0, 1]), bench.tensor(3, 1, [2, 3, -1]).offset]
    const y = bench.tensor(3, 4)
    bench.ops.gatherScaledRows(bench.tensor(2, 4, [1, 2, 3, 4, 5, 6, 7, 8]), indices, scales, y)
    expect(bench.read(y)).toEqual([10, 12, 14, 16, 3, 6, 9, 12, -5, -6, -7, -8])
    const dTable = bench.tensor(2, 4, [1, 1, 1, 1, 0, 0, 0, 0])
    bench.ops.scatterAddScaledRows(
      dTable,
      indices,
      scales,
      bench.tensor(3, 4, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]),
    )
    expect(bench.read(dTable)).toEqual([7, 7, 7, 7, -1, -1, -1, -1])
  })
})

describe('class cross-entropy', () => {
  const [classes, columns, targets, weights] = [5, 8, [3, 0], [0.5, 2]]
  const logits = numbers(2 * columns, 3)
  const scores = {
    stableMax: (v: number): number => (v >= 0 ? v + 1 : 1 / (1 - v)),
    softMax: Math.exp,
  }
  const probability = (values: readonly number[], row: number, score: (v: number) => number): number => {
    const part = values.slice(row * columns, row * columns + classes).map(score)
    return at(part, at(targets, row)) / part.reduce((sum, value) => sum + value, 0)
  }

  it('leaves the gradient of stable-max and of softmax, zero beyond the classes', () => {
    for (const [name, score] of Object.entries(scores)) {
      const bench = new Bench()
      const [tLogits, probabilities] = [bench.tensor(2, columns, logits), bench.tensor(2, 1)]
      const wanted = {
        classes,
        targets: bench.integers(targets),
        weights: bench.tensor(2, 1, weights),
        probabilities,
      }
      if (name === 'stableMax') bench.ops.stableMaxCrossEntropy(tLogits, wanted)
      else bench.ops.classCrossEntropy(tLogits, wanted)
      const loss = (values: readonly number[]): number[] =>
        targets.map((_, row) => -Math.log(probability(values, row, score)))
      expectClose(bench.read(tLogits), numericGradient(loss, logits, weights), 1e-5)
      expectClose(
        bench.read(probabilities),
        targets.map((_, row) => probability(logits, row, score)),
        1e-5,
      )
    }
  })

  it('gives the published stable-max probabilities', () => {
    const expected = [0.25, 0.0625, 0.125, 0.5625]
    const bench = new Bench()
    const probabilities = bench.tensor(4, 1)
    const rows = [0, 1, 2, 3].flatMap(() => [1, -1, 0, 3.5])
    const wanted = {
      classes: 4,
      targets: bench.integers([0, 1, 2, 3]),
      weights: bench.tensor(4, 1),
      probabilities,
    }
    bench.ops.stableMaxCrossEntropy(bench.tensor(4, 4, rows), wanted)
    expect(bench.read(probabilities)).toEqual(expected)
    const losses = bench.read(probabilities).map((p) => -Math.log(p))
    expectClose(losses, [1.386294, 2.772589, 2.079442, 0.575364], 1e-6)
  })

  it('answers the first of the largest among the classes', () => {
    const bench = new Bench()
    const result = bench.tensor(3, 1)
    const x = bench.tensor(3, 4, [1, 5, 5, 9, -3, -2, -4, 9, 0, 0, 0, 9])
    bench.ops.argMaxRows(x, result.offset, 3)
    const bits = new Int32Array(Float32Array.from(bench.read(result)).buffer)
    expect([...bits]).toEqual([1, 1, 0])
  })
})

describe('optimiser', () => {
  it('takes the AdamW step of its reference', () => {
    const step = {
      learningRate: 0.01,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0.1,
      beta1Power: 0.81,
      beta2Power: 0.9025,
      gradientScale: 0.5,
    }
    const [weight, gradient, first] = [numbers(8), numbers(8), numbers(8)]
    const second = numbers(8).map(Math.abs)
    const bench = new Bench()
    const [tWeight, tFirst, tSecond] = [weight, first, second].map((values) =>
      bench.tensor(1, 8, values),
    ) as [Tensor, Tensor, Tensor]
    bench.ops.adamW(tWeight, bench.tensor(1, 8, gradient), tFirst, tSecond, step)
    const expected = weight.map((w, i) => {
      const g = at(gradient, i) * 0.5
      const m = 0.9 * at(first, i) + 0.1 * g
      const v = 0.95 * at(second, i) + 0.05 * g * g
      return w * (1 - 0.001) - (0.01 * (m / 0.19)) / (Math.sqrt(v / 0.0975) + 1e-8)
    })
    expectClose(bench.read(tWeight), expected, 1e-5)
  })

  it('sums squares in double precision', () => {
    const bench = new Bench()
    const x = numbers(64, 1000)
    expect(bench.ops.sumOfSquares(bench.tensor(4, 16, x))).toBeCloseTo(
      x.reduce((sum, v) => sum + v * v, 0),
      3,
    )
  })

  it('moves an average towards the weights', () => {
    const bench = new Bench()
    const average = bench.tensor(1, 4, [0, 2, 4, 8])
    bench.ops.movingAverage(average, bench.tensor(1, 4, [4, 4, 4, 4]), 0.25)
    expect(bench.read(average)).toEqual([1, 2.5, 4, 7])
  })
})

describe('reproducibility', () => {
  it('computes sine and cosine without the engine', () => {
    for (const x of [0, 1e-3, 0.5, 1, 3, -7, 100, 511]) {
      const { sine, cosine } = exactSineCosine(x)
      expect(sine).toBeCloseTo(Math.sin(x), 12)
      expect(cosine).toBeCloseTo(Math.cos(x), 12)
    }
  })

  it('gives these bits on every machine', () => {
    const draw = seededRandom(7)
    const values = (count: number): number[] => Array.from({ length: count }, () => 4 * seededNormal(draw))
    const bench = new Bench()
    const [x, w, y] = [
      bench.tensor(33, 300, values(9900)),
      bench.tensor(20, 300, values(6000)),
      bench.tensor(33, 20),
    ]
    bench.ops.linearForward(x, w, y)
    const hidden = bench.tensor(33, 20)
    bench.ops.swigluForward(y, y, hidden)
    const probabilities = bench.tensor(33, 1)
    const targets = bench.integers(new Array<number>(33).fill(3))
    bench.ops.softmaxCrossEntropy(y, targets, bench.tensor(33, 1, values(33)), probabilities, 0.1)
    const bits = Float32Array.from([...bench.read(y), ...bench.read(hidden), ...rotationTable(64, 32)])
    const digest = createHash('sha256').update(new Uint8Array(bits.buffer)).digest('hex')
    expect(digest).toBe('46a99ba07657df7ea5b6a2f37be7332e8306586e84eea7762e80b9e24299e739')
  })
})
