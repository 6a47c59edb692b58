// Rotary position embedding and causal multi-head attention over packed sequences. Sequence s holds the rows
// offsets[s] .. offsets[s+1] of the row-major [rows, heads·headLength] matrices; headLength is a multiple of 16.

import { exp4, maxLanes, sumLanes } from './math'

/**
 * Rotates the pairs (x[2i], x[2i+1]) of every head by position·frequency(i): the interleaved pairing of llama.cpp's
 * `llama` architecture. `table` [positions, 2, headLength] holds each pair's cosine twice, then -sine, +sine.
 * `direction` 1 rotates forwards, -1 backwards (the gradient).
 */
export function rotate(
  x: usize,
  table: usize,
  offsets: usize,
  sequences: usize,
  heads: usize,
  headLength: usize,
  direction: f32,
): void {
  const headBytes = headLength * 4
  const sign = f32x4.splat(direction)
  for (let s: usize = 0; s < sequences; s++) {
    const first = <usize>load<i32>(offsets + s * 4)
    const end = <usize>load<i32>(offsets + s * 4 + 4)
    for (let row = first; row < end; row++) {
      const cosines = table + (row - first) * headBytes * 2
      for (let head: usize = 0; head < heads; head++) {
        const at = x + (row * heads + head) * headBytes
        for (let j: usize = 0; j < headBytes; j += 16) {
          const value = v128.load(at + j)
          const swapped = v128.shuffle<f32>(value, value, 1, 0, 3, 2)
          const sine = f32x4.mul(v128.load(cosines + headBytes + j), sign)
          const turned = f32x4.add(f32x4.mul(value, v128.load(cosines + j)), f32x4.mul(swapped, sine))
          v128.store(at + j, turned)
        }
      }
    }
  }
}

function dot4(x: usize, y: usize, bytes: usize): v128 {
  let sum = f32x4.splat(0)
  for (let j: usize = 0; j < bytes; j += 16) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(x + j), v128.load(y + j)))
  }
  return sum
}

/** target[j] = x · rows[j] for j < count (stored in whole groups of four; the surplus repeats the last row). */
function dotRows(x: usize, rows: usize, stride: usize, count: usize, bytes: usize, target: usize): void {
  const last = count - 1
  for (let j: usize = 0; j < count; j += 4) {
    const s0 = dot4(x, rows + j * stride, bytes)
    const s1 = dot4(x, rows + min(j + 1, last) * stride, bytes)
    const s2 = dot4(x, rows + min(j + 2, last) * stride, bytes)
    const s3 = dot4(x, rows + min(j + 3, last) * stride, bytes)
    const low01 = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5)
    const high01 = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7)
    const low23 = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5)
    const high23 = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7)
    const sum01 = f32x4.add(low01, high01)
    const sum23 = f32x4.add(low23, high23)
    const even = v128.shuffle<f32>(sum01, sum23, 0, 1, 4, 5)
    const odd = v128.shuffle<f32>(sum01, sum23, 2, 3, 6, 7)
    v128.store(target + j * 4, f32x4.add(even, odd))
  }
}

/** target (+)= Σ weights[j]·rows[j] for j < count; weights are `weightStride` bytes apart. */
function sumRows(
  weights: usize,
  weightStride: usize,
  rows: usize,
  stride: usize,
  count: usize,
  bytes: usize,
  target: usize,
): void {
  for (let c: usize = 0; c < bytes; c += 64) {
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    let s2 = f32x4.splat(0)
    let s3 = f32x4.splat(0)
    let weight = weights
    let row = rows + c
    for (let j: usize = 0; j < count; j++) {
      const w = v128.load_splat<f32>(weight)
      s0 = f32x4.add(s0, f32x4.mul(w, v128.load(row)))
      s1 = f32x4.add(s1, f32x4.mul(w, v128.load(row, 16)))
      s2 = f32x4.add(s2, f32x4.mul(w, v128.load(row, 32)))
      s3 = f32x4.add(s3, f32x4.mul(w, v128.load(row, 48)))
      weight += weightStride
      row += stride
    }
    v128.store(target + c, s0)
    v128.store(target + c, s1, 16)
    v128.store(target + c, s2, 32)
    v128.store(target + c, s3, 48)
  }
}

