// Layers of the recursive network: gain-free norms, packed SwiGLU, group sums, depthwise convolution and the losses.
// Matrices are row-major f32; `columns` and `count` are multiples of 4. A sample holds `tokens` consecutive rows.

import { exp4, maxLanes, sumLanes } from './math'

/** y = a + b, elementwise. */
export function sumOfTwo(a: usize, b: usize, y: usize, count: usize): void {
  for (let j: usize = 0; j < count * 4; j += 16) {
    v128.store(y + j, f32x4.add(v128.load(a + j), v128.load(b + j)))
  }
}

/** y = a + b + c, elementwise. */
export function sumOfThree(a: usize, b: usize, c: usize, y: usize, count: usize): void {
  for (let j: usize = 0; j < count * 4; j += 16) {
    v128.store(y + j, f32x4.add(f32x4.add(v128.load(a + j), v128.load(b + j)), v128.load(c + j)))
  }
}

/** y = (x + branch) / rms(x + branch) for each row; keeps 1/rms [rows]. `y` may be `branch`. */
export function residualNormForward(
  x: usize,
  branch: usize,
  y: usize,
  inverseRms: usize,
  rows: usize,
  columns: usize,
  epsilon: f32,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    let squares = f32x4.splat(0)
    for (let j: usize = 0; j < bytes; j += 16) {
      const value = f32x4.add(v128.load(x + j), v128.load(branch + j))
      v128.store(y + j, value)
      squares = f32x4.add(squares, f32x4.mul(value, value))
    }
    const inverse: f32 = 1 / sqrt<f32>(sumLanes(squares) / <f32>columns + epsilon)
    store<f32>(inverseRms + row * 4, inverse)
    const scale = f32x4.splat(inverse)
    for (let j: usize = 0; j < bytes; j += 16) v128.store(y + j, f32x4.mul(v128.load(y + j), scale))
    x += bytes
    branch += bytes
    y += bytes
  }
}

/** Gradient of {@link residualNormForward} from its result: dx = (dy - y·mean(dy·y)) / rms; `dx` may be `dy`. */
export function residualNormBackward(
  y: usize,
  inverseRms: usize,
  dy: usize,
  dx: usize,
  rows: usize,
  columns: usize,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    let dot = f32x4.splat(0)
    for (let j: usize = 0; j < bytes; j += 16) {
      dot = f32x4.add(dot, f32x4.mul(v128.load(dy + j), v128.load(y + j)))
    }
    const mean = f32x4.splat(sumLanes(dot) / <f32>columns)
    const scale = f32x4.splat(load<f32>(inverseRms + row * 4))
    for (let j: usize = 0; j < bytes; j += 16) {
      const centred = f32x4.sub(v128.load(dy + j), f32x4.mul(v128.load(y + j), mean))
      v128.store(dx + j, f32x4.mul(centred, scale))
    }
    y += bytes
    dy += bytes
    dx += bytes
  }
}

/** As {@link residualNormForward}, over the tokens of a sample instead of the columns; keeps 1/rms [samples,columns]. */
export function tokenNormForward(
  x: usize,
  branch: usize,
  y: usize,
  inverseRms: usize,
  samples: usize,
  tokens: usize,
  columns: usize,
  epsilon: f32,
): void {
  const bytes = columns * 4
  const sampleBytes = tokens * bytes
  const shift = f32x4.splat(epsilon)
  const share = f32x4.splat(1 / <f32>tokens)
  for (let sample: usize = 0; sample < samples; sample++) {
    for (let c: usize = 0; c < bytes; c += 16) {
      let squares = f32x4.splat(0)
      for (let j = c; j < sampleBytes; j += bytes) {
        const value = f32x4.add(v128.load(x + j), v128.load(branch + j))
        v128.store(y + j, value)
        squares = f32x4.add(squares, f32x4.mul(value, value))
      }
      const root = f32x4.sqrt(f32x4.add(f32x4.mul(squares, share), shift))
      const scale = f32x4.div(f32x4.splat(1), root)
      v128.store(inverseRms + c, scale)
      for (let j = c; j < sampleBytes; j += bytes) v128.store(y + j, f32x4.mul(v128.load(y + j), scale))
    }
    x += sampleBytes
    branch += sampleBytes
    y += sampleBytes
    inverseRms += bytes
  }
}

