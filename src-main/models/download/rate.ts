/** How fast bytes arrive: an average in which a second counts half of what it did five seconds later. */
export interface RateMeter {
  add(bytes: number, nowMs: number): void
  /** `null` until a second has passed. */
  bytesPerSecond(): number | null
}

const SAMPLE_MS = 1_000
const HALF_LIFE_MS = 5_000

export function createRateMeter(startMs: number): RateMeter {
  let sampleStartMs = startMs
  let sampleBytes = 0
  let average: number | null = null
  return {
    add(bytes, nowMs) {
      sampleBytes += bytes
      const elapsedMs = nowMs - sampleStartMs
      if (elapsedMs < SAMPLE_MS) return
      const sample = (sampleBytes / elapsedMs) * 1000
      const kept = 0.5 ** (elapsedMs / HALF_LIFE_MS)
      average = average === null ? sample : average * kept + sample * (1 - kept)
      sampleStartMs = nowMs
      sampleBytes = 0
    },
    bytesPerSecond: () => average,
  }
}
