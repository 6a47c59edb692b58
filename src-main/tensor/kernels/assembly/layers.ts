// Row-wise layers, forward and backward. `columns` and `count` are multiples of 4; matrices are row-major f32.

import { exp4, maxLanes, sumLanes } from './math'

/** y = x · inverseRms(x) · gain for each row; the inverse root mean squares are kept for the backward pass. */
export function rmsNormForward(
  x: usize,
  gain: usize,
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
      const value = v128.load(x + j)
      squares = f32x4.add(squares, f32x4.mul(value, value))
    }
    const inverse: f32 = 1 / sqrt<f32>(sumLanes(squares) / <f32>columns + epsilon)
    store<f32>(inverseRms + row * 4, inverse)
    const scale = f32x4.splat(inverse)
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(y + j, f32x4.mul(f32x4.mul(v128.load(x + j), scale), v128.load(gain + j)))
    }
    x += bytes
    y += bytes
  }
}

/** Adds the gradients of {@link rmsNormForward} to `dx` [rows,columns] and `dGain` [columns]. */
export function rmsNormBackward(
  x: usize,
  gain: usize,
  inverseRms: usize,
  dy: usize,
  dx: usize,
  dGain: usize,
  rows: usize,
  columns: usize,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    const inverse = load<f32>(inverseRms + row * 4)
    const scale = f32x4.splat(inverse)
    let dot = f32x4.splat(0)
    for (let j: usize = 0; j < bytes; j += 16) {
      const upstream = v128.load(dy + j)
      const normed = f32x4.mul(v128.load(x + j), scale)
      v128.store(dGain + j, f32x4.add(v128.load(dGain + j), f32x4.mul(upstream, normed)))
      dot = f32x4.add(dot, f32x4.mul(f32x4.mul(upstream, v128.load(gain + j)), normed))
    }
    const mean = f32x4.splat(sumLanes(dot) / <f32>columns)
    for (let j: usize = 0; j < bytes; j += 16) {
      const normed = f32x4.mul(v128.load(x + j), scale)
      const direct = f32x4.mul(v128.load(dy + j), v128.load(gain + j))
      const gradient = f32x4.mul(scale, f32x4.sub(direct, f32x4.mul(normed, mean)))
      v128.store(dx + j, f32x4.add(v128.load(dx + j), gradient))
    }
    x += bytes
    dy += bytes
    dx += bytes
  }
}

function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1)
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))))
}

/** y = silu(gate) · up, elementwise. */
export function swigluForward(gate: usize, up: usize, y: usize, count: usize): void {
  for (let j: usize = 0; j < count * 4; j += 16) {
    const g = v128.load(gate + j)
    v128.store(y + j, f32x4.mul(f32x4.mul(g, sigmoid4(g)), v128.load(up + j)))
  }
}

/** Gradients of {@link swigluForward}; `dGate` and `dUp` are overwritten and may be the inputs themselves. */
export function swigluBackward(
  gate: usize,
  up: usize,
  dy: usize,
  dGate: usize,
  dUp: usize,
  count: usize,
): void {
  const one = f32x4.splat(1)
  for (let j: usize = 0; j < count * 4; j += 16) {
    const g = v128.load(gate + j)
    const u = v128.load(up + j)
    const upstream = v128.load(dy + j)
    const s = sigmoid4(g)
    const silu = f32x4.mul(g, s)
    const slope = f32x4.mul(s, f32x4.add(one, f32x4.mul(g, f32x4.sub(one, s))))
    v128.store(dGate + j, f32x4.mul(f32x4.mul(upstream, u), slope))
    v128.store(dUp + j, f32x4.mul(upstream, silu))
  }
}

/**
 * Softmax cross-entropy of each row of `logits` [rows,columns] against `targets` (i32), weighted by `weights` (f32).
 * Leaves in `logits` the gradient (softmax - smoothed one-hot) · weight, and in `targetProbabilities` the softmax at
 * the target.
 */