/** Gradient of {@link tokenNormForward} from its result; `dx` may be `dy`. */
export function tokenNormBackward(
  y: usize,
  inverseRms: usize,
  dy: usize,
  dx: usize,
  samples: usize,
  tokens: usize,
  columns: usize,
): void {
  const bytes = columns * 4
  const sampleBytes = tokens * bytes
  const share = f32x4.splat(1 / <f32>tokens)
  for (let sample: usize = 0; sample < samples; sample++) {
    for (let c: usize = 0; c < bytes; c += 16) {
      let dot = f32x4.splat(0)
      for (let j = c; j < sampleBytes; j += bytes) {
        dot = f32x4.add(dot, f32x4.mul(v128.load(dy + j), v128.load(y + j)))
      }
      const mean = f32x4.mul(dot, share)
      const scale = v128.load(inverseRms + c)
      for (let j = c; j < sampleBytes; j += bytes) {
        const centred = f32x4.sub(v128.load(dy + j), f32x4.mul(v128.load(y + j), mean))
        v128.store(dx + j, f32x4.mul(centred, scale))
      }
    }
    y += sampleBytes
    dy += sampleBytes
    dx += sampleBytes
    inverseRms += bytes
  }
}

/**
 * 1 / (1 + e^-x), absolute error below 3e-7; |x| is cut off at 80. e^-x = 2^t with t = n + f, |f| <= 1/2: adding 1.5·2^23
 * rounds t to n and leaves n in the low bits, from where it goes into the exponent; 2^f is a minimax polynomial.
 */
function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1)
  const limited = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-80)), f32x4.splat(80))
  const t = f32x4.mul(limited, f32x4.splat(-Mathf.LOG2E))
  const shifter = f32x4.splat(12582912)
  const shifted = f32x4.add(t, shifter)
  const f = f32x4.sub(t, f32x4.sub(shifted, shifter))
  let p = f32x4.splat(1.3276472e-3)
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(9.675541e-3))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(5.550713e-2))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(2.402212e-1))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(6.9314694e-1))
  p = f32x4.add(f32x4.mul(p, f), one)
  const power = i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000))
  return f32x4.div(one, f32x4.add(one, f32x4.mul(p, power)))
}

/** y = 1 / (1 + e^-x), elementwise. */
export function sigmoid(x: usize, y: usize, count: usize): void {
  for (let j: usize = 0; j < count * 4; j += 16) v128.store(y + j, sigmoid4(v128.load(x + j)))
}

/** y[r] = silu(x[r, 0..columns)) · x[r, columns..2·columns) for each row of x [rows, 2·columns]. */
export function gatedForward(x: usize, y: usize, rows: usize, columns: usize): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    for (let j: usize = 0; j < bytes; j += 16) {
      const gate = v128.load(x + j)
      v128.store(y + j, f32x4.mul(f32x4.mul(gate, sigmoid4(gate)), v128.load(x + bytes + j)))
    }
    x += 2 * bytes
    y += bytes
  }
}

/** Overwrites `x` of {@link gatedForward} with its gradient. */
export function gatedBackward(x: usize, dy: usize, rows: usize, columns: usize): void {
  const bytes = columns * 4
  const one = f32x4.splat(1)
  for (let row: usize = 0; row < rows; row++) {
    for (let j: usize = 0; j < bytes; j += 16) {
      const gate = v128.load(x + j)
      const up = v128.load(x + bytes + j)
      const upstream = v128.load(dy + j)
      const s = sigmoid4(gate)
      const slope = f32x4.mul(s, f32x4.add(one, f32x4.mul(gate, f32x4.sub(one, s))))
      v128.store(x + j, f32x4.mul(f32x4.mul(upstream, up), slope))
      v128.store(x + bytes + j, f32x4.mul(upstream, f32x4.mul(gate, s)))
    }
    x += 2 * bytes
    dy += bytes
  }
}

