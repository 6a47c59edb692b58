import { applyEconomy, type EconomyState, INITIAL_ECONOMY } from '../economy.ts'
import type { EconomyEvent } from '../events.ts'
import { defaultParameters, type Parameters } from '../parameters.ts'
import type { Decision, EconomyContext, Movement } from '../types.ts'

/** Accounts in memory and the folded state: what the host does with a decision, without a journal. */
export interface Bank {
  balances: Map<string, bigint>
  state: EconomyState
  events: EconomyEvent[]
  parameters: Parameters
}

export function openBank(start: Record<string, bigint> = {}, parameters = defaultParameters()): Bank {
  const balances = new Map(Object.entries(start))
  const total = [...balances.values()].reduce((sum, balance) => sum + balance, 0n)
  // Opening balances came from trades with somebody.
  balances.set('available:outside', -total)
  return { balances, state: INITIAL_ECONOMY, events: [], parameters }
}

export function at(bank: Bank, nowMs: number): EconomyContext {
  return { nowMs, parameters: bank.parameters, balanceTrm: (account) => bank.balances.get(account) ?? 0n }
}

function post(bank: Bank, movements: readonly Movement[]): void {
  for (const { debit, credit, amountTrm } of movements) {
    if (amountTrm <= 0n) throw new Error('a movement moves nothing')
    if (!/^[a-z]+:[0-9a-z-]+$/.test(debit) || !/^[a-z]+:[0-9a-z-]+$/.test(credit))
      throw new Error('bad account')
    bank.balances.set(debit, (bank.balances.get(debit) ?? 0n) - amountTrm)
    bank.balances.set(credit, (bank.balances.get(credit) ?? 0n) + amountTrm)
  }
}

/** Posts the movements and folds the event, as one record. */
export function book(bank: Bank, { event, movements }: Decision<EconomyEvent>): void {
  post(bank, movements)
  bank.events.push(event)
  bank.state = applyEconomy(bank.state, event)
}

export function nodeId(index: number): string {
  return Array.from({ length: 32 }, (_, i) =>
    ((index * 37 + i * 7) & 255).toString(16).padStart(2, '0'),
  ).join('')
}

export function codeOf(run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    return (error as { code?: string }).code ?? `not a refusal: ${String(error)}`
  }
}
