import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { TiramiError } from '../kernel/index.ts'
import {
  AccessEvent,
  type AccessState,
  AccessStateCodec,
  AUTH_FAILURE_RATE,
  applyAccessEvent,
  authorise,
  decideIssue,
  decideRevoke,
  decideRotate,
  INITIAL_ACCESS,
  type IssueCommand,
  identifyToken,
  listTokens,
  NO_RATES,
  peekRate,
  RATE_CALLERS_MAX,
  type RateState,
  REQUEST_RATE,
  TOKENS_MAX,
  takeRate,
  tokenHash,
} from './access.ts'

const NODE = 'aa'.repeat(32)
const OTHER_NODE = 'bb'.repeat(32)
const START_MS = 1_700_000_000_000
const tokenOf = (index: number) => index.toString(16).padStart(64, '0')

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof TiramiError) return error.code
    throw error
  }
  return 'ok'
}

class AccessDesk {
  state: AccessState = INITIAL_ACCESS
  nowMs = START_MS
  readonly journal: string[] = []

  append(events: AccessEvent[]): this {
    for (const event of events) {
      this.journal.push(JSON.stringify(event))
      this.state = applyAccessEvent(this.state, event)
    }
    return this
  }

  issue(command: Partial<IssueCommand> & { token: string }): this {
    return this.append(decideIssue(this.state, { scope: 'inference', ...command }, this))
  }

  rotate(token: string, newToken: string, graceMs: number): this {
    return this.append(decideRotate(this.state, { tokenHash: tokenHash(token), newToken, graceMs }, this))
  }

  knows(token: string): boolean {
    return identifyToken(this.state, token, this) !== null
  }

  may(token: string, action: Parameters<typeof authorise>[1], nodeId?: string): string {
    const record = identifyToken(this.state, token, this)?.record ?? null
    return codeOf(() => authorise(record, action, { nowMs: this.nowMs, ...(nodeId && { nodeId }) }))
  }

  restarted(): AccessState {
    return this.journal
      .map((line) => AccessEvent.parse(JSON.parse(line)))
      .reduce(applyAccessEvent, INITIAL_ACCESS)
  }
}