/** y += scale·x for `bytes` of a row, four vectors at a time and inline, which the compilers do not do by themselves. */
@inline
function addScaled(y: usize, x: usize, scale: v128, bytes: usize): void {
  const end = y + bytes
  const unrolledEnd = y + (bytes & ~63)
  while (y < unrolledEnd) {
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(v128.load(x), scale)))
    v128.store(y, f32x4.add(v128.load(y, 16), f32x4.mul(v128.load(x, 16), scale)), 16)
    v128.store(y, f32x4.add(v128.load(y, 32), f32x4.mul(v128.load(x, 32), scale)), 32)
    v128.store(y, f32x4.add(v128.load(y, 48), f32x4.mul(v128.load(x, 48), scale)), 48)
    y += 64
    x += 64
  }
  while (y < end) {
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(v128.load(x), scale)))
    y += 16
    x += 16
  }
}

/** y[s, group[t]] += scale·x[s, t] after clearing y [samples, groups, columns]; `group` is i32 [tokens]. */
export function groupSum(
  x: usize,
  group: usize,
  y: usize,
  samples: usize,
  tokens: usize,
  groups: usize,
  columns: usize,
  scale: f32,
): void {
  const bytes = columns * 4
  const scale4 = f32x4.splat(scale)
  memory.fill(y, 0, samples * groups * bytes)
  for (let sample: usize = 0; sample < samples; sample++) {
    for (let token: usize = 0; token < tokens; token++) {
      addScaled(y + <usize>load<i32>(group + token * 4) * bytes, x, scale4, bytes)
      x += bytes
    }
    y += groups * bytes
  }
}

/** y[s, t] += scale·x[s, group[t]]: the transpose of {@link groupSum}. */
export function groupSpread(
  x: usize,
  group: usize,
  y: usize,
  samples: usize,
  tokens: usize,
  groups: usize,
  columns: usize,
  scale: f32,
): void {
  const bytes = columns * 4
  const scale4 = f32x4.splat(scale)
  for (let sample: usize = 0; sample < samples; sample++) {
    for (let token: usize = 0; token < tokens; token++) {
      addScaled(y, x + <usize>load<i32>(group + token * 4) * bytes, scale4, bytes)
      y += bytes
    }
    x += groups * bytes
  }
}

/** One result of a depthwise convolution whose neighbourhood reaches over the edge. */
function edgeSum(
  x: usize,
  w: usize,
  start: v128,
  row: isize,
  column: isize,
  height: isize,
  width: isize,
  bytes: usize,
  reversed: bool,
): v128 {
  let sum = start
  for (let dr: isize = -1; dr <= 1; dr++) {
    if (row + dr < 0 || row + dr >= height) continue
    for (let dc: isize = -1; dc <= 1; dc++) {
      if (column + dc < 0 || column + dc >= width) continue
      const tap = <usize>(reversed ? 4 - dr * 3 - dc : 4 + dr * 3 + dc)
      const source = x + <usize>((row + dr) * width + column + dc) * bytes
      sum = f32x4.add(sum, f32x4.mul(v128.load(source), v128.load(w + tap * bytes)))
    }
  }
  return sum
}

/**
 * Depthwise 3×3 convolution with zero padding over samples of height·width tokens: y (+)= Σ w[tap]·x[neighbour].
 * `w` is [9, columns], taps row by row. `reversed` swaps opposite taps, which gives the gradient of the input.
 */
