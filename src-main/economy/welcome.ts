import { z } from 'zod'
import { bytesFromHex } from '../kernel/index.ts'
import {
  type EconomyEvent,
  type EventOf,
  WelcomeBucketSchema,
  type WelcomeOutcome,
  WelcomeOutcomeSchema,
} from './events.ts'
import type { Parameters } from './parameters.ts'
import { refusal } from './refusal.ts'
import { Hex32, Millis, Whole } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableGet, tableSet } from './table.ts'
import { halvingEpoch, mintedTrm } from './tokenomics.ts'
import {
  availableAccount,
  type Decision,
  type EconomyContext,
  HOUR_MS,
  limiterMs,
  reservedAccount,
  stakedAccount,
} from './types.ts'

/** A line of credit, not a grant: nothing is minted, the node may go this far below zero until it expires. */
export interface WelcomeLoan {
  principalTrm: bigint
  expiresAtMs: number
  status: 'active' | WelcomeOutcome
}

export interface WelcomeState {
  loans: Table<WelcomeLoan>
  /** Times of the grants per bucket (network of origin) within the limiter's window. */
  buckets: Table<readonly number[]>
}

export const WelcomeStateCodec = z.strictObject({
  loans: tableCodec(
    Hex32,
    z.strictObject({
      principalTrm: Whole,
      expiresAtMs: Millis,
      status: z.enum(['active', ...WelcomeOutcomeSchema.options]),
    }),
  ),
  buckets: tableCodec(WelcomeBucketSchema, z.array(Millis).readonly()),
})

export const INITIAL_WELCOME: WelcomeState = { loans: emptyTable(), buckets: emptyTable() }

export interface WelcomeCommand {
  node: string
  /** Network of origin as the host sees it, never as the caller claims it. */
  bucket: string
  contributedTrm: bigint
  consumedTrm: bigint
  /** Known nodes that have consumed and contributed nothing. */
  unprovenNodes: number
}

/** Shannon entropy of the id's bytes, in bits per byte; at most 5 for 32 bytes (vectors V4.17). */
export function nodeIdEntropyBits(node: string): number {
  const bytes = bytesFromHex(node)
  const counts = new Map<number, number>()
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1)
  return [...counts.values()].reduce((bits, count) => {
    const share = count / bytes.length
    return bits - share * Math.log2(share)
  }, 0)
}

/** Loans that the bucket may still be granted now. A clock set back frees nothing. */
export function bucketAllowance(
  grants: readonly number[],
  stakeProven: boolean,
  nowMs: number,
  p: Pick<
    Parameters,
    'WELCOME_LOAN_PER_BUCKET_CAP' | 'WELCOME_STAKE_PROVEN_FACTOR' | 'WELCOME_BUCKET_WINDOW_MS'
  >,
): number {
  const cap = p.WELCOME_LOAN_PER_BUCKET_CAP * (stakeProven ? p.WELCOME_STAKE_PROVEN_FACTOR : 1)
  const limitMs = limiterMs(grants, nowMs)
  return Math.max(0, cap - grants.filter((atMs) => limitMs - atMs < p.WELCOME_BUCKET_WINDOW_MS).length)
}

/**
 * A newcomer has spent nothing and cannot pay a stake from what it has earned. The original refuses whoever has earned
 * anything; with stakes that are really debited that node could never serve again (spec section 2.11).
 */
function requireNewcomer(state: WelcomeState, command: WelcomeCommand, context: EconomyContext): void {
  const { node, contributedTrm } = command
  if (nodeIdEntropyBits(node) < context.parameters.NODE_ID_MIN_ENTROPY_BITS) {
    const nextStep = 'Generate a new key pair.'
    throw refusal('LOW_ENTROPY_NODE_ID', 'The node id does not look like a key.', nextStep, 400)
  }
  const stakeTrm = BigInt(context.parameters.MIN_PROVIDER_STAKE_TRM)
  // What is held for a job is not spent yet.
  const haveTrm = context.balanceTrm(availableAccount(node)) + context.balanceTrm(reservedAccount(node))
  const established = command.consumedTrm > 0n || contributedTrm >= stakeTrm || haveTrm >= stakeTrm
  if (established || haveTrm < 0n || tableGet(state.loans, node)) {
    throw refusal('WELCOME_ALREADY_KNOWN', 'Welcome loans are for new nodes.', 'Earn TRM by serving.')
  }
}

/**
 * Grants the welcome loan (spec section 2.12).
 * @throws TiramiError WELCOME_CLOSED (410), LOW_ENTROPY_NODE_ID, BUCKET_INVALID (400), WELCOME_ALREADY_KNOWN (409),
 *   SYBIL_CEILING, WELCOME_BUCKET_FULL (429)
 */
