import { beforeAll, describe, expect, it } from 'vitest'
import { availableAccount } from '../../src-main/economy/index.ts'
import { meshLoanHandlers } from '../../src-main/host/control-mesh-loans.ts'
import { hexFromBytes } from '../../src-main/kernel/index.ts'
import { EMPTY_ROOT, historySignal } from '../../src-main/market/testing/crafted-signals.ts'
import { takeUnsigned } from '../../src-main/market/testing/unsigned-taker.ts'
import { keyNumber } from '../keys.ts'
import { type House, MODEL } from './house.ts'
import { quietVillage } from './village.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SEED = 'statements'

const { scheduler, network, houseOf } = quietVillage(SEED)
/** The lender has been paid by the watcher, and has paid the borrower. */
const [lender, borrower, watcher, late] = [
  houseOf(1, true),
  houseOf(2, true),
  houseOf(3, false),
  houseOf(4, false),
]

async function ask(house: House, times: number) {
  for (let count = 0; count < times; count++) {
    const asked = house.ask()
    await scheduler.pass(MINUTE, () => asked.done)
    expect(asked.failed).toBeNull()
  }
}
/** What a promise of one of the houses gives, while time passes. */
async function during<T>(promise: Promise<T>): Promise<T> {
  const state: { done: boolean } = { done: false }
  const end = () => {
    state.done = true
  }
  promise.then(end, end)
  await scheduler.pass(MINUTE, () => state.done)
  return promise
}
/** What would come from many more answers than are worth their time here. */
async function earn(house: House, node: House, amountTrm: bigint, trades: number) {
  const { ledger, economy } = house.books
  const event = { kind: 'mesh.key-allowed', atMs: scheduler.nowMs(), consumer: node.id, allowed: false }
  const movement = { debit: 'system:mint', credit: availableAccount(node.id), amountTrm, code: 'earned' }
  await ledger.post([event], [movement])
  for (let count = 0; count < trades; count++) await economy.rewardTrade({ provider: node.id, ownKey: false })
}
/** What the window of the house shows of its loans. */
const windowOf = ({ books, market, id }: House) =>
  meshLoanHandlers({
    economy: books.economy,
    ledger: books.ledger,
    nodeId: id,
    clock: scheduler,
    loans: () => market.loans,
    partners: () => books.mesh.partners(id),
  })['mesh.loans']({})
const balance = (house: House, node: House) => house.books.ledger.accountTrm(availableAccount(node.id))
const reputation = (house: House, node: House) => house.books.economy.reputation.of(node.id)

beforeAll(async () => {
  await lender.start()
  await watcher.start()
  await scheduler.pass(12_000)
  await ask(watcher, 12)
  await borrower.start()
  await scheduler.pass(15_000)
  await ask(lender, 12)
  await earn(lender, lender, 1_000n, 0)
  await scheduler.pass(MINUTE)
})

describe('what a host says of another', () => {
  it('counts where the observer has served, and weighs the trades that can be seen', () => {
    const { reputation: seen } = watcher.books.economy
    const [subject, observations] = seen.observations().find(([node]) => node === borrower.id) ?? []
    expect(subject).toBe(borrower.id)
    expect(observations?.map(({ observer }) => observer)).toEqual([lender.id])
    expect(seen.shownTrades(lender.id, borrower.id)).toBe(12n)
    // The watcher has never traded with the borrower: what it thinks of it, it has from the lender.
    expect(seen.of(borrower.id)).toBeGreaterThan(0.6)
  })

  it('is nothing to whoever has had nothing of the observer', () => {
    const said = borrower.books.economy.reputation.observations().map(([subject]) => subject)
    expect(said).not.toContain(lender.id)
    expect(borrower.market.node.gossip.statements.get(`observation:${watcher.id}:${lender.id}`)).toBeDefined()
  })
})

