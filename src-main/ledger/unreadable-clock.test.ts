import { describe, expect, it } from 'vitest'
import {
  CONSUMER,
  FACTS,
  FAST_PARENT,
  ManualClock,
  open,
  reserve,
  signed,
  T0,
  terms,
  withDirectory,
} from './test-support.ts'

const UNREADABLE = [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e300]

describe('a ledger whose clock cannot be read', () => {
  it.each(UNREADABLE)('at %d refuses to book, gives back what is held, and opens again', (unreadable) =>
    withDirectory(async (directory) => {
      const clock = new ManualClock()
      let ledger = await open(directory, { clock })
      const [first, second] = [reserve(ledger), reserve(ledger)]
      clock.ms = unreadable
      const refusals = [
        async () => reserve(ledger),
        () => ledger.settle(first, signed(terms(1)), FACTS),
        async () => ledger.post([{ kind: 'test.happened' }]),
      ]
      for (const refused of refusals)
        await expect(refused()).rejects.toMatchObject({ code: 'CLOCK_UNREADABLE' })
      ledger.void(second, 'test')
      expect(ledger.balance(CONSUMER.publicKeyHex).reservedTrm).toBe(10n)
      clock.ms = T0
      await ledger.settle(first, signed(terms(1)), FACTS)
      reserve(ledger)
      clock.ms = unreadable
      await ledger.close()
      // Also gives back, at once, what the last process left.
      ledger = await open(directory, { clock })
      await ledger.close()
      clock.ms = T0
      ledger = await open(directory, { clock })
      expect(ledger.tradeCount()).toBe(1)
      expect(ledger.balance(CONSUMER.publicKeyHex).reservedTrm).toBe(0n)
      await ledger.close()
    }, FAST_PARENT),
  )
})
