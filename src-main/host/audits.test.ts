import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { stakedAccount } from '../economy/index.ts'
import { type Clock, type Rng, systemTimers } from '../kernel/index.ts'
import { memoryStorage } from '../ledger/index.ts'
import { auditTier, probedTokens, wireEvidence } from '../market/index.ts'
import { answer, challenger, evidence, provider, stranger } from '../market/testing/audit-evidence.ts'
import { type Audits, createAudits } from './audits.ts'
import { openBooks } from './books.ts'
import type { Consumer } from './keys.ts'

const NOW = Date.UTC(2026, 10, 1)
const clock: Clock = { nowMs: () => NOW }
let drawn = 0
const rng: Rng = { bytes: (length) => new Uint8Array(length).map(() => drawn++ % 251) }
const held = 'ab'.repeat(32)

let storage: ReturnType<typeof memoryStorage>
let books: Awaited<ReturnType<typeof openBooks>>
let audits: Audits

async function open(own = answer()): Promise<void> {
  books = await openBooks({
    directory: '/ledger',
    openKeys: () => ({
      node: stranger,
      nodeSeed: new Uint8Array(32),
      windowConsumer: stranger as unknown as Consumer,
      localConsumer: stranger as unknown as Consumer,
      apiKeyFile: '',
      isApiKey: () => false,
      guestConsumer: () => stranger as unknown as Consumer,
    }),
    projectionWorkerUrl: null,
    storage,
    clock,
    rng,
  })
  audits = createAudits({
    market: () => null,
    rules: books.audits,
    // The engine: what the file gives to every question.
    holder: {
      refresh: async () => undefined,
      holds: (weights) => weights === held,
      answer: async (_weights, requests) =>
        requests.map(() => ({ tokens: probedTokens(own), isPlain: true })),
    },
    ledger: books.ledger,
    safety: books.safety,
    economy: books.economy,
    node: stranger,
    clock,
    rng,
    timers: systemTimers,
    isIdle: () => true,
    budgetTrmPerDay: () => 1_000,
    onChange: () => undefined,
  })
}

async function close(): Promise<void> {
  await audits.close()
  await books.ledger.close()
}

beforeEach(async () => {
  storage = memoryStorage()
  await open()
  return close
})

const HOUR_MS = 3_600_000
const WEEK_MS = 7 * 24 * HOUR_MS
/** A probe that the provider fails: its number makes job, question and hour. */
const failing = (
  probe: number,
  { question = `Question ${probe}`, atMs = NOW - 9 * HOUR_MS + probe * HOUR_MS } = {},
) => evidence({ observed: answer(0.3), jobId: String(probe).padStart(32, '0'), question, atMs })
const node = provider.publicKeyHex
const reputation = () => books.economy.reputation.of(node)
const standing = () => ({ ...books.audits.standingOf(node), ...audits.standingOf(node) })
const slashes = () => books.economy.reputation.slashes()
const stakedTrm = () => books.ledger.accountTrm(stakedAccount(node))
const stake = (amountTrm: bigint) =>
  books.ledger.post(
    [{ kind: 'mesh.key-allowed', atMs: NOW, consumer: node, allowed: false } as { kind: string }],
    [{ debit: 'system:mint', credit: stakedAccount(node), amountTrm, code: 'staked' }],
  )
const unharmed = () => {
  expect(standing()).toMatchObject({ steps: 0, failed: 0, failedWeights: [] })
  expect(slashes()).toEqual([])
}
async function restart(): Promise<void> {
  await close()
  await open()
}

