import type { Trade } from '../../../src-preload/contract/index.ts'
import { applySafetyEvent, initialSafetyState, SafetyEvent } from '../../economy/index.ts'
import { hexFromBytes, type KeyPair, sha256, utf8 } from '../../kernel/index.ts'
import { type Ledger, type ObservedTrade, openLedger } from '../../ledger/index.ts'
import { FACTS, key, ManualClock, signed, terms, workerUrl } from '../../ledger/test-support.ts'
import { createEconomy, type EconomyService } from '../economy-service.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const NODE = key(1)
export const OWNER = key(2)
/** Strangers, each with a key of his own. */
export const stranger = (number: number): KeyPair => key(10 + number)

const PAGE = 1_000

/** A host's economy over the real ledger, with its clock in the test's hand. */
export class EconomyHouse {
  readonly clock = new ManualClock()
  readonly directory: string
  safety = initialSafetyState()
  #nonces = 0
  #ledger: Ledger | null = null
  #economy: EconomyService | null = null

  constructor(directory: string) {
    this.directory = directory
  }

  get ledger(): Ledger {
    if (!this.#ledger) throw new Error('the house is closed')
    return this.#ledger
  }

  get economy(): EconomyService {
    if (!this.#economy) throw new Error('the house is closed')
    return this.#economy
  }

  async open(): Promise<this> {
    this.safety = initialSafetyState()
    const economy = createEconomy({
      ledger: () => this.ledger,
      safety: () => this.safety,
      clock: this.clock,
      node: NODE,
    })
    const ledger = await openLedger({
      directory: this.directory,
      clock: this.clock,
      projectionWorkerUrl: workerUrl,
      observer: {
        events: (events, atMs) => {
          economy.observer.events(events, atMs)
          for (const event of events) {
            if (event.kind.startsWith('safety.'))
              this.safety = applySafetyEvent(this.safety, SafetyEvent.parse(event))
          }
        },
      },
    })
    for (let before = ledger.tradeCount(); before > 0; before -= PAGE) {
      for (const trade of await ledger.listTrades({ limit: PAGE, beforeIndex: before })) {
        economy.observer.trade(observed(trade))
      }
    }
    ledger.onTrade((trade) => economy.observer.trade(observed(trade)))
    this.#ledger = ledger
    this.#economy = economy
    return this
  }

  async close(): Promise<void> {
    await this.ledger.close()
    this.#ledger = null
    this.#economy = null
  }

  async restart(): Promise<void> {
    await this.close()
    await this.open()
  }

  /** A booked trade; the consumer goes into debt for it. */
  async trade(provider: KeyPair, consumer: KeyPair, amountTrm: bigint): Promise<void> {
    const nonce = sha256(utf8(`nonce ${this.#nonces++} ${this.clock.ms}`)).slice(0, 16)
    const parties = { provider: provider.publicKeyHex, consumer: consumer.publicKeyHex }
    const of = terms(0, { ...parties, amountTrm, timestampMs: BigInt(this.clock.ms), nonce })
    const limits = { creditLimitTrm: 10n ** 18n, expiresAtMs: this.clock.ms + HOUR }
    const reservation = this.ledger.reserve({ ...parties, amountTrm, ...limits })
    const ownKey = consumer === OWNER
    const trade = await this.ledger.settle(reservation, signed(of, provider, consumer), { ...FACTS, ownKey })
    await this.economy.rewardTrade(trade)
  }

  async advance(ms: number) {
    this.clock.ms += ms
    return this.economy.tick(this.clock.ms)
  }

  trm(account: string): bigint {
    return this.ledger.accountTrm(account)
  }

  records(): number {
    return this.ledger.journal().records
  }
}

/** Sum over every account that the economy or the trades of these nodes can touch: zero, always. */
export function sumTrm(house: EconomyHouse, nodes: readonly KeyPair[]): bigint {
  const accounts = ['system:mint', 'system:burn', 'system:pool']
  for (const { publicKeyHex: id } of nodes) {
    accounts.push(`available:${id}`, `reserved:${id}`, `staked:${id}`, `collateral:${id}`)
  }
  return accounts.reduce((sum, account) => sum + house.trm(account), 0n)
}

export const signHex = (pair: KeyPair, bytes: Uint8Array): string => hexFromBytes(pair.sign(bytes))

const observed = ({
  provider,
  consumer,
  amountTrm,
  timestampMs,
  ownKey,
  passedOnTrm,
}: Trade): ObservedTrade => ({
  provider,
  consumer,
  amountTrm: BigInt(amountTrm),
  timestampMs,
  ownKey,
  passedOnTrm: BigInt(passedOnTrm ?? 0),
})
