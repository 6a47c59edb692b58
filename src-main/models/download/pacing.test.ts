import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRateMeter } from './rate.ts'
import { sameFile } from './remote.ts'
import { createThrottle } from './throttle.ts'
import { DEFAULT_LIMITS, planParts } from './transfer.ts'

describe('the bandwidth limit', () => {
  test('holds over any stretch, give or take one second of burst and one chunk', () => {
    const chunk = fc.record({
      bytes: fc.integer({ min: 1, max: 65_536 }),
      idleMs: fc.integer({ min: 0, max: 3_000 }),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 10_000_000 }),
        fc.array(chunk, { minLength: 1 }),
        (rate, chunks) => {
          const throttle = createThrottle(rate)
          let nowMs = 1_000
          let sent = 0
          for (const { bytes, idleMs } of chunks) {
            nowMs += idleMs
            sent += bytes
            nowMs += throttle.take(bytes, nowMs)
            expect(sent).toBeLessThanOrEqual(((nowMs - 1_000) / 1000) * rate + rate + 1)
          }
        },
      ),
    )
  })

  test('can be lifted and set while bytes flow', () => {
    const throttle = createThrottle(null)
    expect(throttle.take(10_000_000, 0)).toBe(0)
    throttle.setRate(1_000)
    expect(throttle.take(1_000, 0)).toBe(1_000)
    throttle.setRate(null)
    expect(throttle.take(10_000_000, 0)).toBe(0)
  })
})

test('the rate settles on what arrives, and says nothing in the first second', () => {
  const meter = createRateMeter(0)
  meter.add(500, 500)
  expect(meter.bytesPerSecond()).toBeNull()
  for (let second = 1; second <= 60; second++) meter.add(2_000, second * 1_000)
  expect(meter.bytesPerSecond()).toBeCloseTo(2_000, 0)
  for (let second = 61; second <= 65; second++) meter.add(4_000, second * 1_000)
  expect(meter.bytesPerSecond()).toBeCloseTo(3_000, 0)
})

test('parts cover the file without gaps, enough of them for all connections, none beyond its limits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 * 2 ** 30 }), fc.boolean(), (sizeBytes, ranged) => {
      const parts = planParts(sizeBytes, ranged, DEFAULT_LIMITS)
      let end = 0
      for (const part of parts) {
        expect(part.startByte).toBe(end)
        expect(part.endByte).toBeGreaterThan(part.startByte)
        expect(part.doneBytes).toBe(0)
        if (ranged) expect(part.endByte - part.startByte).toBeLessThanOrEqual(DEFAULT_LIMITS.maxPartBytes)
        end = part.endByte
      }
      expect(end).toBe(sizeBytes)
      if (!ranged) expect(parts).toHaveLength(1)
      else if (sizeBytes > DEFAULT_LIMITS.parallel * DEFAULT_LIMITS.minPartBytes)
        expect(parts.length).toBeGreaterThanOrEqual(DEFAULT_LIMITS.parallel)
    }),
  )
})

test('the strongest fact that both sides know decides whether a file is the same', () => {
  const file = { sizeBytes: 10, sha256: 'a', etag: '"1"', lastModified: 'x' }
  expect(sameFile(file, file)).toBe(true)
  expect(sameFile(file, { ...file, etag: '"2"', lastModified: 'y' })).toBe(true)
  expect(sameFile(file, { ...file, sha256: 'b' })).toBe(false)
  expect(sameFile(file, { ...file, sha256: null, lastModified: 'y' })).toBe(true)
  expect(sameFile(file, { ...file, sha256: null, etag: '"2"' })).toBe(false)
  expect(sameFile(file, { ...file, sha256: null, etag: null, lastModified: 'y' })).toBe(false)
  expect(sameFile(file, { ...file, sizeBytes: 11 })).toBe(false)
  expect(sameFile(file, { sizeBytes: null, sha256: null, etag: null, lastModified: null })).toBe(true)
})
