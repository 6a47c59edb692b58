import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { hexFromBytes, sha256, TiramiError, utf8 } from '../kernel/index.ts'
import { checkedEvent, commandInvalid } from './safety-errors.ts'
import { tableSize } from './safety-state.ts'
import { effectiveNowMs } from './safety-window.ts'
import { Hex32, Millis } from './schema.ts'
import { emptyTable, type Table, tableCodec, tableDelete, tableEntries, tableGet, tableSet } from './table.ts'

export {
  AUTH_FAILURE_RATE,
  NO_RATES,
  peekRate,
  RATE_CALLERS_MAX,
  type RateState,
  REQUEST_RATE,
  takeRate,
} from './access-rate.ts'

/** Spec section 1.12. */
export const TokenScope = z.enum(['readonly', 'inference', 'economy', 'admin'])
export type TokenScope = z.infer<typeof TokenScope>

export type AccessAction =
  /** What models there are. */
  | 'model.read'
  /** The caller's own balance, budget and open questions. */
  | 'account.read'
  /** Everyone's trades, peers, prices, safety state and proposals. */
  | 'ledger.read'
  /** Answers that cost TRM. */
  | 'inference.run'
  /** Lending, staking, referrals, proposals and votes. */
  | 'economy.write'
  /** Kill switch, policies, approvals, breaker. */
  | 'safety.write'
  | 'token.read'
  | 'token.write'
  /** Settings, models, saving. */
  | 'host.write'

const READ: readonly AccessAction[] = ['model.read', 'account.read', 'ledger.read']
const USE: readonly AccessAction[] = ['model.read', 'account.read', 'inference.run']
const EARN: readonly AccessAction[] = [...READ, ...USE, 'economy.write']

/**
 * What each scope may do; what is not listed is refused. `readonly` and `inference` stand side by side, so that an
 * app that was given a key to chat with cannot read who traded what. `economy` includes both; `admin` is the owner.
 */
const SCOPE_ACTIONS: Readonly<Record<TokenScope, ReadonlySet<AccessAction>>> = {
  readonly: new Set(READ),
  inference: new Set(USE),
  economy: new Set(EARN),
  admin: new Set([...EARN, 'safety.write', 'token.read', 'token.write', 'host.write']),
}

export const TOKENS_MAX = 256
const DEFAULT_TOKEN_TTL_SECS = 604_800
const TOKEN_TTL_SECS_MAX = 10 * 365 * 86_400
const ROTATION_GRACE_MS_MAX = 86_400_000

/** What is known of a token. The token itself is shown once, when it is made, and kept nowhere. */
export interface TokenRecord {
  scope: TokenScope
  /** May act for this node; null for no node but the host's own accounts. */
  nodeId: string | null
  label: string
  createdAtMs: number
  /** Null never expires. */
  expiresAtMs: number | null
  /** Replaced by another token and valid only until it expires. */
  retiring: boolean
}

/** Tokens by SHA-256 of their text. Follows from the events alone. */
export interface AccessState {
  /** The latest time of any event: a clock that goes back revives no token. */
  atMs: number
  tokens: Table<TokenRecord>
}

export const INITIAL_ACCESS: AccessState = { atMs: 0, tokens: emptyTable() }

const Label = z.string().max(128)

/** Plain JSON ⇄ `AccessState`. */
export const AccessStateCodec = z.strictObject({
  atMs: Millis,
  tokens: tableCodec(
    Hex32,
    z.strictObject({
      scope: TokenScope,
      nodeId: Hex32.nullable(),
      label: Label,
      createdAtMs: Millis,
      expiresAtMs: Millis.nullable(),
      retiring: z.boolean(),
    }),
  ),
})

/** What the host journals. No event ever holds a token. */
export const AccessEvent = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('access.issued'),
    tokenHash: Hex32,
    scope: TokenScope,
    nodeId: Hex32.nullable(),
    label: Label,
    expiresAtMs: Millis.nullable(),
    atMs: Millis,
  }),
  z.strictObject({ kind: z.literal('access.revoked'), tokenHash: Hex32, atMs: Millis }),
  z.strictObject({
    kind: z.literal('access.rotated'),
    tokenHash: Hex32,
    newTokenHash: Hex32,
    /** Until then the old token works beside the new one. */
    graceUntilMs: Millis,
    expiresAtMs: Millis.nullable(),
    atMs: Millis,
  }),
])
export type AccessEvent = z.infer<typeof AccessEvent>