describe('tokens', () => {
  it('are stored as the SHA-256 of their text (vector V3.10), and nothing else of them is', () => {
    expect(tokenHash('0'.repeat(64))).toBe('60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55')
    const token = 'c0ffee'.padEnd(64, '7')
    const desk = new AccessDesk().issue({ token })
    expect(desk.journal.join()).not.toContain(token)
    expect(JSON.stringify(z.encode(AccessStateCodec, desk.state))).not.toContain(token)
  })

  it('are found by their text only', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(10) })
    expect(desk.knows(tokenOf(10))).toBe(true)
    for (const wrong of [
      '',
      tokenOf(11),
      tokenOf(10).toUpperCase(),
      `${tokenOf(10)} `,
      tokenOf(10).slice(1),
    ]) {
      expect(desk.knows(wrong)).toBe(false)
    }
    expect(desk.knows(tokenHash(tokenOf(10)))).toBe(false)
    expect(desk.knows('x'.repeat(1_000_000))).toBe(false)
  })

  it('expire, also when the clock has gone back since', () => {
    const desk = new AccessDesk()
      .issue({ token: tokenOf(1), ttlSecs: 10 })
      .issue({ token: tokenOf(2), ttlSecs: 0 })
    desk.nowMs += 9_999
    expect(desk.knows(tokenOf(1))).toBe(true)
    desk.nowMs += 1
    expect(desk.knows(tokenOf(1))).toBe(false)
    desk.issue({ token: tokenOf(3) })
    desk.nowMs = START_MS
    expect([desk.knows(tokenOf(1)), desk.knows(tokenOf(2))]).toEqual([false, true])
    expect(listTokens(desk.state, desk)).toHaveLength(2)
  })

  it('live a week unless told otherwise', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(1) })
    expect(listTokens(desk.state, desk)[0]?.[1].expiresAtMs).toBe(START_MS + 604_800_000)
  })

  it('can be revoked at once', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(1) })
    const command = { tokenHash: tokenHash(tokenOf(1)) }
    desk.append(decideRevoke(desk.state, command, desk))
    expect(desk.knows(tokenOf(1))).toBe(false)
    expect(codeOf(() => decideRevoke(desk.state, command, desk))).toBe('TOKEN_UNKNOWN')
  })

  it('rotate with a grace, keeping scope, node and time to live', () => {
    const desk = new AccessDesk().issue({
      token: tokenOf(1),
      scope: 'economy',
      nodeId: NODE,
      ttlSecs: 100,
      label: 'bot',
    })
    desk.nowMs += 50_000
    desk.rotate(tokenOf(1), tokenOf(2), 5_000)
    expect(desk.may(tokenOf(1), 'economy.write', NODE)).toBe('ok')
    expect(identifyToken(desk.state, tokenOf(2), desk)?.record).toEqual({
      scope: 'economy',
      nodeId: NODE,
      label: 'bot',
      createdAtMs: START_MS + 50_000,
      expiresAtMs: START_MS + 150_000,
      retiring: false,
    })
    expect(codeOf(() => desk.rotate(tokenOf(1), tokenOf(3), 0))).toBe('TOKEN_UNKNOWN')
    desk.nowMs += 5_000
    expect([desk.knows(tokenOf(1)), desk.knows(tokenOf(2))]).toEqual([false, true])
  })

  it('rotate without a grace ends the old one at once, and a grace never prolongs it', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(1), ttlSecs: 10 })
    desk.rotate(tokenOf(1), tokenOf(2), 0)
    expect([desk.knows(tokenOf(1)), desk.knows(tokenOf(2))]).toEqual([false, true])
    desk.rotate(tokenOf(2), tokenOf(3), 86_400_000)
    desk.nowMs += 10_000
    expect(desk.knows(tokenOf(2))).toBe(false)
  })

  it('are limited in number, and expired ones make room', () => {
    const desk = new AccessDesk()
    for (let i = 0; i < TOKENS_MAX; i++) desk.issue({ token: tokenOf(i), ttlSecs: 60 })
    expect(codeOf(() => desk.issue({ token: tokenOf(999) }))).toBe('TOKENS_FULL')
    desk.rotate(tokenOf(0), tokenOf(998), 0)
    desk.nowMs += 60_000
    desk.issue({ token: tokenOf(999) })
    expect(listTokens(desk.state, desk)).toHaveLength(1)
  })

  it.each([
    { token: 'short' },
    { token: tokenOf(1), ttlSecs: -1 },
    { token: tokenOf(1), ttlSecs: 1.5 },
    { token: tokenOf(1), ttlSecs: 1e12 },
    { token: tokenOf(1), label: 'x'.repeat(129) },
    { token: tokenOf(1), nodeId: 'not-a-node' },
  ])('refuses %j', (command) => {
    expect(codeOf(() => new AccessDesk().issue(command))).toBe('ACCESS_COMMAND_INVALID')
  })

  it('a restart gives the same tokens', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(1) }).issue({ token: tokenOf(2), nodeId: NODE })
    desk.rotate(tokenOf(1), tokenOf(3), 1_000)
    expect(desk.restarted()).toEqual(desk.state)
    const json = JSON.parse(JSON.stringify(z.encode(AccessStateCodec, desk.state)))
    expect(z.decode(AccessStateCodec, json)).toEqual(desk.state)
  })
})

describe('scopes', () => {
  const ACTIONS = [
    'model.read',
    'account.read',
    'ledger.read',
    'inference.run',
    'economy.write',
    'safety.write',
    'token.read',
    'token.write',
    'host.write',
  ] as const

  it.each([
    ['readonly', [1, 1, 1, 0, 0, 0, 0, 0, 0]],
    ['inference', [1, 1, 0, 1, 0, 0, 0, 0, 0]],
    ['economy', [1, 1, 1, 1, 1, 0, 0, 0, 0]],
    ['admin', [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ] as const)('%s', (scope, allowed) => {
    const desk = new AccessDesk().issue({ token: tokenOf(1), scope })
    expect(ACTIONS.map((action) => desk.may(tokenOf(1), action))).toEqual(
      allowed.map((yes) => (yes ? 'ok' : 'SCOPE_INSUFFICIENT')),
    )
  })

  it('what is not listed, unknown or expired is refused', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(1), scope: 'admin', ttlSecs: 1 })
    expect(desk.may(tokenOf(1), 'constructor' as 'host.write')).toBe('SCOPE_INSUFFICIENT')
    expect(desk.may(tokenOf(2), 'model.read')).toBe('TOKEN_INVALID')
    const record = identifyToken(desk.state, tokenOf(1), desk)?.record ?? null
    expect(codeOf(() => authorise(record, 'model.read', { nowMs: START_MS + 1000 }))).toBe('TOKEN_INVALID')
    expect(codeOf(() => authorise(record, 'model.read', { nowMs: Number.NaN }))).toBe('TOKEN_INVALID')
  })

  it('a token of a node acts for that node only', () => {
    const desk = new AccessDesk().issue({ token: tokenOf(1), nodeId: NODE }).issue({ token: tokenOf(2) })
    expect(desk.may(tokenOf(1), 'inference.run', NODE)).toBe('ok')
    expect(desk.may(tokenOf(1), 'inference.run', OTHER_NODE)).toBe('TOKEN_NODE_MISMATCH')
    expect(desk.may(tokenOf(1), 'inference.run')).toBe('ok')
    expect(desk.may(tokenOf(2), 'inference.run', OTHER_NODE)).toBe('TOKEN_NODE_MISMATCH')
  })
})

