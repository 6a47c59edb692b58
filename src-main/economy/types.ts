import { MAX_AMOUNT_TRM } from '../kernel/index.ts'
import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'

/** One double-entry step: `debit` falls and `credit` rises by `amountTrm` (whole TRM, above zero). */
export interface Movement {
  debit: string
  credit: string
  amountTrm: bigint
  code: string
}

/** What the host journals as one record: all of it or none of it. */
export interface Decision<Event> {
  event: Event
  movements: Movement[]
}

/** What every decision may look at besides its own state. */
export interface EconomyContext {
  /** Milliseconds since the Unix epoch, from the host's clock; it may run backwards. */
  nowMs: number
  parameters: Parameters
  /** Balance of an account such as `available:<node id>`, in TRM; below zero where a node uses credit. */
  balanceTrm(account: string): bigint
}

export const SYSTEM_MINT = 'system:mint'
export const SYSTEM_BURN = 'system:burn'
export const SYSTEM_POOL = 'system:pool'

export const reservedAccount = (node: string): string => `reserved:${node}`
export const availableAccount = (node: string): string => `available:${node}`
export const stakedAccount = (node: string): string => `staked:${node}`
export const collateralAccount = (node: string): string => `collateral:${node}`

/** @returns the movement as a list of one, or no movement at all for zero TRM. */
export function movement(debit: string, credit: string, amountTrm: bigint, code: string): Movement[] {
  return amountTrm > 0n ? [{ debit, credit, amountTrm, code }] : []
}

/** @throws TiramiError AMOUNT_INVALID (400) outside 1..2^64-1 TRM */
export function requireAmount(amountTrm: bigint): void {
  if (amountTrm >= 1n && amountTrm <= MAX_AMOUNT_TRM) return
  throw refusal('AMOUNT_INVALID', 'The amount must be at least 1 TRM.', 'Send a whole number of TRM.', 400)
}

/** @throws TiramiError INSUFFICIENT_BALANCE (402). Credit is for inference only: it never counts here. */
export function requireAvailable(context: EconomyContext, node: string, amountTrm: bigint): void {
  const haveTrm = context.balanceTrm(availableAccount(node))
  if (haveTrm >= amountTrm) return
  throw refusal(
    'INSUFFICIENT_BALANCE',
    `This needs ${amountTrm} TRM and ${haveTrm > 0n ? haveTrm : 0n} TRM are available.`,
    'Choose a smaller amount, or earn TRM first.',
    402,
  )
}

/** A factor such as 1.2 as a whole number of millionths, so that amounts are computed without rounding errors. */
export function micro(factor: number): bigint {
  return BigInt(Math.round(factor * 1e6))
}

export const MICRO = 1_000_000n

/** floor(amount × factor), exact for any amount. */
export function floorShare(amountTrm: bigint, factor: number): bigint {
  return (amountTrm * micro(factor)) / MICRO
}

/** NaN becomes `low`: what cannot be measured counts least. */
export function clamp(value: number, low: number, high: number): number {
  return value > low ? Math.min(value, high) : low
}

/**
 * The time that a limiter goes by: never earlier than what it has counted, so that a clock turned back and forth
 * lets nothing more through than one that stands still.
 */
export function limiterMs(countedMs: readonly number[], nowMs: number): number {
  return Math.max(nowMs, ...countedMs)
}

export function smaller(left: bigint, right: bigint): bigint {
  return left < right ? left : right
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
