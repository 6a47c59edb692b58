import { describe, expect, it } from 'vitest'
import type { MemoryNetwork } from '../../src-main/mesh/index.ts'
import { type House, WHOLE_ANSWER } from './house.ts'
import { brokenLaws, unheard } from './laws.ts'
import type { Scheduler } from './scheduler.ts'
import { quietVillage } from './village.ts'

const MINUTE = 60_000

interface Town {
  scheduler: Scheduler
  network: MemoryNetwork
  buyer: House
  seller: House
  /** Messages of channels that were sent; the one whose turn it is to break the connection. */
  sent: number
  breakAt: number
  onSend: (count: number) => void
}

async function town(name: string): Promise<Town> {
  const state: Pick<Town, 'sent' | 'breakAt' | 'onSend'> = {
    sent: 0,
    breakAt: Number.POSITIVE_INFINITY,
    onSend: () => undefined,
  }
  const { scheduler, network, houseOf } = quietVillage(name, () => {
    state.sent++
    state.onSend(state.sent)
    return state.sent === state.breakAt
  })
  const [buyer, seller] = [houseOf(1, false), houseOf(2, true)]
  await seller.start()
  await buyer.start()
  await scheduler.pass(12_000)
  return Object.assign(state, { scheduler, network, buyer, seller })
}

/** Begin, quote, accept, eight pieces, eight acks, end, settle, booked. */
const MESSAGES = 22

describe('one answer between two hosts', () => {
  it('is whole, and the same trade in both ledgers', async () => {
    const state = await town('whole')
    const { scheduler, buyer, seller } = state
    state.sent = 0
    const asked = buyer.ask()
    await scheduler.pass(MINUTE, () => asked.done)
    expect(asked).toMatchObject({ text: WHOLE_ANSWER, failed: null })
    await scheduler.pass(2 * MINUTE)
    expect(brokenLaws([buyer, seller])).toEqual([])
    expect(unheard([buyer, seller])).toEqual([])
    const [trade] = seller.books.mesh.page(0, 9)
    expect(trade?.terms).toMatchObject({
      amountTrm: asked.amountTrm,
      provider: seller.id,
      consumer: buyer.id,
    })
    // The consumer's debt is the provider's claim, in both books.
    for (const { books } of [buyer, seller]) {
      expect(books.ledger.balance(seller.id).contributedTrm).toBe(asked.amountTrm)
      expect(books.ledger.balance(buyer.id).consumedTrm).toBe(asked.amountTrm)
    }
    expect(state.sent).toBeGreaterThanOrEqual(MESSAGES)
  })

  it('converges when the connection breaks at any message', async () => {
    const paid: bigint[] = []
    for (let message = 1; message <= MESSAGES; message++) {
      const state = await town(`break ${message}`)
      const { scheduler, buyer, seller } = state
      state.sent = 0
      state.breakAt = message
      const asked = buyer.ask()
      await scheduler.pass(5 * MINUTE, () => asked.done)
      await scheduler.pass(3 * MINUTE)
      expect([message, brokenLaws([buyer, seller])]).toEqual([message, []])
      const booked = seller.books.mesh.page(0, 9)
      // Nobody pays for more than came, and everything that came and was signed for is paid.
      expect([message, booked.length]).toEqual([message, asked.tokens > 0 ? 1 : 0])
      const [trade] = booked
      if (!trade) continue
      expect(Number(trade.terms.tokensProcessed) - 9).toBe(asked.tokens)
      paid.push(trade.terms.amountTrm)
    }
    expect(paid.length).toBeGreaterThan(10)
    expect(new Set(paid).size).toBeGreaterThan(5)
  })

  it.each(['buyer', 'seller'] as const)('converges when the %s is killed at any message', async (victim) => {
    for (let message = 1; message <= MESSAGES; message++) {
      const state = await town(`${victim} ${message}`)
      const { scheduler, buyer, seller } = state
      const house = { buyer, seller }[victim]
      let killed: Promise<void> | null = null
      state.sent = 0
      state.onSend = (count) => {
        if (count === message) killed = house.kill()
      }
      const asked = buyer.ask()
      await scheduler.pass(MINUTE, () => killed !== null)
      await killed
      state.onSend = () => undefined
      await scheduler.pass(20_000)
      if (!house.isUp) await house.start()
      await scheduler.pass(5 * MINUTE)
      expect([message, brokenLaws([buyer, seller])]).toEqual([message, []])
      expect(asked.text.length).toBeLessThanOrEqual(WHOLE_ANSWER.length)
    }
  })

  it('ends when the reader goes away, and what came is paid for', async () => {
    const state = await town('reader')
    const { scheduler, buyer, seller } = state
    const abort = new AbortController()
    const asked = buyer.ask(abort.signal)
    await scheduler.pass(MINUTE, () => asked.text.length > 8)
    abort.abort()
    await scheduler.pass(3 * MINUTE)
    expect(asked.text.length).toBeLessThan(WHOLE_ANSWER.length)
    expect(brokenLaws([buyer, seller])).toEqual([])
    expect(seller.books.mesh.page(0, 9)).toHaveLength(1)
    expect(seller.books.mesh.disputes()).toEqual([])
  })
})