describe('a probe that fails', () => {
  it('is a suspicion when it is the first: others are asked first, and nothing else moves', async () => {
    await stake(1_000n)
    const before = reputation()
    expect(await audits.hear(failing(1))).toBe('suspected')
    unharmed()
    expect(standing().suspectedWeights).toEqual([held])
    expect([reputation(), stakedTrm()]).toEqual([before, 1_000n])
    const [result] = audits.view().results
    expect(result).toMatchObject({
      verdict: 'suspected',
      challenger: challenger.publicKeyHex,
      burnedTrm: '0',
    })
    // Nobody is shown half of what it takes.
    expect(audits.evidence(result?.auditId ?? '')).toBeNull()
  })

  it('counts when another one fails: tier, reputation, stake, with the evidence of both, also over a restart', async () => {
    await stake(1_000n)
    const before = reputation()
    await audits.hear(failing(1))
    await restart()
    expect(await audits.hear(failing(2))).toBe('confirmed')
    expect(standing()).toMatchObject({ steps: -1, failed: 1, failedWeights: [held], suspectedWeights: [] })
    // 0.1 for the failure, and the trust penalty of the slash.
    expect(reputation()).toBeCloseTo(before - 0.1 - 0.3, 10)
    expect(slashes()).toMatchObject([{ node, reason: 'audit-fail', trustPenalty: 0.3, burnedTrm: 200n }])
    expect(stakedTrm()).toBe(800n)
    const [result] = audits.view().results
    expect(result).toMatchObject({ verdict: 'failed', burnedTrm: '200', costTrm: '0' })
    expect(audits.evidence(result?.auditId ?? '')).toEqual([failing(1), failing(2)].map(wireEvidence))
  })

  it('counts once, however often it is told, and after a restart', async () => {
    const after = []
    for (const probe of [1, 1, 2, 1, 2]) {
      await audits.hear(failing(probe))
      await restart()
      after.push([standing().failed, slashes().length, reputation()])
    }
    expect(after.slice(0, 2).map(([failed]) => failed)).toEqual([0, 0])
    expect(new Set(after.slice(2).map(String)).size).toBe(1)
    expect(after.at(-1)?.slice(0, 2)).toEqual([1, 1])
  })

  it('makes two only with one that asks something else, at another time, within a week', async () => {
    await audits.hear(failing(1))
    const [atMs, question] = [NOW - 8 * HOUR_MS, 'Question 1']
    for (const dependent of [
      failing(2, { question }),
      failing(3, { atMs: NOW - 7 * HOUR_MS, question }),
      failing(4, { atMs: atMs - WEEK_MS }),
    ]) {
      expect(await audits.hear(dependent)).toBe('suspected')
    }
    unharmed()
  })

  it('moves stake exactly as often as two independent ones follow each other, in whatever order they come', async () => {
    const probe = fc.record({ question: fc.nat(3), hours: fc.nat(24 * 20) })
    await fc.assert(
      fc.asyncProperty(fc.array(probe, { maxLength: 8 }), fc.nat(8), async (probes, restartAt) => {
        await close()
        storage = memoryStorage()
        await open()
        let waiting: { question: number; hours: number } | null = null
        let due = 0
        for (const [index, asked] of probes.entries()) {
          if (index === restartAt) await restart()
          const { question, hours } = asked
          const atMs = NOW - hours * HOUR_MS
          await audits.hear(failing(index, { question: `Question ${question}`, atMs }))
          const apart: number = waiting === null ? 0 : Math.abs(waiting.hours - hours)
          const second: boolean =
            waiting !== null && waiting.question !== question && apart > 0 && apart <= 7 * 24
          if (second) due++
          waiting = second ? null : asked
        }
        expect([slashes().length, standing().failed]).toEqual([due, due])
      }),
      { seed: 31, numRuns: 25 },
    )
  })
})

describe('evidence that another host shows', () => {
  it('of a challenger whose own answer is wrong harms nobody', async () => {
    await close()
    await open(answer(0.3))
    expect(await audits.hear(failing(1))).toBe('refuted')
    expect(await audits.hear(failing(2))).toBe('refuted')
    unharmed()
    expect(standing().suspectedWeights).toEqual([])
  })

  it('about a file that is not held here, or about this host, changes nothing', async () => {
    expect(await audits.hear(evidence({ observed: answer(0.3), weights: 'cd'.repeat(32) }))).toBe('unproven')
    expect(await audits.hear(evidence({ answers: stranger, observed: answer(0.3) }))).toBe('unproven')
    unharmed()
  })

  it('that shows no failure, or is forged, is nobody’s evidence', async () => {
    expect(await audits.hear(evidence())).toBe('invalid')
    const { transcript, reveal } = failing(1)
    expect(await audits.hear({ reveal, transcript: { ...transcript, signature: '0'.repeat(128) } })).toBe(
      'invalid',
    )
    unharmed()
  })
})

describe('whoever is suspected', () => {
  const answers = (verdict: 'passed' | 'suspected', probe: 'logprobs' | 'text', auditId: string) =>
    books.ledger.post([
      {
        kind: 'audit.judged',
        atMs: NOW,
        auditId: auditId.repeat(32),
        askedAtMs: NOW,
        question: auditId.repeat(32),
        challenger: stranger.publicKeyHex,
        provider: node,
        model: 'fox-1',
        weights: held,
        verdict,
        probe,
        tokens: 7,
        meanDeltaNats: null,
        partedNats: null,
        costTrm: '1',
        burnedTrm: '0',
        sentence: '',
        evidence: null,
      } as { kind: string },
    ])

  it('is cleared by the probabilities of a pass, not by its text', async () => {
    await audits.hear(failing(1))
    await answers('passed', 'text', 'aa')
    expect(standing().suspectedWeights).toEqual([held])
    await answers('passed', 'logprobs', 'bb')
    expect(standing()).toMatchObject({ suspectedWeights: [], passed: 2, steps: 1 })
    expect(await audits.hear(failing(2))).toBe('suspected')
    expect(slashes()).toEqual([])
  })

  it('is so for a week', async () => {
    await audits.hear(failing(1, { atMs: NOW - WEEK_MS - 1 }))
    expect(standing().suspectedWeights).toEqual([])
    await audits.hear(failing(2, { atMs: NOW - WEEK_MS }))
    expect(slashes()).toHaveLength(1)
  })
})

describe('an audit that is asked for', () => {
  it('needs the mesh', async () => {
    await expect(audits.audit(provider.publicKeyHex, 'fox-1')).rejects.toMatchObject({ code: 'MESH_OFF' })
  })
})

describe('the tier of a host', () => {
  it('rises by trades and with every pass, falls with every failure, and stays among the four', () => {
    const tier = (trades: number, steps: number) => auditTier(trades, { steps }).tier
    expect([0, 1, 10, 100].map((trades) => tier(trades, 0))).toEqual([
      'unverified',
      'probationary',
      'established',
      'trusted',
    ])
    expect([tier(0, 1), tier(10, -1), tier(0, -3), tier(100, 3)]).toEqual([
      'probationary',
      'probationary',
      'unverified',
      'trusted',
    ])
  })
})
