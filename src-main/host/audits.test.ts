import { beforeEach, describe, expect, it } from 'vitest'
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

const cheap = () => evidence({ observed: answer(0.3) })
const reputation = () => books.economy.reputation.of(provider.publicKeyHex)
const standing = () => audits.standingOf(provider.publicKeyHex)
const unharmed = () => {
  expect(standing()).toMatchObject({ steps: 0, failedWeights: [] })
  expect(books.economy.reputation.slashes()).toEqual([])
}

describe('evidence that another host shows', () => {
  it('counts once it was computed again here: tier, reputation, stake', async () => {
    const before = reputation()
    // 0.1 for the failure, and the trust penalty of the slash.
    expect(await audits.hear(cheap())).toBe('confirmed')
    expect(standing()).toMatchObject({ steps: -1, failed: 1, failedWeights: [held] })
    expect(reputation()).toBeCloseTo(before - 0.1 - 0.3, 10)
    expect(books.economy.reputation.slashes()).toMatchObject([
      { node: provider.publicKeyHex, reason: 'audit-fail', trustPenalty: 0.3 },
    ])
    const [result] = audits.view().results
    expect(result).toMatchObject({ verdict: 'failed', challenger: challenger.publicKeyHex, costTrm: '0' })
    expect(audits.evidence(result?.auditId ?? '')).toEqual(wireEvidence(cheap()))
  })

  it('counts once, however often it is told, and after a restart', async () => {
    await audits.hear(cheap())
    const after = { standing: standing(), reputation: reputation() }
    expect(await audits.hear(cheap())).toBe('known')
    await close()
    await open()
    expect(await audits.hear(cheap())).toBe('known')
    expect({ standing: standing(), reputation: reputation() }).toEqual(after)
  })

  it('of a challenger whose own answer is wrong harms nobody', async () => {
    await close()
    await open(answer(0.3))
    expect(await audits.hear(cheap())).toBe('refuted')
    unharmed()
  })

  it('about a file that is not held here, or about this host, changes nothing', async () => {
    expect(await audits.hear(evidence({ observed: answer(0.3), weights: 'cd'.repeat(32) }))).toBe('unproven')
    expect(await audits.hear(evidence({ answers: stranger, observed: answer(0.3) }))).toBe('unproven')
    unharmed()
  })

  it('that shows no failure, or is forged, is nobody’s evidence', async () => {
    expect(await audits.hear(evidence())).toBe('invalid')
    const { transcript, reveal } = cheap()
    expect(await audits.hear({ reveal, transcript: { ...transcript, signature: '0'.repeat(128) } })).toBe(
      'invalid',
    )
    unharmed()
  })
})

describe('an audit that is asked for', () => {
  it('needs the mesh', async () => {
    await expect(audits.audit(provider.publicKeyHex, 'fox-1')).rejects.toMatchObject({ code: 'MESH_OFF' })
  })
})

describe('the tier of a host', () => {
  it('rises by trades and with every pass, falls with every failure, and stays among the four', () => {
    const tier = (trades: number, steps: number) => auditTier(trades, { steps, failedWeights: [] }).tier
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
