import { createHash } from 'node:crypto'
import type { Split } from './task.ts'

/** One class of equivalent instances in so many belongs to the test side. */
const TEST_INTERVAL = 8

/**
 * The side of an instance, decided by nothing but its canonical form: equivalent instances fall on the same side, so
 * no test instance is a training instance or a symmetric image of one, whatever the seeds.
 */
export function splitOf(canonical: string): Split {
  const hash = createHash('sha256').update(canonical).digest()
  return hash.readUInt32LE(0) % TEST_INTERVAL === 0 ? 'test' : 'train'
}

/** Draws until the instance is on the wanted side. */
export function drawFrom<T>(split: Split, draw: () => T, canonical: (item: T) => string): T {
  for (;;) {
    const item = draw()
    if (splitOf(canonical(item)) === split) return item
  }
}