describe('a vote', () => {
  it('spreads, and weighs what the voter has earned where it is counted, and nothing elsewhere', async () => {
    const { economy } = borrower.books
    await earn(lender, borrower, 1_000n, 10)
    await earn(borrower, borrower, 1_000n, 10)
    // Its own standing hangs on what the lender says of it, too.
    await scheduler.pass(11 * MINUTE)
    await economy.staking.stake({ node: borrower.id, amountTrm: 1_000n, days: 7 })
    const kind = { type: 'change_parameter', name: 'WELCOME_LOAN_AMOUNT', value: 900 } as const
    const id = await economy.governance.proposeOwn(kind, scheduler.nowMs() + 2 * DAY)
    await economy.governance.voteOwn(id, true)
    await scheduler.pass(30_000)
    const earned = balance(lender, borrower)
    expect(earned).toBeGreaterThan(1_000n)
    expect(lender.books.economy.governance.tally(id)).toMatchObject({
      voters: 1,
      approveWeightMilli: earned * 1_000n,
    })
    // Nothing of what it has staked can be seen here.
    expect(watcher.books.economy.governance.proposals()).toEqual([])
    const heard = watcher.market.statements.uncounted()
    expect(heard.filter(({ kind }) => kind === 'vote' || kind === 'proposal')).toMatchObject([
      { kind: 'vote', author: borrower.id, approve: true, code: 'no-proposal' },
      { kind: 'proposal', author: borrower.id, subject: 'WELCOME_LOAN_AMOUNT = 900' },
    ])
    const { proposals, votes } = watcher.market.statements.uncountedVotes()
    expect(proposals.map((heard) => heard.id)).toEqual([id])
    expect(votes.map(({ voter, approve }) => [voter, approve])).toEqual([[borrower.id, true]])
    // The same again is the same: a voter counts once.
    await scheduler.pass(2 * MINUTE)
    expect(lender.books.economy.governance.tally(id).voters).toBe(1)
  })
})

describe('a loan between two hosts', () => {
  const lend = (amountTrm: bigint) => {
    const terms = {
      borrower: borrower.id,
      amountTrm,
      collateralTrm: amountTrm,
      termHours: 2,
      ratePerHour: 0.01,
    }
    return during(lender.market.loans.lend(terms))
  }
  const books = () => [lender, borrower].map((house) => [balance(house, lender), balance(house, borrower)])

  it('is agreed by both, moves the same in both books, and is repaid in both', async () => {
    const before = books()
    const { loanId, dueTrm } = await lend(100n)
    expect(dueTrm).toBe(102n)
    expect(books()).toEqual(before)
    expect((await windowOf(lender)).offers).toMatchObject([{ loanId, role: 'lent', other: borrower.id }])
    expect((await windowOf(borrower)).offers).toMatchObject([{ loanId, role: 'borrowed', other: lender.id }])
    // What the borrower has earned here can be collateral.
    const earnedTrm = String(balance(lender, borrower))
    expect((await windowOf(lender)).borrowers).toContainEqual(
      expect.objectContaining({ nodeId: borrower.id, earnedTrm }),
    )
    await during(borrower.market.loans.accept(loanId))
    const moved = ([lent, held]: bigint[]) => [(lent ?? 0n) - 100n, held ?? 0n]
    expect(books()).toEqual(before.map(moved))
    await scheduler.pass(5_000)
    expect(watcher.market.node.gossip.statements.of('loan')).toHaveLength(1)
    const loan = { loanId, principalTrm: '100', dueTrm: '102', collateralTrm: '100', state: 'active' }
    expect((await windowOf(lender)).loans).toMatchObject([{ ...loan, role: 'lent', other: borrower.id }])
    expect((await windowOf(borrower)).loans).toMatchObject([{ ...loan, role: 'borrowed', other: lender.id }])
    await during(borrower.market.loans.repay(loanId))
    const repaid = ([lent, held]: bigint[]) => [(lent ?? 0n) + 2n, (held ?? 0n) - 2n]
    expect(books()).toEqual(before.map(repaid))
    await scheduler.pass(5_000)
    expect(watcher.market.node.gossip.statements.of('loan-repaid')).toHaveLength(1)
    // Asked again it is the same, and nothing moves twice.
    await expect(during(borrower.market.loans.repay(loanId))).rejects.toMatchObject({ code: 'LOAN_CLOSED' })
    expect(books()).toEqual(before.map(repaid))
  })

  it('is refused where the borrower has not earned the collateral from the lender', async () => {
    await expect(lend(1_000_000n)).rejects.toMatchObject({ code: 'INSUFFICIENT_BALANCE' })
    const terms = { borrower: watcher.id, amountTrm: 1n, collateralTrm: 1n, termHours: 2 }
    await expect(during(lender.market.loans.lend(terms))).rejects.toMatchObject({
      code: 'COLLATERAL_NOT_COVERED',
    })
  })

  it('that is not repaid costs the collateral in both books, and reputation also elsewhere', async () => {
    const { loanId } = await lend(50n)
    await during(borrower.market.loans.accept(loanId))
    const held = books()
    const before = [lender, watcher].map((house) => reputation(house, borrower))
    // Nothing happens in a day for which everybody is switched off.
    for (const house of [lender, borrower, watcher]) await house.stop()
    await scheduler.pass(2 * HOUR + DAY + MINUTE)
    for (const house of [lender, borrower, watcher]) await house.start()
    await scheduler.pass(15_000)
    await lender.books.economy.tick(scheduler.nowMs())
    await scheduler.pass(MINUTE)
    const status = (house: House) =>
      house.books.economy.peerLending.loans().find((loan) => loan.loanId === loanId)?.loan.status
    expect([status(lender), status(borrower)]).toEqual(['defaulted', 'defaulted'])
    // A tenth of the collateral is burned, the rest is the lender's.
    expect(books()).toEqual(held.map(([lent, had]) => [(lent ?? 0n) + 45n, had ?? 0n]))
    const after = [lender, watcher].map((house) => reputation(house, borrower))
    expect((after[0] ?? 1) - (before[0] ?? 0)).toBeLessThan(-0.15)
    expect((after[1] ?? 1) - (before[1] ?? 0)).toBeLessThan(-0.05)
    expect(watcher.books.economy.reputation.complaints()).toMatchObject([
      [borrower.id, [{ complainant: lender.id, cause: 'loan-default' }]],
    ])
  })
})

