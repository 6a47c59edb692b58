import { hexFromBytes, MerkleLog } from '../kernel/index.ts'
import { Accounts, availableAccount, reservedAccount, type SavedAccounts, type Transfer } from './accounts.ts'
import { digest } from './hash.ts'
import type { LedgerRecord, ReserveRecord, SettleRecord, VoidRecord } from './record-types.ts'
import { canonicalTradeBytes, nonceKey } from './trade.ts'
import { TransparencyTree } from './transparency.ts'
import type { Movement } from './types.ts'

/** TRM held for a job. Pending until it is posted (settle) or released (void). */
export interface Reservation {
  id: string
  consumer: string
  provider: string
  amountTrm: bigint
  expiresAtMs: number
}

/** Transfers of the record with journal sequence `sequence`: the ledger gives ids and time. */
export function numbered(sequence: number, atMs: number, movements: readonly Movement[]): Transfer[] {
  return movements.map(({ debit, credit, amountTrm, code }, position) => {
    return { id: `${sequence}-${position}`, debit, credit, amountTrm, code, atMs }
  })
}

function within(consumer: string, code: 'reserve' | 'release', amountTrm: bigint): Movement {
  const [available, reserved] = [availableAccount(consumer), reservedAccount(consumer)]
  if (code === 'reserve') return { debit: available, credit: reserved, amountTrm, code }
  return { debit: reserved, credit: available, amountTrm, code }
}

/** available → reserved. `sequence` is the journal sequence of the record that carries the transfers. */
export function reserveTransfers(
  sequence: number,
  atMs: number,
  consumer: string,
  amountTrm: bigint,
): Transfer[] {
  return numbered(sequence, atMs, [within(consumer, 'reserve', amountTrm)])
}

/** Consumer's reserved → provider's available, and the rest back to the consumer. */
export function settleTransfers(
  sequence: number,
  atMs: number,
  held: Reservation,
  amountTrm: bigint,
): Transfer[] {
  const trade: Movement = {
    debit: reservedAccount(held.consumer),
    credit: availableAccount(held.provider),
    amountTrm,
    code: 'trade',
  }
  const restTrm = held.amountTrm - amountTrm
  return numbered(sequence, atMs, restTrm > 0n ? [trade, within(held.consumer, 'release', restTrm)] : [trade])
}

/** The whole hold back to the consumer. */
export function voidTransfers(sequence: number, atMs: number, held: Reservation): Transfer[] {
  return numbered(sequence, atMs, [within(held.consumer, 'release', held.amountTrm)])
}

function assertSameTransfers(actual: Transfer[], expected: Transfer[]): void {
  const same =
    actual.length === expected.length &&
    actual.every((transfer, position) => {
      const other = expected[position]
      return (
        other !== undefined &&
        transfer.id === other.id &&
        transfer.debit === other.debit &&
        transfer.credit === other.credit &&
        transfer.amountTrm === other.amountTrm &&
        transfer.code === other.code &&
        transfer.atMs === other.atMs
      )
    })
  if (!same) throw new Error('the transfers do not follow from the record')
}

/** What a snapshot keeps of the state: plain data that a structured clone can carry. */
export interface SavedState {
  accounts: SavedAccounts
  transparency: Uint8Array[]
  trades: ReturnType<MerkleLog['save']>
  pending: Reservation[]
  /** Per provider, 16 bytes for each nonce, in the order of the trades. */
  nonces: Map<string, Uint8Array>
}

const NONCE_HEX_DIGITS = 32

const packNonces = (nonces: ReadonlySet<string>): Uint8Array => Buffer.from([...nonces].join(''), 'hex')

function* unpackNonces(packed: Uint8Array): Generator<string> {
  const digits = hexFromBytes(packed)
  for (let at = 0; at < digits.length; at += NONCE_HEX_DIGITS) yield digits.slice(at, at + NONCE_HEX_DIGITS)
}

/**
 * Everything that follows from the journal's records, with no input or output of its own. Live records and replayed
 * records go through the same `apply`. It trusts signatures: they are checked before a record is written and again
 * whenever a proof is asked for.
 */
export class LedgerState {
  readonly accounts: Accounts
  /** Over the canonical bytes of all trades; for proofs. */
  readonly transparency: TransparencyTree
  readonly #trades: MerkleLog
  readonly #pending = new Map<string, Reservation>()
  readonly #pendingByConsumer = new Map<string, Map<string, Reservation>>()
  readonly #nonces = new Map<string, Set<string>>()