export function depthwiseConvolution(
  x: usize,
  w: usize,
  y: usize,
  samples: usize,
  height: isize,
  width: isize,
  columns: usize,
  reversed: bool,
  accumulate: bool,
): void {
  const bytes = columns * 4
  const line = <usize>width * bytes
  const first = w + (reversed ? 8 * bytes : 0)
  const step: isize = reversed ? -<isize>bytes : <isize>bytes
  for (let sample: usize = 0; sample < samples; sample++) {
    for (let j: usize = 0; j < bytes; j += 16) {
      const w0 = v128.load(first + j)
      const w1 = v128.load(first + j + step)
      const w2 = v128.load(first + j + 2 * step)
      const w3 = v128.load(first + j + 3 * step)
      const w4 = v128.load(first + j + 4 * step)
      const w5 = v128.load(first + j + 5 * step)
      const w6 = v128.load(first + j + 6 * step)
      const w7 = v128.load(first + j + 7 * step)
      const w8 = v128.load(first + j + 8 * step)
      for (let row: isize = 0; row < height; row++) {
        const inside = row > 0 && row < height - 1
        for (let column: isize = 0; column < width; column++) {
          const at = <usize>(row * width + column) * bytes + j
          let sum = accumulate ? v128.load(y + at) : f32x4.splat(0)
          if (inside && column > 0 && column < width - 1) {
            const above = x + at - line - bytes
            const beside = x + at - bytes
            const below = x + at + line - bytes
            sum = f32x4.add(sum, f32x4.mul(v128.load(above), w0))
            sum = f32x4.add(sum, f32x4.mul(v128.load(above + bytes), w1))
            sum = f32x4.add(sum, f32x4.mul(v128.load(above + 2 * bytes), w2))
            sum = f32x4.add(sum, f32x4.mul(v128.load(beside), w3))
            sum = f32x4.add(sum, f32x4.mul(v128.load(beside + bytes), w4))
            sum = f32x4.add(sum, f32x4.mul(v128.load(beside + 2 * bytes), w5))
            sum = f32x4.add(sum, f32x4.mul(v128.load(below), w6))
            sum = f32x4.add(sum, f32x4.mul(v128.load(below + bytes), w7))
            sum = f32x4.add(sum, f32x4.mul(v128.load(below + 2 * bytes), w8))
          } else sum = edgeSum(x + j, w + j, sum, row, column, height, width, bytes, reversed)
          v128.store(y + at, sum)
        }
      }
    }
    x += <usize>height * line
    y += <usize>height * line
  }
}

/** Adds the gradient of the weights of {@link depthwiseConvolution} to `dw` [9, columns]. */
export function depthwiseWeightGradient(
  x: usize,
  dy: usize,
  dw: usize,
  samples: usize,
  height: isize,
  width: isize,
  columns: usize,
): void {
  const bytes = columns * 4
  for (let sample: usize = 0; sample < samples; sample++) {
    for (let dr: isize = -1; dr <= 1; dr++) {
      for (let dc: isize = -1; dc <= 1; dc++) {
        const target = dw + <usize>(4 + dr * 3 + dc) * bytes
        const firstRow = max<isize>(0, -dr)
        const endRow = min<isize>(height, height - dr)
        const firstColumn = max<isize>(0, -dc)
        const endColumn = min<isize>(width, width - dc)
        for (let j: usize = 0; j < bytes; j += 16) {
          let sum = v128.load(target + j)
          for (let row = firstRow; row < endRow; row++) {
            let here = dy + <usize>(row * width + firstColumn) * bytes + j
            let there = x + <usize>((row + dr) * width + firstColumn + dc) * bytes + j
            for (let column = firstColumn; column < endColumn; column++) {
              sum = f32x4.add(sum, f32x4.mul(v128.load(there), v128.load(here)))
              here += bytes
              there += bytes
            }
          }
          v128.store(target + j, sum)
        }
      }
    }
    x += <usize>(height * width) * bytes
    dy += <usize>(height * width) * bytes
  }
}

/** y[row] = scales[row] · table[indices[row]]. */
export function gatherScaledRows(
  table: usize,
  indices: usize,
  scales: usize,
  y: usize,
  rows: usize,
  columns: usize,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    const source = table + <usize>load<i32>(indices + row * 4) * bytes
    const scale = v128.load_splat<f32>(scales + row * 4)
    for (let j: usize = 0; j < bytes; j += 16) v128.store(y + j, f32x4.mul(v128.load(source + j), scale))
    y += bytes
  }
}

/** table[indices[row]] += scales[row] · x[row], in row order: the gradient of {@link gatherScaledRows}. */
export function scatterAddScaledRows(
  table: usize,
  indices: usize,
  scales: usize,
  x: usize,
  rows: usize,
  columns: usize,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    const target = table + <usize>load<i32>(indices + row * 4) * bytes
    const scale = v128.load_splat<f32>(scales + row * 4)
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(target + j, f32x4.add(v128.load(target + j), f32x4.mul(v128.load(x + j), scale)))
    }
    x += bytes
  }
}