describe('an answer that was not signed for', () => {
  it('is a complaint, which counts where the seller has served, and is kept elsewhere', async () => {
    const taker = keyNumber(60)
    const net = network.join(taker.publicKeyHex)
    const heard: Uint8Array[] = []
    net.subscribe('signals', (message) => {
      heard.push(message)
      return 'accept'
    })
    await scheduler.pass(15_000)
    const signal = heard.findLast((message) => hexFromBytes(message.subarray(1, 33)) === lender.id)
    if (!signal) throw new Error('the price was not heard')
    await during(takeUnsigned({ key: taker, net, nowMs: scheduler.nowMs() }, signal, MODEL))
    await scheduler.pass(30_000)
    expect(lender.books.mesh.disputes()[0]).toMatchObject({
      consumer: taker.publicKeyHex,
      reason: 'not-countersigned',
    })
    const complaints = ({ books }: House) =>
      books.economy.reputation.complaints().filter(([subject]) => subject === taker.publicKeyHex)
    expect(complaints(watcher)).toMatchObject([
      [taker.publicKeyHex, [{ complainant: lender.id, cause: 'not-countersigned' }]],
    ])
    expect(complaints(borrower)).toEqual([])
    expect(borrower.market.statements.uncounted()).toContainEqual(
      expect.objectContaining({ kind: 'complaint', author: lender.id, code: 'not-trusted' }),
    )
    await net.close()
  })
})

describe('proof of two histories', () => {
  it('convicts whoever signed them, also at a host that came when all was over', async () => {
    const forger = keyNumber(50)
    const hostile = network.join(forger.publicKeyHex)
    hostile.subscribe('signals', () => 'accept')
    hostile.handle('hello/1', async (channel) => channel.abort())
    hostile.handle('log/1', async (channel) => channel.abort())
    hostile.handle('statements/1', async (channel) => channel.abort())
    const say = async (rootHex: string) => {
      await hostile.publish('signals', historySignal(forger, rootHex, scheduler.nowMs()))
      await scheduler.pass(1_000)
    }
    await say(EMPTY_ROOT)
    await say('0'.repeat(64))
    const faults = (house: House) =>
      house.books.economy.reputation.slashes().filter(({ node }) => node === forger.publicKeyHex)
    expect([lender, watcher].map((house) => faults(house).length)).toEqual([1, 1])
    await hostile.close()
    network.crash(forger.publicKeyHex)
    await scheduler.pass(10 * MINUTE)
    await late.start()
    await scheduler.pass(30_000)
    expect(faults(late)).toMatchObject([{ reason: 'equivocation', evidence: `fork:${forger.publicKeyHex}` }])
    expect(late.market.node.isBanned(forger.publicKeyHex)).toBe(true)
    // Once, however often it is told, and after a restart too.
    await watcher.stop()
    await watcher.start()
    await scheduler.pass(2 * MINUTE)
    expect(faults(watcher)).toHaveLength(1)
  })
})