describe('rate limits', () => {
  const burst = (state: RateState, caller: string, nowMs: number, requests: number) => {
    let [allowed, next] = [0, state]
    for (let i = 0; i < requests; i++) {
      const verdict = takeRate(next, caller, nowMs, REQUEST_RATE)
      if (verdict.allowed) allowed++
      next = verdict.state
    }
    return { allowed, state: next }
  }

  it('30 at once, then 30 per second, each caller for himself', () => {
    const first = burst(NO_RATES, 'a', 0, 100)
    expect(first.allowed).toBe(30)
    expect(burst(first.state, 'b', 0, 100).allowed).toBe(30)
    expect(peekRate(first.state, 'a', 0, REQUEST_RATE)).toEqual({ allowed: false, retryAfterMs: 34 })
    expect(burst(first.state, 'a', 33, 10).allowed).toBe(0)
    expect(burst(first.state, 'a', 34, 10).allowed).toBe(1)
    expect(burst(first.state, 'a', 500, 100).allowed).toBe(15)
    expect(burst(first.state, 'a', 1e9, 100).allowed).toBe(30)
  })

  it('never allows more than capacity + rate × time', () => {
    const arrivals = fc.array(fc.nat(200), { maxLength: 300 })
    fc.assert(
      fc.property(arrivals, (gaps) => {
        let [state, nowMs, allowed] = [NO_RATES, 0, 0]
        for (const gapMs of gaps) {
          nowMs += gapMs
          const verdict = takeRate(state, 'a', nowMs, REQUEST_RATE)
          if (verdict.allowed) allowed++
          state = verdict.state
        }
        expect(allowed).toBeLessThanOrEqual(30 + (nowMs * 30) / 1000)
      }),
    )
  })

  it('retryAfterMs is exact', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.integer({ min: 31, max: 90 }), (nowMs, requests) => {
        const { state } = burst(NO_RATES, 'a', nowMs, requests)
        const { retryAfterMs } = peekRate(state, 'a', nowMs, REQUEST_RATE)
        expect(peekRate(state, 'a', nowMs + retryAfterMs - 1, REQUEST_RATE).allowed).toBe(false)
        expect(peekRate(state, 'a', nowMs + retryAfterMs, REQUEST_RATE).allowed).toBe(true)
      }),
    )
  })

  it('ten failed logins lock out their source, and nobody else', () => {
    let state: RateState = NO_RATES
    for (let i = 0; i < 10; i++) state = takeRate(state, '10.0.0.1', i, AUTH_FAILURE_RATE).state
    expect(peekRate(state, '10.0.0.1', 10, AUTH_FAILURE_RATE).allowed).toBe(false)
    expect(peekRate(state, '10.0.0.2', 10, AUTH_FAILURE_RATE).allowed).toBe(true)
    expect(peekRate(state, '10.0.0.1', 6_010, AUTH_FAILURE_RATE).allowed).toBe(true)
  })

  it('remembers a bounded number of callers, and the busiest survive', () => {
    let state: RateState = NO_RATES
    for (let i = 0; i < 4_000; i++) {
      state = takeRate(state, `stranger ${i}`, i, REQUEST_RATE).state
      if (i % 500 === 0) state = takeRate(state, 'regular', i, REQUEST_RATE).state
    }
    expect(state.size).toBe(RATE_CALLERS_MAX)
    expect(state.has('regular')).toBe(true)
  })

  it('a clock that goes back refills nothing; an unreadable one refuses', () => {
    const { state } = burst(NO_RATES, 'a', 10_000, 30)
    expect(burst(state, 'a', 0, 1).allowed).toBe(0)
    expect(burst(burst(state, 'a', 0, 1).state, 'a', 10_001, 1).allowed).toBe(0)
    expect(codeOf(() => takeRate(state, 'a', Number.NaN, REQUEST_RATE))).toBe('CLOCK_UNREADABLE')
  })
})