/** result[row] (i32) = index of the largest of the first `classes` elements; the first of equals. */
export function argMaxRows(x: usize, result: usize, rows: usize, columns: usize, classes: usize): void {
  for (let row: usize = 0; row < rows; row++) {
    let best: usize = 0
    for (let i: usize = 1; i < classes; i++) {
      if (load<f32>(x + i * 4) > load<f32>(x + best * 4)) best = i
    }
    store<i32>(result + row * 4, <i32>best)
    x += columns * 4
  }
}

/** s(v) = v + 1 for v >= 0, else 1 / (1 - v). */
function stableScore4(value: v128): v128 {
  const one = f32x4.splat(1)
  const distance = f32x4.add(one, f32x4.abs(value))
  const inverse = f32x4.div(one, distance)
  return v128.bitselect(distance, inverse, f32x4.ge(value, f32x4.splat(0)))
}

/**
 * Cross-entropy of stable-max (Prieto et al. 2025) over the first `classes` of `columns` logits, weighted by row. The
 * logits become their gradient, zero beyond `classes`; `targetProbabilities` gets p at the target.
 */
export function stableMaxCrossEntropy(
  logits: usize,
  targets: usize,
  weights: usize,
  targetProbabilities: usize,
  rows: usize,
  columns: usize,
  classes: usize,
): void {
  const bytes = columns * 4
  const one = f32x4.splat(1)
  for (let row: usize = 0; row < rows; row++) {
    // Beyond the classes, what has a score and a slope of zero.
    for (let i = classes; i < columns; i++) store<f32>(logits + i * 4, -Infinity)
    let scores = f32x4.splat(0)
    for (let j: usize = 0; j < bytes; j += 16) {
      scores = f32x4.add(scores, stableScore4(v128.load(logits + j)))
    }
    const inverseTotal: f32 = 1 / sumLanes(scores)
    const target = logits + <usize>load<i32>(targets + row * 4) * 4
    const score: f32 = f32x4.extract_lane(stableScore4(v128.load_splat<f32>(target)), 0)
    store<f32>(targetProbabilities + row * 4, score * inverseTotal)
    const weight = load<f32>(weights + row * 4)
    const factor = f32x4.splat(weight * inverseTotal)
    const slopeRoot: f32 = score < 1 ? score : 1
    const targetGradient: f32 = weight * slopeRoot * slopeRoot * (inverseTotal - 1 / score)
    for (let j: usize = 0; j < bytes; j += 16) {
      // The slope is 1 from zero on, and the squared score below, where the score is below 1.
      const capped = f32x4.pmin(stableScore4(v128.load(logits + j)), one)
      v128.store(logits + j, f32x4.mul(factor, f32x4.mul(capped, capped)))
    }
    store<f32>(target, targetGradient)
    logits += bytes
  }
}

/** As {@link stableMaxCrossEntropy} with softmax. */
export function softMaxClassCrossEntropy(
  logits: usize,
  targets: usize,
  weights: usize,
  targetProbabilities: usize,
  rows: usize,
  columns: usize,
  classes: usize,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    // Beyond the classes, what is never the largest.
    for (let i = classes; i < columns; i++) store<f32>(logits + i * 4, -Infinity)
    let largest4 = v128.load(logits)
    for (let j: usize = 16; j < bytes; j += 16) largest4 = f32x4.pmax(largest4, v128.load(logits + j))
    const shift = f32x4.splat(maxLanes(largest4))
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(logits + j, exp4(f32x4.sub(v128.load(logits + j), shift)))
    }
    for (let i = classes; i < columns; i++) store<f32>(logits + i * 4, 0)
    let total = f32x4.splat(0)
    for (let j: usize = 0; j < bytes; j += 16) total = f32x4.add(total, v128.load(logits + j))
    const sum = sumLanes(total)
    const target = logits + <usize>load<i32>(targets + row * 4) * 4
    store<f32>(targetProbabilities + row * 4, load<f32>(target) / sum)
    const weight = load<f32>(weights + row * 4)
    const factor = f32x4.splat(weight / sum)
    for (let j: usize = 0; j < bytes; j += 16) v128.store(logits + j, f32x4.mul(v128.load(logits + j), factor))
    store<f32>(target, load<f32>(target) - weight)
    logits += bytes
  }
}
