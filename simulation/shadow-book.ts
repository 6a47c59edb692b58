import { law } from './broken.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

const available = (node: string) => `available:${node}`
const reserved = (node: string) => `reserved:${node}`

interface Ticket {
  consumer: string
  provider: string
  amountTrm: bigint
  expiresAtMs: number
}

/** What a node has done with strangers, as this book saw it. */
interface Dealings {
  earnedTrm: bigint
  spentTrm: bigint
  ownUseTrm: bigint
  firstMs: number
}

const NO_DEALINGS: Dealings = {
  earnedTrm: 0n,
  spentTrm: 0n,
  ownUseTrm: 0n,
  firstMs: Number.POSITIVE_INFINITY,
}

/**
 * The simulation's own double-entry book. It learns what was asked and what was answered and does its own sums; it
 * reads nothing of the code under test, so that the two can only agree by both being right.
 */
export class ShadowBook {
  readonly #balances = new Map<string, bigint>()
  readonly #tickets = new Map<string, Ticket>()
  readonly #spentNonces = new Set<string>()
  readonly #dealings = new Map<string, Dealings>()
  /** Largest credit line that a reservation was ever granted against. */
  readonly #lines = new Map<string, bigint>()
  readonly #touched = new Set<string>()
  mintedTrm = 0n
  burnedTrm = 0n
  trades = 0

  balanceTrm(account: string): bigint {
    return this.#balances.get(account) ?? 0n
  }

  availableTrm(node: string): bigint {
    return this.balanceTrm(available(node))
  }

  /** Free of credit and of what its owner paid himself. */
  ownTrm(node: string): bigint {
    return this.availableTrm(node) - this.dealings(node).ownUseTrm
  }

  dealings(node: string): Readonly<Dealings> {
    return this.#dealings.get(node) ?? NO_DEALINGS
  }

