import { type Clock, type KeyPair, readClockMs, TiramiError } from '../kernel/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { Agreement, Bought, BuyerHooks, Candidate } from '../market/index.ts'
import { OWN_KEY_CREDIT_LIMIT_TRM } from './keys.ts'
import { flopOf } from './market-tariff.ts'
import type { Safety } from './safety.ts'

const RESERVATION_TTL_MS = 10 * 60_000

/** The purchase of an audit: this host asks for itself, so there is one trade. */
export class AuditBooking implements BuyerHooks {
  bought: Bought | null = null
  /** The signed request as it was sent. */
  begin: Uint8Array = new Uint8Array()
  readonly #ports: { ledger: Ledger; safety: Safety; node: KeyPair; clock: Clock }
  readonly #candidate: Candidate
  readonly #limitTrm: bigint
  readonly #startedAtMs = performance.now()
  #reservation: string | null = null
  #holdId: string | null = null

  /** @param limitTrm the most that it may cost */
  constructor(
    ports: { ledger: Ledger; safety: Safety; node: KeyPair; clock: Clock },
    candidate: Candidate,
    limitTrm: bigint,
  ) {
    this.#ports = ports
    this.#candidate = candidate
    this.#limitTrm = limitTrm
  }

  get costTrm(): bigint {
    return this.bought?.trade?.terms.amountTrm ?? 0n
  }

  agreed({ begin, quote: { maxAmountTrm: amountTrm } }: Agreement): void {
    this.begin = begin
    if (amountTrm > this.#limitTrm) throw tooDear()
    const { ledger, safety, node, clock } = this.#ports
    const consumer = node.publicKeyHex
    this.#holdId = safety.hold(consumer, amountTrm)
    try {
      this.#reservation = ledger.reserve({
        consumer,
        provider: this.#candidate.peer.nodeId,
        amountTrm,
        expiresAtMs: readClockMs(clock) + RESERVATION_TTL_MS,
        creditLimitTrm: OWN_KEY_CREDIT_LIMIT_TRM,
      })
    } catch (error) {
      safety.release(this.#holdId, 'not-agreed')
      throw error
    }
  }

  text(): void {
    // Looked at when the whole is there, signed.
  }

  async settled(bought: Bought, { quote: { promptTokens } }: Agreement): Promise<void> {
    this.bought = bought
    const { ledger, safety } = this.#ports
    const { trade, completionTokens, failure } = bought
    if (this.#reservation === null || this.#holdId === null) throw new Error('nothing is reserved')
    if (!trade) {
      const reason = failure?.code ?? 'cancelled'
      ledger.void(this.#reservation, reason)
      safety.release(this.#holdId, reason)
      return
    }
    safety.spent(this.#holdId, trade.terms.amountTrm)
    await ledger.settle(this.#reservation, trade, {
      flop: flopOf(this.#candidate.offer.cost, promptTokens, completionTokens),
      promptTokens,
      completionTokens,
      latencyMs: Math.round(performance.now() - this.#startedAtMs),
      consumerLabel: 'Audit',
      ownKey: false,
      remote: true,
    })
  }
}

function tooDear(): TiramiError {
  return new TiramiError('AUDIT_BUDGET', 'The audit would cost more than is left for audits today.', {
    nextStep: 'Raise mesh.audit_trm_per_day, or wait.',
    httpStatus: 409,
  })
}