export function softmaxCrossEntropy(
  logits: usize,
  targets: usize,
  weights: usize,
  targetProbabilities: usize,
  rows: usize,
  columns: usize,
  smoothing: f32,
): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    let largest = v128.load(logits)
    for (let j: usize = 16; j < bytes; j += 16) largest = f32x4.max(largest, v128.load(logits + j))
    const shift = f32x4.splat(maxLanes(largest))
    let total = f32x4.splat(0)
    for (let j: usize = 0; j < bytes; j += 16) {
      const value = exp4(f32x4.sub(v128.load(logits + j), shift))
      v128.store(logits + j, value)
      total = f32x4.add(total, value)
    }
    const sum = sumLanes(total)
    const target = logits + <usize>load<i32>(targets + row * 4) * 4
    store<f32>(targetProbabilities + row * 4, load<f32>(target) / sum)
    const weight = load<f32>(weights + row * 4)
    const factor = f32x4.splat(weight / sum)
    const floor4 = f32x4.splat((weight * smoothing) / <f32>columns)
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(logits + j, f32x4.sub(f32x4.mul(v128.load(logits + j), factor), floor4))
    }
    store<f32>(target, load<f32>(target) - weight * (1 - smoothing))
    logits += bytes
  }
}

/** y[row] = table[indices[row]] for rows of `columns` elements. */
export function gatherRows(table: usize, indices: usize, y: usize, rows: usize, columns: usize): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    memory.copy(y + row * bytes, table + <usize>load<i32>(indices + row * 4) * bytes, bytes)
  }
}

/** table[indices[row]] += x[row], in row order. */
export function scatterAddRows(table: usize, indices: usize, x: usize, rows: usize, columns: usize): void {
  const bytes = columns * 4
  for (let row: usize = 0; row < rows; row++) {
    const target = table + <usize>load<i32>(indices + row * 4) * bytes
    const source = x + row * bytes
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(target + j, f32x4.add(v128.load(target + j), v128.load(source + j)))
    }
  }
}

/** y = x, elementwise. */
export function copyFloats(y: usize, x: usize, count: usize): void {
  memory.copy(y, x, count * 4)
}

/** x = 0, elementwise. */
export function zeroFloats(x: usize, count: usize): void {
  memory.fill(x, 0, count * 4)
}

/** y += x, elementwise. */
export function addInPlace(y: usize, x: usize, count: usize): void {
  for (let j: usize = 0; j < count * 4; j += 16) {
    v128.store(y + j, f32x4.add(v128.load(y + j), v128.load(x + j)))
  }
}

/** Avalanche of the `lowbias32` integer hash (Ellis, "hash-prospector"), four counters at once. */
function hash4(counter: v128): v128 {
  let h = v128.xor(counter, i32x4.shr_u(counter, 16))
  h = i32x4.mul(h, i32x4.splat(0x7feb352d))
  h = v128.xor(h, i32x4.shr_u(h, 15))
  h = i32x4.mul(h, i32x4.splat(<i32>0x846ca68b))
  return v128.xor(h, i32x4.shr_u(h, 16))
}

/**
 * Inverted dropout in place: element i is zeroed with `probability`, else divided by (1 - probability). The mask is
 * a hash of (seed, i), so the backward pass is the same call on the gradient.
 */
export function dropout(x: usize, count: usize, seed: i32, probability: f32): void {
  // The hash compared as a 31-bit non-negative number, because SIMD compares signed integers.
  const threshold = i32x4.splat(<i32>(probability * 2147483648.0))
  const keep = f32x4.splat(1 / (1 - probability))
  let counter = i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat(seed))
  const step = i32x4.splat(4)
  for (let j: usize = 0; j < count * 4; j += 16) {
    const kept = i32x4.ge_s(i32x4.shr_u(hash4(counter), 1), threshold)
    v128.store(x + j, v128.and(f32x4.mul(v128.load(x + j), keep), kept))
    counter = i32x4.add(counter, step)
  }
}
