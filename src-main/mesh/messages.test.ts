import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { keyPairFromSeed } from '../kernel/index.ts'
import { CONDUCT_RULES, Conduct } from './conduct.ts'
import { openEnvelope, readBody, sealEnvelope } from './envelope.ts'
import { REPLAY_RULES, ReplayWindow } from './replay.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(7))
const NOW = Date.UTC(2026, 10, 1)

describe('an envelope', () => {
  const sealed = sealEnvelope(key, NOW, { kind: 'hello', n: 1 })

  it('comes out as it went in, with its origin', () => {
    const opened = openEnvelope(sealed)
    if (!opened.ok) throw new Error(opened.reason)
    expect(opened.envelope).toMatchObject({ origin: key.publicKeyHex, seq: NOW })
    expect(
      readBody(z.strictObject({ kind: z.literal('hello'), n: z.number() }), opened.envelope.body),
    ).toEqual({
      kind: 'hello',
      n: 1,
    })
    expect(readBody(z.strictObject({ kind: z.literal('other') }), opened.envelope.body)).toBeNull()
  })

  it('is refused when any bit of it was changed, and a later version by its name', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
        const changed = Uint8Array.from(sealed)
        changed[at] = (changed[at] ?? 0) ^ (1 << bit)
        const opened = openEnvelope(changed)
        expect(opened).toMatchObject({ ok: false })
        if (!opened.ok && at === 0) expect(opened.reason).toBe('version')
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(openEnvelope(bytes).ok).toBe(false)
        expect(openEnvelope(Uint8Array.of(1, ...bytes)).ok).toBe(false)
      }),
      { seed: 8 },
    )
  })
})

describe('a replay window', () => {
  it('hears each message of an origin once, in whatever order they come', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ origin: fc.constantFrom('a', 'b', 'c'), age: fc.integer({ min: -50, max: 150 }) }),
          {
            maxLength: 200,
          },
        ),
        (messages) => {
          const window = new ReplayWindow(NOW - 100, [], { toleranceMs: 120, originsMax: 2, perOrigin: 8 })
          const heard = new Set<string>()
          for (const { origin, age } of messages) {
            const seq = NOW - age
            if (window.accept(origin, seq, NOW) !== 'fresh') continue
            expect(heard.has(`${origin} ${seq}`)).toBe(false)
            expect(age).toBeLessThanOrEqual(100)
            heard.add(`${origin} ${seq}`)
          }
        },
      ),
      { seed: 9, numRuns: 500 },
    )
  })

  it('after a restart hears nothing again, saved or not', () => {
    const first = new ReplayWindow(NOW)
    const ahead = NOW + 60_000
    expect(first.accept('a', NOW + 1, NOW + 10)).toBe('fresh')
    expect(first.accept('a', ahead, NOW + 10)).toBe('fresh')
    // Killed: nothing was saved.
    const killed = new ReplayWindow(NOW + 20)
    expect(killed.accept('a', NOW + 1, NOW + 30)).toBe('replayed')
    expect(killed.accept('a', NOW + 25, NOW + 30)).toBe('fresh')
    // Stopped in order: not even what an origin with a clock that runs ahead had sent.
    const stopped = new ReplayWindow(NOW + 20, first.save())
    expect(stopped.accept('a', ahead, NOW + 30)).toBe('replayed')
    expect(stopped.accept('a', ahead + 1, NOW + 30)).toBe('fresh')
  })

  it('takes nothing from far away in time', () => {
    const window = new ReplayWindow(0)
    expect(window.accept('a', NOW - REPLAY_RULES.toleranceMs - 1, NOW)).toBe('stale')
    expect(window.accept('a', NOW + REPLAY_RULES.toleranceMs + 1, NOW)).toBe('future')
  })
})

describe('conduct', () => {
  it('lets a node send as much as its rate, and no more', () => {
    const conduct = new Conduct()
    const { burst, perSecond } = CONDUCT_RULES.rate
    const allowed = (atMs: number, tries: number) =>
      Array.from({ length: tries }, () => conduct.allow('a', 1, atMs)).filter(Boolean).length
    expect(allowed(NOW, burst * 2)).toBe(burst)
    expect(allowed(NOW + 1000, burst * 2)).toBe(perSecond)
    // A clock that is set back gives nothing.
    expect(allowed(NOW - 5000, burst)).toBe(0)
    expect(allowed(NOW + 1000, 1)).toBe(0)
    expect(conduct.allow('b', CONDUCT_RULES.bytes.burst + 1, NOW)).toBe(false)
  })

  it('forgives slowly, bans, and bans longer each time', () => {
    const conduct = new Conduct()
    for (let n = 0; n < 4; n++) expect(conduct.fault('a', 'malformed', NOW)).toBe(false)
    expect(conduct.score('a', NOW)).toBe(-80)
    expect(conduct.score('a', NOW + CONDUCT_RULES.halfLifeMs)).toBe(-40)
    expect(conduct.fault('b', 'forged', NOW)).toBe(true)
    expect(conduct.isBanned('b', NOW + CONDUCT_RULES.banMs - 1)).toBe(true)
    expect(conduct.isBanned('b', NOW + CONDUCT_RULES.banMs)).toBe(false)
    const later = NOW + CONDUCT_RULES.banMs
    conduct.fault('b', 'forged', later)
    expect(conduct.isBanned('b', later + 2 * CONDUCT_RULES.banMs - 1)).toBe(true)
  })

  it('a ban outlives a restart, and a crowd of new keys', () => {
    const before = new Conduct()
    before.fault('a', 'forged', NOW)
    const conduct = new Conduct(before.save(), { ...CONDUCT_RULES, nodesMax: 10 })
    for (let n = 0; n < 100; n++) conduct.allow(`sybil ${n}`, 1, NOW)
    expect(conduct.isBanned('a', NOW)).toBe(true)
    expect(conduct.banned(NOW)).toEqual([{ nodeId: 'a', untilMs: NOW + CONDUCT_RULES.banMs }])
  })
})
