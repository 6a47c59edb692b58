import { expect, test } from 'vitest'
import { Accounts, availableAccount, reservedAccount, type Transfer, type TransferCode } from './accounts.ts'

const NODE = 'a'
const OTHER = 'b'
const FREE_TIER_TRM = 1000n

function transfer(debit: string, credit: string, amountTrm: bigint, code: TransferCode): Transfer {
  return { id: '1-0', debit, credit, amountTrm, code, atMs: 0 }
}

/** A node with the given history, as in the vectors' table. */
function accountsOf(contributedTrm: bigint, consumedTrm: bigint, reservedTrm: bigint): Accounts {
  const accounts = new Accounts()
  const [own, other, reserved] = [availableAccount(NODE), availableAccount(OTHER), reservedAccount(NODE)]
  const history: Transfer[] = [
    transfer(other, own, contributedTrm, 'trade'),
    transfer(own, other, consumedTrm, 'trade'),
    transfer(own, reserved, reservedTrm, 'reserve'),
  ]
  accounts.apply(history.filter((movement) => movement.amountTrm > 0n))
  return accounts
}

// shared/vectors/tirami.md V4.1 and V4.3. The one row that differs is the quirk that spec section 2.1 tells us to
// drop: a pure consumer's free tier is counted once, so after 500 it can still afford 500.
test.each<[bigint, bigint, bigint, bigint, boolean]>([
  [0n, 0n, 0n, 500n, true],
  [0n, 0n, 0n, 1000n, true],
  [0n, 0n, 0n, 1001n, false],
  [0n, 500n, 0n, 0n, true],
  [0n, 500n, 0n, 500n, true],
  [0n, 500n, 0n, 501n, false],
  [1n, 500n, 0n, 501n, true],
  [1n, 500n, 0n, 502n, false],
  [500n, 0n, 200n, 1300n, true],
  [500n, 0n, 200n, 1301n, false],
])(
  'V4.3 contributed %d, consumed %d, reserved %d affords %d: %s',
  (contributed, consumed, held, cost, yes) => {
    const accounts = accountsOf(contributed, consumed, held)
    expect(accounts.spendableTrm(NODE, FREE_TIER_TRM) >= cost).toBe(yes)
    expect(accounts.node(NODE)).toEqual({
      contributedTrm: contributed,
      consumedTrm: consumed,
      reservedTrm: held,
    })
    expect(accounts.sumTrm).toBe(0n)
  },
)

test('V4.2 a trade of 100 gives the provider 100 and takes 100 from the consumer', () => {
  const accounts = accountsOf(100n, 0n, 0n)
  expect(accounts.balanceTrm(availableAccount(NODE))).toBe(100n)
  expect(accounts.balanceTrm(availableAccount(OTHER))).toBe(-100n)
})

test('a transfer of nothing, or backwards, is a defect', () => {
  const [own, other] = [availableAccount(NODE), availableAccount(OTHER)]
  expect(() => new Accounts().apply([transfer(own, other, 0n, 'trade')])).toThrow()
  expect(() => new Accounts().apply([transfer(own, other, -1n, 'trade')])).toThrow()
})
