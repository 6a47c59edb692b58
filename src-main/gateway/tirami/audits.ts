import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { AuditResult } from '../../../src-preload/contract/index.ts'
import type { HostServices } from '../../host/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { type Authorise, parseBody } from '../requests.ts'

const Hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const AuditBody = z.strictObject({ provider: Hex32, model_id: z.string().min(1).max(64) })
const EvidenceParams = z.strictObject({ auditId: Hex32 })

/** Whether other hosts serve what they say (spec section 2.9). The paths are ours: Tirami's audits have none. */
export function registerAudits(app: FastifyInstance, { audits }: HostServices, authorise: Authorise): void {
  app.get('/v1/tirami/audits', async (request) => {
    authorise(request, 'ledger.read')
    const { budgetTrmPerDay, spentTrm, offers, results } = audits.view()
    return {
      budget_trm_per_day: Number(budgetTrmPerDay),
      spent_trm: Number(spentTrm),
      offers: offers.map(({ nodeId, model, ...offer }) => ({ node_id: nodeId, model_id: model, ...offer })),
      count: results.length,
      audits: results.map(shown),
    }
  })

  app.post('/v1/tirami/audits', async (request) => {
    authorise(request, 'host.write')
    const { provider, model_id } = parseBody(AuditBody, request.body)
    return shown(await audits.audit(provider, model_id))
  })

  app.get('/v1/tirami/audits/:auditId/evidence', async (request) => {
    authorise(request, 'ledger.read')
    const { auditId } = parseBody(EvidenceParams, request.params)
    const evidence = audits.evidence(auditId)
    if (evidence) return { audit_id: auditId, evidence }
    throw new TiramiError(
      'AUDIT_UNKNOWN',
      'No evidence is kept for this audit: it did not fail, is not confirmed yet, or is not known.',
      {
        nextStep: 'Look at GET /v1/tirami/audits.',
        httpStatus: 404,
      },
    )
  })
}

const shown = (result: AuditResult) => ({
  audit_id: result.auditId,
  timestamp: result.atMs,
  challenger: result.challenger,
  provider: result.provider,
  model_id: result.model,
  weights_sha256: result.weights,
  verdict: result.verdict,
  probe: result.probe,
  tokens: result.tokens,
  mean_delta_nats: result.meanDeltaNats,
  parted_nats: result.partedNats,
  trm_cost: Number(result.costTrm),
  burned_trm: Number(result.burnedTrm),
  sentence: result.sentence,
})