export interface AccessContext {
  /** Milliseconds since the Unix epoch. */
  nowMs: number
}

function refused(code: string, message: string, nextStep: string, httpStatus: number): TiramiError {
  return new TiramiError(code, message, { nextStep, httpStatus })
}

const INVALID = 'ACCESS_COMMAND_INVALID'
const checked = (event: AccessEvent): AccessEvent => checkedEvent(AccessEvent, event, INVALID)
const tokenUnknown = () =>
  refused('TOKEN_UNKNOWN', 'There is no such token.', 'Take the hash from the list of tokens.', 404)
const tokenInvalid = () =>
  refused('TOKEN_INVALID', 'The token is not valid.', 'Use a valid token, or ask the owner for one.', 401)

/** SHA-256 over the text of the token, as it is stored (vector V3.10). */
export function tokenHash(token: string): string {
  return hexFromBytes(sha256(utf8(token)))
}

const isLive = (record: TokenRecord, nowMs: number): boolean =>
  record.expiresAtMs === null || nowMs < record.expiresAtMs

function newHash(state: AccessState, token: string): string {
  if (!/^[0-9a-f]{64}$/.test(token)) throw commandInvalid(INVALID, 'token', 'it is 32 random bytes in hex')
  const hash = tokenHash(token)
  if (tableGet(state.tokens, hash)) throw commandInvalid(INVALID, 'token', 'it exists already')
  return hash
}

const liveCount = (state: AccessState, nowMs: number): number =>
  tableEntries(state.tokens).filter(([, record]) => isLive(record, nowMs)).length

function assertRoom(state: AccessState, nowMs: number): void {
  if (tableSize(state.tokens) < TOKENS_MAX || liveCount(state, nowMs) < TOKENS_MAX) return
  throw refused('TOKENS_FULL', `There are ${TOKENS_MAX} tokens already.`, 'Revoke one that is not used.', 409)
}

export interface IssueCommand {
  /** 32 bytes from the host's random source, as hex. */
  token: string
  scope: TokenScope
  nodeId?: string | null
  /** 0 never expires. */
  ttlSecs?: number
  label?: string
}

/** @throws TiramiError ACCESS_COMMAND_INVALID, TOKENS_FULL, CLOCK_UNREADABLE */
export function decideIssue(
  state: AccessState,
  command: IssueCommand,
  context: AccessContext,
): AccessEvent[] {
  const { token, scope, nodeId = null, ttlSecs = DEFAULT_TOKEN_TTL_SECS, label = '' } = command
  const atMs = effectiveNowMs(state, context.nowMs)
  if (!Number.isSafeInteger(ttlSecs) || ttlSecs < 0 || ttlSecs > TOKEN_TTL_SECS_MAX) {
    throw commandInvalid(INVALID, 'ttlSecs', 'it is 0 (for ever) to ten years, in seconds')
  }
  assertRoom(state, atMs)
  const expiresAtMs = ttlSecs === 0 ? null : atMs + ttlSecs * 1000
  const hash = newHash(state, token)
  return [checked({ kind: 'access.issued', tokenHash: hash, scope, nodeId, label, expiresAtMs, atMs })]
}

/** The token is refused from now on. @throws TiramiError TOKEN_UNKNOWN, CLOCK_UNREADABLE */
export function decideRevoke(
  state: AccessState,
  { tokenHash: hash }: { tokenHash: string },
  context: AccessContext,
): AccessEvent[] {
  const atMs = effectiveNowMs(state, context.nowMs)
  if (!tableGet(state.tokens, hash)) throw tokenUnknown()
  return [checked({ kind: 'access.revoked', tokenHash: hash, atMs })]
}

export interface RotateCommand {
  tokenHash: string
  /** 32 fresh random bytes, as hex. */
  newToken: string
  /** How long the old token works beside the new one; 0 ends it at once. */
  graceMs: number
}

/**
 * A new token with the rights and the time to live of the old one.
 * @throws TiramiError TOKEN_UNKNOWN (also for expired tokens and ones that were replaced before),
 *   ACCESS_COMMAND_INVALID, TOKENS_FULL, CLOCK_UNREADABLE
 */