/** Softmax of scale·scores[0 .. count) in place; the surplus of the last group of four becomes zero. */
function softmaxRow(scores: usize, count: usize, scale: f32): void {
  const padded = (count + 3) & ~3
  for (let j = count; j < padded; j++) store<f32>(scores + j * 4, load<f32>(scores))
  let largest = v128.load(scores)
  for (let j: usize = 4; j < padded; j += 4) largest = f32x4.max(largest, v128.load(scores + j * 4))
  const shift = f32x4.splat(maxLanes(largest))
  const scale4 = f32x4.splat(scale)
  for (let j: usize = 0; j < padded; j += 4) {
    const value = f32x4.mul(f32x4.sub(v128.load(scores + j * 4), shift), scale4)
    v128.store(scores + j * 4, exp4(value))
  }
  for (let j = count; j < padded; j++) store<f32>(scores + j * 4, 0)
  let total = f32x4.splat(0)
  for (let j: usize = 0; j < padded; j += 4) total = f32x4.add(total, v128.load(scores + j * 4))
  const inverse = f32x4.splat(1 / sumLanes(total))
  for (let j: usize = 0; j < padded; j += 4) {
    v128.store(scores + j * 4, f32x4.mul(v128.load(scores + j * 4), inverse))
  }
}

/**
 * out = softmax(q·kᵀ/√headLength)·v per head, each row over its sequence or, if `causal`, over the rows up to itself.
 * `probabilities` keeps, one sequence after the other, the
 * [heads, length, length rounded up to 4] weights for the backward pass.
 */
export function attentionForward(
  q: usize,
  k: usize,
  v: usize,
  out: usize,
  probabilities: usize,
  offsets: usize,
  sequences: usize,
  heads: usize,
  headLength: usize,
  causal: bool,
): void {
  const headBytes = headLength * 4
  const stride = heads * headBytes
  const scale: f32 = 1 / sqrt<f32>(<f32>headLength)
  for (let s: usize = 0; s < sequences; s++) {
    const first = <usize>load<i32>(offsets + s * 4)
    const length = <usize>load<i32>(offsets + s * 4 + 4) - first
    const rowBytes = ((length + 3) & ~3) * 4
    for (let head: usize = 0; head < heads; head++) {
      const base = first * stride + head * headBytes
      for (let i: usize = 0; i < length; i++) {
        const keys = causal ? i + 1 : length
        dotRows(q + base + i * stride, k + base, stride, keys, headBytes, probabilities)
        softmaxRow(probabilities, keys, scale)
        sumRows(probabilities, 4, v + base, stride, keys, headBytes, out + base + i * stride)
        probabilities += rowBytes
      }
    }
  }
}

/**
 * Gradients of {@link attentionForward}: overwrites `dq`, `dk`, `dv`. `scratch` holds one head's
 * [length, length rounded up to 4] score gradients.
 */
export function attentionBackward(
  q: usize,
  k: usize,
  v: usize,
  probabilities: usize,
  dOut: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  scratch: usize,
  offsets: usize,
  sequences: usize,
  heads: usize,
  headLength: usize,
  causal: bool,
): void {
  const headBytes = headLength * 4
  const stride = heads * headBytes
  const scale = f32x4.splat(1 / sqrt<f32>(<f32>headLength))
  for (let s: usize = 0; s < sequences; s++) {
    const first = <usize>load<i32>(offsets + s * 4)
    const length = <usize>load<i32>(offsets + s * 4 + 4) - first
    const rowBytes = ((length + 3) & ~3) * 4
    for (let head: usize = 0; head < heads; head++) {
      const base = first * stride + head * headBytes
      for (let i: usize = 0; i < length; i++) {
        const weights = probabilities + i * rowBytes
        const gradients = scratch + i * rowBytes
        const keys = causal ? i + 1 : length
        const bytes = ((keys + 3) & ~3) * 4
        dotRows(dOut + base + i * stride, v + base, stride, keys, headBytes, gradients)
        const mean = f32x4.splat(sumLanes(dot4(weights, gradients, bytes)))
        for (let j: usize = 0; j < bytes; j += 16) {
          const centred = f32x4.sub(v128.load(gradients + j), mean)
          v128.store(gradients + j, f32x4.mul(f32x4.mul(v128.load(weights + j), centred), scale))
        }
        sumRows(gradients, 4, k + base, stride, keys, headBytes, dq + base + i * stride)
      }
      for (let j: usize = 0; j < length; j++) {
        const at = base + j * stride
        const query = causal ? j : 0
        const from = base + query * stride
        const weights = query * rowBytes + j * 4
        sumRows(scratch + weights, rowBytes, q + from, stride, length - query, headBytes, dk + at)
        sumRows(probabilities + weights, rowBytes, dOut + from, stride, length - query, headBytes, dv + at)
      }
      probabilities += length * rowBytes
    }
  }
}