export function decideWelcome(
  state: WelcomeState,
  command: WelcomeCommand,
  context: EconomyContext,
): Decision<EventOf<'welcome.granted'>> {
  const { nowMs, parameters: p } = context
  const { node, bucket } = command
  const principalTrm = BigInt(p.WELCOME_LOAN_AMOUNT)
  if (principalTrm === 0n || halvingEpoch(mintedTrm(context), p) >= p.WELCOME_LOAN_SUNSET_EPOCH) {
    throw refusal('WELCOME_CLOSED', 'Welcome loans have ended.', 'Stake TRM to serve.', 410)
  }
  if (!WelcomeBucketSchema.safeParse(bucket).success) {
    throw refusal(
      'BUCKET_INVALID',
      'The network of origin is not valid.',
      'Report this to the operator.',
      400,
    )
  }
  requireNewcomer(state, command, context)
  if (command.unprovenNodes > p.WELCOME_LOAN_SYBIL_THRESHOLD) {
    throw refusal('SYBIL_CEILING', 'Too many newcomers have not earned yet.', 'Try again later.', 429)
  }
  const stakeProven = context.balanceTrm(stakedAccount(node)) >= BigInt(p.MIN_PROVIDER_STAKE_TRM)
  if (bucketAllowance(tableGet(state.buckets, bucket) ?? [], stakeProven, nowMs, p) === 0) {
    throw refusal(
      'WELCOME_BUCKET_FULL',
      'Your network has had its loans for today.',
      'Try again tomorrow.',
      429,
    )
  }
  return {
    event: {
      kind: 'welcome.granted',
      node,
      bucket,
      bucketWindowMs: p.WELCOME_BUCKET_WINDOW_MS,
      principalTrm: principalTrm.toString(),
      expiresAtMs: nowMs + p.WELCOME_LOAN_TERM_HOURS * HOUR_MS,
      atMs: nowMs,
    },
    movements: [],
  }
}

/**
 * Ends an expired loan. Earning nothing is not a fault: no outcome slashes or bans.
 * @throws TiramiError WELCOME_NOT_ACTIVE (404), WELCOME_NOT_EXPIRED (409)
 */
export function decideWelcomeSettlement(
  state: WelcomeState,
  command: { node: string; contributedTrm: bigint },
  context: EconomyContext,
): Decision<EventOf<'welcome.settled'>> {
  const { node } = command
  const loan = tableGet(state.loans, node)
  if (loan?.status !== 'active') {
    throw refusal('WELCOME_NOT_ACTIVE', 'This node has no open welcome loan.', 'Nothing is to be done.', 404)
  }
  if (context.nowMs < loan.expiresAtMs) {
    throw refusal('WELCOME_NOT_EXPIRED', 'The welcome loan still runs.', 'Settle it after it has expired.')
  }
  const inDebt = context.balanceTrm(availableAccount(node)) < 0n
  const outcome = inDebt ? 'in-debt' : command.contributedTrm > 0n ? 'repaid' : 'unused'
  return { event: { kind: 'welcome.settled', node, outcome, atMs: context.nowMs }, movements: [] }
}

export function applyWelcome(state: WelcomeState, event: EconomyEvent): WelcomeState {
  switch (event.kind) {
    case 'welcome.granted': {
      const { node, bucket, expiresAtMs, atMs } = event
      const loan: WelcomeLoan = { principalTrm: BigInt(event.principalTrm), expiresAtMs, status: 'active' }
      const grants = tableGet(state.buckets, bucket) ?? []
      const grantedAtMs = limiterMs(grants, atMs)
      const recent = grants.filter((then) => grantedAtMs - then < event.bucketWindowMs)
      return {
        loans: tableSet(state.loans, node, loan),
        buckets: tableSet(state.buckets, bucket, [...recent, grantedAtMs]),
      }
    }
    case 'welcome.settled': {
      const loan = tableGet(state.loans, event.node)
      if (!loan) return state
      return { ...state, loans: tableSet(state.loans, event.node, { ...loan, status: event.outcome }) }
    }
    default:
      return state
  }
}

/** Granted, neither settled nor expired. */
export function activeWelcomeLoan(state: WelcomeState, node: string, nowMs: number): WelcomeLoan | null {
  const loan = tableGet(state.loans, node)
  return loan?.status === 'active' && nowMs < loan.expiresAtMs ? loan : null
}

/** Nodes whose loan has expired and awaits its settlement, sorted. */
export function expiredWelcomeLoans(state: WelcomeState, nowMs: number): string[] {
  const nodes: string[] = []
  for (const shard of state.loans.values()) {
    for (const [node, loan] of shard)
      if (loan.status === 'active' && nowMs >= loan.expiresAtMs) nodes.push(node)
  }
  return nodes.sort()
}