  /** @param saved by `save`; nothing for the state before the first record */
  constructor(saved?: SavedState) {
    this.accounts = saved ? Accounts.restore(saved.accounts) : new Accounts()
    this.transparency = saved ? TransparencyTree.restore(saved.transparency) : new TransparencyTree()
    this.#trades = saved ? MerkleLog.restore(saved.trades) : new MerkleLog()
    for (const reservation of saved?.pending ?? []) this.#hold(reservation)
    for (const [provider, packed] of saved?.nonces ?? []) {
      this.#nonces.set(provider, new Set(unpackNonces(packed)))
    }
  }

  save(): SavedState {
    return {
      accounts: this.accounts.save(),
      transparency: this.transparency.save(),
      trades: this.#trades.save(),
      pending: this.allPending(),
      nonces: new Map([...this.#nonces].map(([provider, nonces]) => [provider, packNonces(nonces)])),
    }
  }

  /** @param sequence journal sequence of the record. @throws Error when the record contradicts the state */
  apply(sequence: number, record: LedgerRecord): void {
    if (record.kind === 'reserve') this.#applyReserve(sequence, record)
    else if (record.kind === 'settle') this.#applySettle(sequence, record)
    else if (record.kind === 'void') this.#applyVoid(sequence, record)
    else this.accounts.apply(record.transfers)
  }

  pending(reservationId: string): Reservation | undefined {
    return this.#pending.get(reservationId)
  }

  allPending(): Reservation[] {
    return [...this.#pending.values()]
  }

  expiredOf(consumer: string, nowMs: number): Reservation[] {
    const held = this.#pendingByConsumer.get(consumer)
    return held ? [...held.values()].filter((reservation) => nowMs > reservation.expiresAtMs) : []
  }

  sawNonce(provider: string, nonce: string): boolean {
    return this.#nonces.get(provider)?.has(nonce) ?? false
  }

  get tradeCount(): number {
    return this.#trades.size
  }

  merkleRoot(): Uint8Array {
    return this.#trades.root()
  }

  #applyReserve(sequence: number, record: ReserveRecord): void {
    const { reservation: id, consumer, provider, amountTrm, expiresAtMs } = record
    if (id !== `r${sequence}`) throw new Error('the reservation id does not follow from the sequence')
    assertSameTransfers(record.transfers, reserveTransfers(sequence, record.atMs, consumer, amountTrm))
    if (this.accounts.spendableTrm(consumer, record.creditLimitTrm) < amountTrm) {
      throw new Error('the reservation exceeds the credit limit')
    }
    this.accounts.apply(record.transfers)
    this.#hold({ id, consumer, provider, amountTrm, expiresAtMs })
  }

  #applySettle(sequence: number, record: SettleRecord): void {
    const held = this.#held(record.reservation)
    const { provider, consumer, amountTrm } = record.terms
    const nonce = nonceKey(record.terms)
    if (provider !== held.provider || consumer !== held.consumer) throw new Error('the parties differ')
    if (amountTrm > held.amountTrm) throw new Error('the trade exceeds its reservation')
    if (this.sawNonce(provider, nonce)) throw new Error('the nonce was used before')
    assertSameTransfers(record.transfers, settleTransfers(sequence, record.atMs, held, amountTrm))
    const signedBytes = canonicalTradeBytes(record.terms)
    this.accounts.apply(record.transfers)
    this.#release(held)
    const nonces = this.#nonces.get(provider) ?? new Set<string>()
    nonces.add(nonce)
    this.#nonces.set(provider, nonces)
    this.#trades.append(digest(signedBytes))
    this.transparency.append(signedBytes)
  }

  #applyVoid(sequence: number, record: VoidRecord): void {
    const held = this.#held(record.reservation)
    assertSameTransfers(record.transfers, voidTransfers(sequence, record.atMs, held))
    this.accounts.apply(record.transfers)
    this.#release(held)
  }

  #held(reservationId: string): Reservation {
    const held = this.#pending.get(reservationId)
    if (!held) throw new Error('the reservation is not pending')
    return held
  }

  #hold(reservation: Reservation): void {
    const { id, consumer } = reservation
    this.#pending.set(id, reservation)
    const ofConsumer = this.#pendingByConsumer.get(consumer) ?? new Map<string, Reservation>()
    ofConsumer.set(id, reservation)
    this.#pendingByConsumer.set(consumer, ofConsumer)
  }

  #release(held: Reservation): void {
    this.#pending.delete(held.id)
    const ofConsumer = this.#pendingByConsumer.get(held.consumer)
    ofConsumer?.delete(held.id)
    if (ofConsumer?.size === 0) this.#pendingByConsumer.delete(held.consumer)
  }
}