export function decideRotate(
  state: AccessState,
  command: RotateCommand,
  context: AccessContext,
): AccessEvent[] {
  const { graceMs } = command
  const atMs = effectiveNowMs(state, context.nowMs)
  const old = tableGet(state.tokens, command.tokenHash)
  if (!old || old.retiring || !isLive(old, atMs)) throw tokenUnknown()
  if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > ROTATION_GRACE_MS_MAX) {
    throw commandInvalid(INVALID, 'graceMs', 'it is 0 to 24 hours, in milliseconds')
  }
  if (graceMs > 0) assertRoom(state, atMs)
  const ttlMs = old.expiresAtMs === null ? null : old.expiresAtMs - old.createdAtMs
  return [
    checked({
      kind: 'access.rotated',
      tokenHash: command.tokenHash,
      newTokenHash: newHash(state, command.newToken),
      graceUntilMs: Math.min(atMs + graceMs, old.expiresAtMs ?? Number.MAX_SAFE_INTEGER),
      expiresAtMs: ttlMs === null ? null : atMs + ttlMs,
      atMs,
    }),
  ]
}

/** Pure: live events and replayed events go through here. @throws Error when the event contradicts the state */
export function applyAccessEvent(state: AccessState, event: AccessEvent): AccessState {
  const atMs = Math.max(state.atMs, event.atMs)
  const tokens = tableEntries(state.tokens)
    .filter(([, record]) => !isLive(record, event.atMs))
    .reduce((live, [hash]) => tableDelete(live, hash), state.tokens)
  switch (event.kind) {
    case 'access.issued': {
      const { tokenHash: hash, scope, nodeId, label, expiresAtMs } = event
      const record = { scope, nodeId, label, createdAtMs: event.atMs, expiresAtMs, retiring: false }
      return { atMs, tokens: tableSet(tokens, hash, record) }
    }
    case 'access.revoked':
      return { atMs, tokens: tableDelete(tokens, event.tokenHash) }
    case 'access.rotated': {
      const old = tableGet(tokens, event.tokenHash)
      if (!old) throw new Error('the token that was rotated does not exist')
      const { newTokenHash, expiresAtMs, graceUntilMs } = event
      const next = tableSet(tokens, newTokenHash, { ...old, createdAtMs: event.atMs, expiresAtMs })
      const retired = { ...old, expiresAtMs: graceUntilMs, retiring: true }
      return {
        atMs,
        tokens:
          graceUntilMs > event.atMs
            ? tableSet(next, event.tokenHash, retired)
            : tableDelete(next, event.tokenHash),
      }
    }
  }
}

/**
 * The record behind a presented token, or null. Compares with every stored hash in full: the time taken tells
 * nothing about a wrong token. @throws TiramiError CLOCK_UNREADABLE
 */
export function identifyToken(
  state: AccessState,
  token: string,
  context: AccessContext,
): { tokenHash: string; record: TokenRecord } | null {
  const nowMs = effectiveNowMs(state, context.nowMs)
  const presented = Buffer.from(tokenHash(token))
  let found: { tokenHash: string; record: TokenRecord } | null = null
  for (const [hash, record] of tableEntries(state.tokens)) {
    if (timingSafeEqual(Buffer.from(hash), presented)) found = { tokenHash: hash, record }
  }
  return found && isLive(found.record, nowMs) ? found : null
}

export interface AuthorisationContext extends AccessContext {
  /** The node that the request names as the one it acts for; only a token of that node may. */
  nodeId?: string
}

/**
 * May a token do this? Anything that is not expressly allowed is refused.
 * @throws TiramiError TOKEN_INVALID (401), SCOPE_INSUFFICIENT, TOKEN_NODE_MISMATCH (403)
 */
export function authorise(
  record: TokenRecord | null,
  action: AccessAction,
  context: AuthorisationContext,
): void {
  if (!record || !(context.nowMs >= 0) || !isLive(record, context.nowMs)) throw tokenInvalid()
  if (!SCOPE_ACTIONS[record.scope].has(action)) {
    throw refused(
      'SCOPE_INSUFFICIENT',
      `A token of scope “${record.scope}” may not do this.`,
      'Ask the owner for a token with a wider scope.',
      403,
    )
  }
  if (context.nodeId !== undefined && context.nodeId !== record.nodeId) {
    throw refused(
      'TOKEN_NODE_MISMATCH',
      'This token may not act for that node.',
      'Use a token that was made for the node that the request names.',
      403,
    )
  }
}

/** For the owner's list: live tokens with their hashes, never the tokens. */
export function listTokens(state: AccessState, context: AccessContext): [string, TokenRecord][] {
  const nowMs = effectiveNowMs(state, context.nowMs)
  return tableEntries(state.tokens).filter(([, record]) => isLive(record, nowMs))
}