  accounts(): string[] {
    return [...this.#balances.keys()]
  }

  /** Accounts that moved since the last call. */
  takeTouched(): string[] {
    const out = [...this.#touched]
    this.#touched.clear()
    return out
  }

  unprovenNodes(): number {
    let count = 0
    for (const { earnedTrm, spentTrm } of this.#dealings.values()) {
      if (earnedTrm === 0n && spentTrm > 0n) count++
    }
    return count
  }

  move(debit: string, credit: string, amountTrm: bigint): void {
    law(amountTrm >= 0n, `${amountTrm} TRM were moved from ${debit}`)
    if (amountTrm === 0n) return
    this.#balances.set(debit, this.balanceTrm(debit) - amountTrm)
    this.#balances.set(credit, this.balanceTrm(credit) + amountTrm)
    this.#touched.add(debit).add(credit)
    const earmarked = /^(reserved|staked|collateral):|^system:pool$/.test(debit)
    law(!earmarked || this.balanceTrm(debit) >= 0n, `${debit} fell below zero`)
  }

  /** TRM that a node takes out of its own money: credit does not count. */
  spendOwn(node: string, credit: string, amountTrm: bigint, why: string): void {
    law(
      amountTrm === 0n || this.ownTrm(node) >= amountTrm,
      () => `${node} put ${amountTrm} TRM into ${why} and owns ${this.ownTrm(node)}`,
    )
    this.move(available(node), credit, amountTrm)
  }

  mint(node: string, amountTrm: bigint, capTrm: bigint): void {
    this.mintedTrm += amountTrm
    law(this.mintedTrm <= capTrm, `${this.mintedTrm} TRM were minted, more than the cap`)
    this.move('system:mint', available(node), amountTrm)
  }

  burn(account: string, amountTrm: bigint): void {
    this.burnedTrm += amountTrm
    this.move(account, 'system:burn', amountTrm)
  }

  /** What `node` may still reserve. Expired tickets are free again, whether or not they were voided yet. */
  spendableTrm(node: string, creditLimitTrm: bigint, nowMs: number): bigint {
    let expiredTrm = 0n
    for (const { consumer, expiresAtMs, amountTrm } of this.#tickets.values()) {
      if (consumer === node && nowMs > expiresAtMs) expiredTrm += amountTrm
    }
    return this.availableTrm(node) + expiredTrm + creditLimitTrm
  }

  reserved(id: string, ticket: Ticket, creditLimitTrm: bigint, nowMs: number): void {
    law(!this.#tickets.has(id), `reservation ${id} was given twice`)
    const { consumer, amountTrm } = ticket
    const spendableTrm = this.spendableTrm(consumer, creditLimitTrm, nowMs)
    law(
      amountTrm <= spendableTrm,
      `${consumer} reserved ${amountTrm} TRM and could spend ${spendableTrm}: below its credit line`,
    )
    this.releaseExpired(consumer, nowMs)
    this.#tickets.set(id, { ...ticket })
    this.#lines.set(consumer, larger(this.#lines.get(consumer) ?? 0n, creditLimitTrm))
    this.move(available(consumer), reserved(consumer), amountTrm)
  }

  /** Whether a settle of this ticket can still be lawful. */
  isOpen(id: string, nowMs: number): boolean {
    const ticket = this.#tickets.get(id)
    return ticket !== undefined && nowMs <= ticket.expiresAtMs
  }

  settled(
    id: string,
    trade: { provider: string; consumer: string; amountTrm: bigint; nonce: string; timestampMs: number },
    ownKey: boolean,
    nowMs: number,
  ): void {
    const ticket = this.#tickets.get(id)
    law(ticket !== undefined, `reservation ${id} was settled and is not open`)
    law(nowMs <= ticket.expiresAtMs, `reservation ${id} was settled after it had expired`)
    const { provider, consumer, amountTrm } = trade
    law(ticket.provider === provider && ticket.consumer === consumer, `${id} was settled for other parties`)
    law(amountTrm > 0n && amountTrm <= ticket.amountTrm, `${id} was settled for ${amountTrm} TRM`)
    const nonce = `${provider}:${trade.nonce}`
    law(!this.#spentNonces.has(nonce), `nonce ${trade.nonce} of ${provider} was spent twice`)
    this.#spentNonces.add(nonce)
    this.#tickets.delete(id)
    this.trades++
    this.move(reserved(consumer), available(provider), amountTrm)
    this.move(reserved(consumer), available(consumer), ticket.amountTrm - amountTrm)
    this.#deal(provider, consumer, amountTrm, ownKey, trade.timestampMs)
  }

  #deal(provider: string, consumer: string, amountTrm: bigint, ownKey: boolean, atMs: number): void {
    const earner = this.dealings(provider)
    if (ownKey) {
      this.#dealings.set(provider, { ...earner, ownUseTrm: earner.ownUseTrm + amountTrm })
      return
    }
    const firstMs = Math.min(earner.firstMs, atMs)
    this.#dealings.set(provider, { ...earner, earnedTrm: earner.earnedTrm + amountTrm, firstMs })
    const payer = this.dealings(consumer)
    const payerFirstMs = Math.min(payer.firstMs, atMs)
    this.#dealings.set(consumer, { ...payer, spentTrm: payer.spentTrm + amountTrm, firstMs: payerFirstMs })
  }

  voided(id: string): void {
    const ticket = this.#tickets.get(id)
    if (!ticket) return
    this.#tickets.delete(id)
    this.move(reserved(ticket.consumer), available(ticket.consumer), ticket.amountTrm)
  }

  /** Jobs do not outlive the process. */
  restarted(): void {
    for (const id of [...this.#tickets.keys()]) this.voided(id)
  }

  /** Whoever asks for a reservation, granted or not, gets back first what lies in expired ones. */
  releaseExpired(consumer: string, nowMs: number): void {
    for (const [id, ticket] of this.#tickets) {
      if (ticket.consumer === consumer && nowMs > ticket.expiresAtMs) this.voided(id)
    }
  }

  /** The lowest that `available:<node>` may ever stand. */
  floorTrm(node: string): bigint {
    return -(this.#lines.get(node) ?? 0n)
  }

  /** Holds of expired tickets may be released at any moment: until then they may stand on either side. */
  compare(account: string, actualTrm: (account: string) => bigint): void {
    const [kind, node = ''] = account.split(':')
    if (kind === 'available' || kind === 'reserved') {
      const total = this.availableTrm(node) + this.balanceTrm(reserved(node))
      const actual = actualTrm(available(node)) + actualTrm(reserved(node))
      law(
        actual === total,
        `${node} holds ${actual} TRM, reserved included, and the shadow book says ${total}`,
      )
      law(actualTrm(reserved(node)) >= 0n, `${reserved(node)} is below zero`)
      law(
        actualTrm(available(node)) >= this.floorTrm(node),
        () =>
          `${node} stands at ${actualTrm(available(node))} TRM, below its credit line of ${this.floorTrm(node)}`,
      )
      return
    }
    const [actual, expected] = [actualTrm(account), this.balanceTrm(account)]
    law(actual === expected, `${account} holds ${actual} TRM and the shadow book says ${expected}`)
  }
}

export const larger = (left: bigint, right: bigint) => (left > right ? left : right)
