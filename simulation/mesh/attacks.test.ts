import { beforeEach, describe, expect, it } from 'vitest'
import { hexFromBytes, type KeyPair } from '../../src-main/kernel/index.ts'
import { temptingSignal } from '../../src-main/market/testing/crafted-signals.ts'
import { type MemoryNetwork, type Net, sealEnvelope } from '../../src-main/mesh/index.ts'
import { keyNumber } from '../keys.ts'
import { type House, MODEL, WHOLE_ANSWER } from './house.ts'
import { brokenLaws } from './laws.ts'
import type { Scheduler } from './scheduler.ts'
import { quietVillage } from './village.ts'

const MINUTE = 60_000
const attacker: KeyPair = keyNumber(50)
const text = (message: object) => new TextEncoder().encode(JSON.stringify(message))
const parsed = (bytes: Uint8Array) =>
  JSON.parse(new TextDecoder().decode(bytes)) as { [name: string]: unknown }

let scheduler: Scheduler
let network: MemoryNetwork
let buyer: House
let seller: House
let hostile: Net
/** Signals of others, as they went by. */
let overheard: Uint8Array[]

beforeEach(async () => {
  const village = quietVillage('attacks')
  scheduler = village.scheduler
  network = village.network
  ;[buyer, seller] = [village.houseOf(1, false), village.houseOf(2, true)]
  await seller.start()
  await buyer.start()
  overheard = []
  hostile = network.join(attacker.publicKeyHex)
  hostile.subscribe('signals', (message) => {
    overheard.push(message)
    return 'accept'
  })
  hostile.subscribe('trades', () => 'accept')
  await scheduler.pass(12_000)
})

const isBanned = () => buyer.market.node.isBanned(attacker.publicKeyHex)
const reasons = () => buyer.books.mesh.disputes().map(({ reason }) => reason)

/** Answers `begin` with a quote at this price, and what it is accepted with by `then`. */
function sellBadly(
  multiplierMicro: string,
  then: (send: (message: object) => Promise<void>) => Promise<void>,
) {
  hostile.handle('work/1', async (channel) => {
    for await (const bytes of channel.messages()) {
      if (bytes[0] !== 1) {
        await then((message) => channel.send(text(message)))
        continue
      }
      const begin = parsed(bytes.subarray(105))
      const quote = {
        kind: 'quote',
        jobId: begin.jobId,
        consumer: channel.peer,
        model: MODEL,
        nonce: hexFromBytes(new Uint8Array(16).fill(7)),
        timestampMs: String(scheduler.nowMs()),
        promptTokens: 9,
        price: { multiplierMicro, feeMicro: '0' },
        maxAmountTrm: '5',
      }
      await channel.send(sealEnvelope(attacker, scheduler.nowMs() + 1, quote))
    }
  })
}

/** The buyer hears the tempting signal, and asks. */
async function tempt() {
  await hostile.publish('signals', temptingSignal(attacker, MODEL, scheduler.nowMs()))
  await scheduler.pass(1_000)
  expect(buyer.market.rank({ model: MODEL, maxTokens: 8, mode: 'balanced' })[0]?.peer.nodeId).toBe(
    hostile.nodeId,
  )
  const asked = buyer.ask()
  await scheduler.pass(2 * MINUTE, () => asked.done)
  return asked
}

describe('a hostile node', () => {
  it('that quotes more than it has signed is caught with its own two signatures, and another host answers', async () => {
    sellBadly('1000000', async () => undefined)
    const asked = await tempt()
    expect(asked).toMatchObject({ text: WHOLE_ANSWER, failed: null })
    expect(reasons()).toEqual(['price-above-signed'])
    expect(buyer.books.mesh.disputes()[0]?.evidence.map(({ what }) => what)).toEqual([
      'signed price',
      'signed quote',
    ])
    expect(isBanned()).toBe(true)
    await scheduler.pass(MINUTE)
    expect(brokenLaws([buyer, seller])).toEqual([])
    expect(buyer.books.ledger.balance(attacker.publicKeyHex).contributedTrm).toBe(0n)
  })

  it('that bills more tokens than its bytes can hold is not paid', async () => {
    const signature = '0'.repeat(128)
    sellBadly('100000', (send) => send({ kind: 'piece', text: 'x', tokens: 60, amountTrm: '5', signature }))
    const asked = await tempt()
    expect(asked).toMatchObject({ text: '', failed: 'PEER_CHEATED' })
    expect(reasons()).toEqual(['bill-wrong'])
    expect(isBanned()).toBe(true)
    expect(buyer.books.mesh.page(0, 9)).toEqual([])
    await scheduler.pass(2 * MINUTE)
    expect(brokenLaws([buyer, seller])).toEqual([])
  })

  it('that replays what others have signed is not heard, not even by a host that was restarted', async () => {
    await scheduler.pass(2 * MINUTE)
    const captured = overheard.filter((bytes) => hexFromBytes(bytes.subarray(1, 33)) === seller.id).slice(-5)
    expect(captured).toHaveLength(5)
    await buyer.kill()
    await buyer.start()
    await scheduler.pass(1_000)
    const heard = buyer.market.node.counts().signalsHeard
    for (const message of captured) await hostile.publish('signals', message)
    await scheduler.pass(100)
    const { signalsHeard, refused } = buyer.market.node.counts()
    expect(signalsHeard).toBe(heard)
    expect(refused).toBe(captured.length)
  })

  it('that floods is dropped and banned, and the others go on', async () => {
    for (let message = 0; message < 3_000; message++) {
      await hostile.publish('signals', temptingSignal(attacker, MODEL, scheduler.nowMs() + message))
      if (message % 500 === 499) await scheduler.pass(20)
    }
    await scheduler.pass(1_000)
    expect(isBanned()).toBe(true)
    expect(network.connected(buyer.id, hostile.nodeId)).toBe(false)
    const asked = buyer.ask()
    await scheduler.pass(MINUTE, () => asked.done)
    expect(asked).toMatchObject({ text: WHOLE_ANSWER, failed: null })
  })

  it('that forges a trade is banned, and nobody has it', async () => {
    const nothing = '0'.repeat(128)
    const trade = {
      provider: attacker.publicKeyHex,
      consumer: buyer.id,
      amountTrm: '999999',
      tokensProcessed: '1',
      timestampMs: String(scheduler.nowMs()),
      modelId: MODEL,
      nonce: hexFromBytes(new Uint8Array(16).fill(9)),
      providerSignature: nothing,
      consumerSignature: nothing,
    }
    await hostile.publish('trades', sealEnvelope(attacker, scheduler.nowMs(), { kind: 'trade', trade }))
    await scheduler.pass(1_000)
    expect(isBanned()).toBe(true)
    expect(buyer.market.node.observed(9)).toEqual([])
    expect(buyer.books.ledger.balance(buyer.id).consumedTrm).toBe(0n)
  })

  it('of another version is refused by name, and not punished', async () => {
    const channel = await new Promise<Awaited<ReturnType<Net['open']>>>((resolve, reject) => {
      hostile.open(seller.id, 'work/1').then(resolve, reject)
      void scheduler.pass(100)
    })
    const later = sealEnvelope(attacker, scheduler.nowMs(), { kind: 'begin' })
    later[0] = 2
    await channel.send(later)
    const answer = channel.messages()[Symbol.asyncIterator]().next()
    await scheduler.pass(1_000)
    const { value } = await answer
    expect(parsed((value as Uint8Array).subarray(105))).toMatchObject({
      kind: 'refuse',
      code: 'PEER_VERSION',
    })
    expect(seller.market.node.isBanned(attacker.publicKeyHex)).toBe(false)
  })
})
