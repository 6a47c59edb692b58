// Optimiser kernels. Counts are multiples of 4.

/** Sum of squares of x, in double precision and a fixed order. */
export function sumOfSquares(x: usize, count: usize): f64 {
  let low = f64x2.splat(0)
  let high = f64x2.splat(0)
  for (let j: usize = 0; j < count * 4; j += 16) {
    const value = v128.load(x + j)
    const first = f64x2.promote_low_f32x4(value)
    const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(value, value, 2, 3, 2, 3))
    low = f64x2.add(low, f64x2.mul(first, first))
    high = f64x2.add(high, f64x2.mul(second, second))
  }
  const sum = f64x2.add(low, high)
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)
}

/**
 * One AdamW step (Loshchilov and Hutter 2019, decoupled weight decay). `stepSize` is the learning rate divided by
 * 1 - beta1^t, `varianceScale` is 1 / (1 - beta2^t), `decay` is learning rate · weight decay.
 */
export function adamW(
  parameters: usize,
  gradients: usize,
  firstMoments: usize,
  secondMoments: usize,
  count: usize,
  gradientScale: f32,
  stepSize: f32,
  varianceScale: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  decay: f32,
): void {
  const keep1 = f32x4.splat(beta1)
  const keep2 = f32x4.splat(beta2)
  const take1 = f32x4.splat(1 - beta1)
  const take2 = f32x4.splat(1 - beta2)
  const scale = f32x4.splat(gradientScale)
  const step = f32x4.splat(stepSize)
  const variance = f32x4.splat(varianceScale)
  const tiny = f32x4.splat(epsilon)
  const shrink = f32x4.splat(1 - decay)
  for (let j: usize = 0; j < count * 4; j += 16) {
    const g = f32x4.mul(v128.load(gradients + j), scale)
    const m = f32x4.add(f32x4.mul(v128.load(firstMoments + j), keep1), f32x4.mul(g, take1))
    const v = f32x4.add(f32x4.mul(v128.load(secondMoments + j), keep2), f32x4.mul(f32x4.mul(g, g), take2))
    v128.store(firstMoments + j, m)
    v128.store(secondMoments + j, v)
    const update = f32x4.div(m, f32x4.add(f32x4.sqrt(f32x4.mul(v, variance)), tiny))
    const kept = f32x4.mul(v128.load(parameters + j), shrink)
    v128.store(parameters + j, f32x4.sub(kept, f32x4.mul(update, step)))
  }
}

/** average += (parameters - average) · weight: one step of an exponential moving average. */
export function movingAverage(average: usize, parameters: usize, count: usize, weight: f32): void {
  const weight4 = f32x4.splat(weight)
  for (let j: usize = 0; j < count * 4; j += 16) {
    const value = v128.load(average + j)
    v128.store(average + j, f32x4.add(value, f32x4.mul(f32x4.sub(v128.load(parameters + j), value), weight4)))
  }
}
