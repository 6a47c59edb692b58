import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../kernel/index.ts'
import { type JournalEvent, type Movement, openLedger } from './index.ts'
import { withDirectory, workerUrl } from './test-support.ts'

const node = 'ab'.repeat(32)
const accounts = [`available:${node}`, `staked:${node}`, `collateral:${node}`, 'system:mint', 'system:pool']
const open = (directory: string, heard: JournalEvent[]) =>
  openLedger({
    directory,
    clock: systemClock,
    projectionWorkerUrl: workerUrl,
    observer: { events: (events) => heard.push(...events) },
  })

describe('events of the economy', () => {
  it('move their TRM all or nothing, never overdraw what is set aside, and come back the same', async () => {
    const movement = fc.record({
      debit: fc.constantFrom(...accounts),
      credit: fc.constantFrom(...accounts),
      amountTrm: fc.bigInt({ min: 0n, max: 100n }),
      code: fc.constantFrom('stake', 'yield.minted'),
    })
    const posts = fc.array(fc.array(movement, { maxLength: 4 }), { minLength: 1, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(posts, (history) =>
        withDirectory(async (directory) => {
          const heard: JournalEvent[] = []
          const ledger = await open(directory, heard)
          const expected = new Map(accounts.map((account) => [account, 0n]))
          for (const [number, movements] of history.entries()) {
            const after = new Map(expected)
            const fits = movements.every((moved) => applies(after, moved))
            const event = { kind: 'test.posted', number, nested: { b: 1, a: [null, 'x'] } }
            if (fits) {
              await ledger.post([event], movements)
              for (const [account, trm] of after) expected.set(account, trm)
            } else {
              expect(() => ledger.post([event], movements)).toThrow()
            }
            for (const [account, trm] of expected) expect(ledger.accountTrm(account)).toBe(trm)
          }
          const before = [...heard]
          await ledger.close()
          heard.length = 0
          const again = await open(directory, heard)
          expect(heard).toEqual(before)
          for (const [account, trm] of expected) expect(again.accountTrm(account)).toBe(trm)
          await again.close()
        }),
      ),
      { numRuns: 12 },
    )
  })

  it('that are no plain events are refused and change nothing', () =>
    withDirectory(async (directory) => {
      const heard: JournalEvent[] = []
      const ledger = await open(directory, heard)
      for (const bad of [{ kind: 'nodots' }, { kind: '' }, {}, null]) {
        expect(() => ledger.post([bad as JournalEvent])).toThrow(
          expect.objectContaining({ code: 'EVENT_INVALID' }),
        )
      }
      expect(() => ledger.post([])).toThrow()
      expect(heard).toEqual([])
      expect(ledger.journal().records).toBe(0)
      await ledger.close()
    }))
})

function applies(balances: Map<string, bigint>, { debit, credit, amountTrm }: Movement): boolean {
  if (amountTrm === 0n) return false
  const left = (balances.get(debit) ?? 0n) - amountTrm
  if (left < 0n && /^(staked|collateral):/.test(debit)) return false
  balances.set(debit, left)
  balances.set(credit, (balances.get(credit) ?? 0n) + amountTrm)
  return true
}
