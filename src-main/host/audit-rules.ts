import { z } from 'zod'
import type { JournalEvent } from '../ledger/index.ts'
import {
  type AskedProbe,
  type AuditStanding,
  afterAudit,
  NO_AUDITS,
  WireAuditEvidence,
} from '../market/index.ts'

const Hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const Trm = z.string().regex(/^\d{1,40}$/)

const Judged = z.strictObject({
  kind: z.literal('audit.judged'),
  atMs: z.number().int().nonnegative(),
  auditId: Hex32,
  challenger: Hex32,
  provider: Hex32,
  model: z.string().max(64),
  weights: Hex32,
  /** When it was asked, by the challenger's clock. Absent in records from before one failing probe was a suspicion. */
  askedAtMs: z.number().int().nonnegative().optional(),
  /** SHA-256 of what was asked. */
  question: Hex32.optional(),
  /** `suspected`: a failing probe, and the first; `failed`: one that another has preceded. */
  verdict: z.enum(['passed', 'suspected', 'failed', 'inconclusive']),
  probe: z.enum(['logprobs', 'text']),
  tokens: z.number().int().nonnegative(),
  meanDeltaNats: z.number().nullable(),
  partedNats: z.number().nullable(),
  costTrm: Trm,
  burnedTrm: Trm,
  sentence: z.string().max(512),
  /** Of a failing probe: the signed messages; null where they are too long to be told. */
  evidence: WireAuditEvidence.nullable(),
  /** Of a failure: the probe that had failed before. */
  first: z.strictObject({ auditId: Hex32, evidence: WireAuditEvidence.nullable() }).optional(),
})
export type JudgedAudit = z.output<typeof Judged>

const RESULTS_KEPT = 300
/** Files of one host. */
const SUSPICIONS_KEPT = 16

/** A failing probe that waits for a second one, or for a pass. */
export interface Suspicion extends AskedProbe {
  weights: string
  evidence: WireAuditEvidence | null
}

interface Counted extends Omit<AuditStanding, 'suspectedWeights'> {
  passed: number
  failed: number
  suspicions: readonly Suspicion[]
}

const NOT_AUDITED: Counted = {
  steps: NO_AUDITS.steps,
  failedWeights: NO_AUDITS.failedWeights,
  passed: 0,
  failed: 0,
  suspicions: [],
}

export interface SavedAudits {
  results: JudgedAudit[]
  standings: [string, Counted][]
}

/** What the journal says about audits: results, and where every host stands by them. */
export interface AuditRules {
  observe(event: JournalEvent): void
  save(): SavedAudits
  restore(saved: SavedAudits): void
  /** Newest first. */
  results(): readonly JudgedAudit[]
  standingOf(nodeId: string): Counted
  /** The probe of this file that the host has failed, and neither failed nor passed one since; null: none. */
  suspicionOf(nodeId: string, weights: string): Suspicion | null
  knows(auditId: string): boolean
}

export function createAuditRules(): AuditRules {
  let results: JudgedAudit[] = []
  const standings = new Map<string, Counted>()
  const standingOf = (nodeId: string): Counted => standings.get(nodeId) ?? NOT_AUDITED
  return {
    observe: (event) => {
      if (!event.kind.startsWith('audit.')) return
      const judged = Judged.parse(event)
      results = [judged, ...results].slice(0, RESULTS_KEPT)
      if (judged.verdict !== 'inconclusive')
        standings.set(judged.provider, standingAfter(standingOf(judged.provider), judged, judged.verdict))
    },
    save: () => ({ results: [...results], standings: [...standings] }),
    restore: (saved) => {
      results = [...saved.results]
      standings.clear()
      for (const [nodeId, standing] of saved.standings) standings.set(nodeId, standing)
    },
    results: () => results,
    standingOf,
    suspicionOf: (nodeId, weights) =>
      standingOf(nodeId).suspicions.find((suspicion) => suspicion.weights === weights) ?? null,
    knows: (id) => results.some(({ auditId }) => auditId === id),
  }
}

function standingAfter(
  before: Counted,
  { auditId, weights, probe, question = auditId, atMs, askedAtMs = atMs, evidence }: JudgedAudit,
  verdict: 'passed' | 'suspected' | 'failed',
): Counted {
  const suspicions = before.suspicions.filter((suspicion) => suspicion.weights !== weights)
  if (verdict === 'suspected') {
    const suspicion = { auditId, weights, question, askedAtMs, evidence }
    return { ...before, suspicions: [...suspicions, suspicion].slice(-SUSPICIONS_KEPT) }
  }
  const passed = before.passed + Number(verdict === 'passed')
  // The text alone tells too little to promote anybody, or to clear him.
  if (verdict === 'passed' && probe === 'text') return { ...before, passed }
  const failed = before.failed + Number(verdict === 'failed')
  return { ...before, ...afterAudit(before, { weights, verdict }), suspicions, passed, failed }
}
