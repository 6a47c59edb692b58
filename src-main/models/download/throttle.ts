/** A token bucket: how long to wait after so many bytes so that a rate holds. */
export interface Throttle {
  /** @param bytesPerSecond `null` for no limit */
  setRate(bytesPerSecond: number | null): void
  /** Takes `bytes` out. @returns milliseconds to wait before the next ones */
  take(bytes: number, nowMs: number): number
}

/** The bucket holds one second's worth, so a pause is not paid back in one burst. */
const BURST_SECONDS = 1

export function createThrottle(bytesPerSecond: number | null): Throttle {
  let rate = bytesPerSecond
  let available = (rate ?? 0) * BURST_SECONDS
  let lastMs: number | null = null
  return {
    setRate(next) {
      rate = next
      available = Math.min(available, (next ?? 0) * BURST_SECONDS)
    },
    take(bytes, nowMs) {
      if (rate === null) return 0
      const elapsedMs = lastMs === null ? 0 : Math.max(0, nowMs - lastMs)
      lastMs = nowMs
      available = Math.min(available + (elapsedMs / 1000) * rate, rate * BURST_SECONDS) - bytes
      return available >= 0 ? 0 : Math.ceil((-available / rate) * 1000)
    },
  }
}
