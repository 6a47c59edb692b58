import { z } from 'zod'
import type { JournalEvent } from '../ledger/index.ts'
import { type AuditStanding, afterAudit, NO_AUDITS, WireAuditEvidence } from '../market/index.ts'

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
  verdict: z.enum(['passed', 'failed', 'inconclusive']),
  probe: z.enum(['logprobs', 'text']),
  tokens: z.number().int().nonnegative(),
  meanDeltaNats: z.number().nullable(),
  partedNats: z.number().nullable(),
  costTrm: Trm,
  burnedTrm: Trm,
  sentence: z.string().max(512),
  /** Of a failure: the signed messages. */
  evidence: WireAuditEvidence.nullable(),
})
export type JudgedAudit = z.output<typeof Judged>

const RESULTS_KEPT = 300

interface Counted extends AuditStanding {
  passed: number
  failed: number
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
  knows(auditId: string): boolean
}

export function createAuditRules(): AuditRules {
  let results: JudgedAudit[] = []
  const standings = new Map<string, Counted>()
  const standingOf = (nodeId: string): Counted =>
    standings.get(nodeId) ?? { ...NO_AUDITS, passed: 0, failed: 0 }
  return {
    observe: (event) => {
      if (!event.kind.startsWith('audit.')) return
      const judged = Judged.parse(event)
      results = [judged, ...results].slice(0, RESULTS_KEPT)
      const { verdict, provider, weights } = judged
      if (verdict === 'inconclusive') return
      const before = standingOf(provider)
      // The text alone tells too little to promote anybody.
      const moves = verdict === 'failed' || judged.probe === 'logprobs'
      standings.set(provider, {
        ...(moves ? afterAudit(before, { weights, verdict }) : before),
        passed: before.passed + Number(verdict === 'passed'),
        failed: before.failed + Number(verdict === 'failed'),
      })
    },
    save: () => ({ results: [...results], standings: [...standings] }),
    restore: (saved) => {
      results = [...saved.results]
      standings.clear()
      for (const [nodeId, standing] of saved.standings) standings.set(nodeId, standing)
    },
    results: () => results,
    standingOf,
    knows: (id) => results.some(({ auditId }) => auditId === id),
  }
}
