import {
  type AccessAction,
  AccessEvent,
  type AccessState,
  applyAccessEvent,
  authorise,
  decideIssue,
  decideRevoke,
  decideRotate,
  INITIAL_ACCESS,
  identifyToken,
  listTokens,
  NO_RATES,
  REQUEST_RATE,
  type TokenRecord,
  type TokenScope,
  takeRate,
} from '../economy/index.ts'
import { type Clock, hexFromBytes, type Rng, readClockMs, TiramiError } from '../kernel/index.ts'
import type { JournalEvent, Ledger } from '../ledger/index.ts'
import type { Consumer, HostKeys } from './keys.ts'

/** Who is behind a request, and what he may do. */
export interface Caller {
  consumer: Consumer
  token: TokenRecord
}

export interface IssuedToken {
  /** Shown once, kept nowhere. */
  token: string
  tokenHash: string
  record: TokenRecord
}

/** Scoped tokens of spec section 1.12 in force. The key in the api-key file is the owner's, with every right. */
export interface Access {
  observe(event: JournalEvent): void
  /** All that was observed: plain data. */
  save(): AccessState
  /** Instead of observing what led to `saved`. */
  restore(saved: AccessState): void
  /** @throws TiramiError API_KEY_INVALID (401), SCOPE_INSUFFICIENT (403) */
  authorise(token: string, action: AccessAction): Caller
  /** Counts a request of the caller. @throws TiramiError RATE_LIMITED (429) */
  limitRate(caller: Caller): void
  issue(command: {
    scope: TokenScope
    nodeId?: string | null
    ttlSecs?: number
    label?: string
  }): Promise<IssuedToken>
  rotate(command: { tokenHash: string; graceMs: number }): Promise<IssuedToken>
  revoke(tokenHash: string): Promise<void>
  list(): [tokenHash: string, record: TokenRecord][]
  /** The account behind a listed token. */
  consumerOf(tokenHash: string, record: TokenRecord): Consumer
}

const OWNER: TokenRecord = {
  scope: 'admin',
  nodeId: null,
  label: 'api-key file',
  createdAtMs: 0,
  expiresAtMs: null,
  retiring: false,
}

export function createAccess(ports: {
  ledger: () => Ledger
  keys: () => Pick<HostKeys, 'isApiKey' | 'localConsumer' | 'guestConsumer'>
  clock: Clock
  rng: Rng
}): Access {
  const { clock, rng, keys } = ports
  let state = INITIAL_ACCESS
  let rates = NO_RATES
  /** Derived once per token: a key pair costs more than the rest of a request's admission. */
  const guests = new Map<string, Consumer>()
  const now = () => ({ nowMs: Math.floor(clock.nowMs()) })
  let latestMs = 0
  /** For tokens that are presented: one that was seen to expire does not come back with a clock set back. */
  const latest = () => {
    latestMs = Math.max(latestMs, readClockMs(clock))
    return { nowMs: latestMs }
  }
  const freshToken = () => hexFromBytes(rng.bytes(32))

  const guestOf = (tokenHash: string, label: string): Consumer => {
    const guest = guests.get(tokenHash) ?? keys().guestConsumer(tokenHash, label)
    guests.set(tokenHash, guest)
    return guest
  }
  const identify = (token: string): Caller => {
    if (keys().isApiKey(token)) return { consumer: keys().localConsumer, token: OWNER }
    const found = identifyToken(state, token, latest())
    if (!found) throw invalidKey()
    return { consumer: guestOf(found.tokenHash, found.record.label), token: found.record }
  }
  const issued = (token: string): IssuedToken => {
    const found = identifyToken(state, token, now())
    if (!found) throw new Error('the token that was just issued is not known')
    return { token, ...found }
  }

  return {
    observe: (event) => {
      if (!event.kind.startsWith('access.')) return
      state = applyAccessEvent(state, AccessEvent.parse(event))
      // So that it holds no key of a token that is gone.
      guests.clear()
    },
    save: () => state,
    restore: (saved) => {
      state = saved
    },
    authorise: (token, action) => {
      const caller = identify(token)
      authorise(caller.token, action, now())
      return caller
    },
    limitRate: ({ consumer }) => {
      const verdict = takeRate(rates, consumer.publicKeyHex, performance.now(), REQUEST_RATE)
      rates = verdict.state
      if (!verdict.allowed) throw rateLimited(verdict.retryAfterMs)
    },
    issue: async (command) => {
      const token = freshToken()
      await ports.ledger().post(decideIssue(state, { ...command, token }, now()))
      return issued(token)
    },
    rotate: async (command) => {
      const newToken = freshToken()
      await ports.ledger().post(decideRotate(state, { ...command, newToken }, now()))
      return issued(newToken)
    },
    revoke: (hash) => ports.ledger().post(decideRevoke(state, { tokenHash: hash }, now())),
    list: () => listTokens(state, now()),
    consumerOf: (tokenHash, { label }) => guestOf(tokenHash, label),
  }
}

function invalidKey(): TiramiError {
  return new TiramiError('API_KEY_INVALID', 'This API key is not valid.', {
    nextStep:
      'Send “Authorization: Bearer KEY” with the key from the host’s api-key file, or a token of this host.',
    httpStatus: 401,
  })
}

function rateLimited(retryAfterMs: number): TiramiError {
  return new TiramiError('RATE_LIMITED', 'This key asks too often.', {
    nextStep: `Try again in ${Math.max(1, Math.ceil(retryAfterMs))} ms.`,
    httpStatus: 429,
  })
}
