import type { Balance } from './types.ts'

/** `available:<node id>`, `reserved:<node id>`, `staked:<node id>`, `collateral:<node id>`, `system:<name>`. */
type AccountId = string
/** Why TRM moved: `reserve`, `release` and `trade` are the ledger's own, the economy names the others. */
export type TransferCode = string

/** One immutable movement. The debit account falls and the credit account rises by `amountTrm`. */
export interface Transfer {
  /** `<journal sequence>-<position in the record>`: unique for the life of the ledger. */
  id: string
  debit: AccountId
  credit: AccountId
  /** Whole TRM, above zero. */
  amountTrm: bigint
  code: TransferCode
  /** Milliseconds since the Unix epoch. */
  atMs: number
}

export function availableAccount(nodeId: string): AccountId {
  return `available:${nodeId}`
}

export function reservedAccount(nodeId: string): AccountId {
  return `reserved:${nodeId}`
}

function nodeOf(account: AccountId): string {
  return account.slice(account.indexOf(':') + 1)
}

const isEarmarked = (account: AccountId) => /^(reserved|staked|collateral):/.test(account)

interface NodeTotals {
  contributedTrm: bigint
  consumedTrm: bigint
}

export interface SavedAccounts {
  balances: Map<AccountId, bigint>
  nodes: Map<string, NodeTotals>
  tradedTrm: bigint
}

/**
 * Double entry: balances only change through transfers, and all balances always add up to zero. Totals that people
 * read (contributed, consumed) are kept alongside, so that reading them does not depend on the ledger's length.
 */
export class Accounts {
  readonly #balances = new Map<AccountId, bigint>()
  readonly #nodes = new Map<string, NodeTotals>()
  #sumTrm = 0n
  #tradedTrm = 0n

  /** What `restore` takes. */
  save(): SavedAccounts {
    return {
      balances: new Map(this.#balances),
      nodes: structuredClone(this.#nodes),
      tradedTrm: this.#tradedTrm,
    }
  }

  /** @throws Error when the balances do not add up to zero */
  static restore({ balances, nodes, tradedTrm }: SavedAccounts): Accounts {
    const accounts = new Accounts()
    for (const [account, balanceTrm] of balances) {
      accounts.#balances.set(account, balanceTrm)
      accounts.#sumTrm += balanceTrm
    }
    for (const [nodeId, totals] of nodes) accounts.#nodes.set(nodeId, totals)
    accounts.#tradedTrm = tradedTrm
    accounts.#assertBalanced()
    return accounts
  }

  /**
   * Applies the transfers of one record.
   * @throws Error when a transfer moves nothing, an earmarked account falls below zero, or the sum is not zero
   */
  apply(transfers: readonly Transfer[]): void {
    for (const transfer of transfers) {
      if (transfer.amountTrm <= 0n) throw new Error(`transfer ${transfer.id} moves nothing`)
      this.#add(transfer.debit, -transfer.amountTrm)
      this.#assertCovered(transfer.debit)
      this.#add(transfer.credit, transfer.amountTrm)
      if (transfer.code === 'trade') this.#countTrade(transfer)
    }
    this.#assertBalanced()
  }

  /** @throws Error when `apply` would, without changing anything */
  assertApplicable(transfers: readonly Transfer[]): void {
    const deltas = new Map<AccountId, bigint>()
    const add = (account: AccountId, deltaTrm: bigint): bigint => {
      const afterTrm = (deltas.get(account) ?? this.balanceTrm(account)) + deltaTrm
      deltas.set(account, afterTrm)
      return afterTrm
    }
    for (const { id, debit, credit, amountTrm } of transfers) {
      if (amountTrm <= 0n) throw new Error(`transfer ${id} moves nothing`)
      if (add(debit, -amountTrm) < 0n && isEarmarked(debit)) throw new Error(`${debit} would fall below zero`)
      add(credit, amountTrm)
    }
  }

  balanceTrm(account: AccountId): bigint {
    return this.#balances.get(account) ?? 0n
  }

  /** What the node could still reserve, in TRM, if it may go `creditLimitTrm` below zero. */
  spendableTrm(nodeId: string, creditLimitTrm: bigint): bigint {
    return this.balanceTrm(availableAccount(nodeId)) + creditLimitTrm
  }

  node(nodeId: string): Balance {
    const totals = this.#nodes.get(nodeId)
    return {
      contributedTrm: totals?.contributedTrm ?? 0n,
      consumedTrm: totals?.consumedTrm ?? 0n,
      reservedTrm: this.balanceTrm(reservedAccount(nodeId)),
    }
  }

  /** Zero, or the ledger is wrong. */
  get sumTrm(): bigint {
    return this.#sumTrm
  }

  get nodeCount(): number {
    return this.#nodes.size
  }

  /** Contributed by all nodes = consumed by all nodes, in TRM. */
  get tradedTrm(): bigint {
    return this.#tradedTrm
  }

  #add(account: AccountId, deltaTrm: bigint): void {
    const before = this.#balances.get(account)
    this.#balances.set(account, (before ?? 0n) + deltaTrm)
    this.#sumTrm += deltaTrm
    if (before === undefined && !account.startsWith('system:')) this.#totals(nodeOf(account))
  }

  #assertBalanced(): void {
    if (this.#sumTrm !== 0n) throw new Error(`the accounts add up to ${this.#sumTrm} TRM instead of zero`)
  }

  /** What is set aside for a purpose cannot be owed; only free balances and the system's accounts can. */
  #assertCovered(account: AccountId): void {
    if (this.balanceTrm(account) < 0n && isEarmarked(account))
      throw new Error(`${account} would fall below zero`)
  }

  #countTrade(transfer: Transfer): void {
    this.#totals(nodeOf(transfer.debit)).consumedTrm += transfer.amountTrm
    this.#totals(nodeOf(transfer.credit)).contributedTrm += transfer.amountTrm
    this.#tradedTrm += transfer.amountTrm
  }

  #totals(nodeId: string): NodeTotals {
    let totals = this.#nodes.get(nodeId)
    if (!totals) {
      totals = { contributedTrm: 0n, consumedTrm: 0n }
      this.#nodes.set(nodeId, totals)
    }
    return totals
  }
}
