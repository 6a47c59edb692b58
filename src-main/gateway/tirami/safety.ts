import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { Hex32 } from '../../../src-preload/contract/index.ts'
import { DEFAULT_SPEND_POLICY, type SafetyGauges, type SpendPolicy } from '../../economy/index.ts'
import type { HostServices } from '../../host/index.ts'
import { type Authorise, parseBody, WholeTrm } from '../requests.ts'

const KillBody = z.strictObject({
  activate: z.boolean(),
  reason: z.string().min(1).max(256).default('emergency halt'),
  operator: z.string().min(1).max(128).default('owner'),
})
const PolicyBody = z.strictObject({
  node_id: Hex32,
  max_cu_per_hour: WholeTrm.default(DEFAULT_SPEND_POLICY.hourLimitTrm),
  max_cu_per_request: WholeTrm.default(DEFAULT_SPEND_POLICY.requestLimitTrm),
  max_cu_lifetime: WholeTrm.default(DEFAULT_SPEND_POLICY.lifetimeLimitTrm),
  human_approval_threshold: WholeTrm.nullish(),
  max_requests_per_minute: z
    .number()
    .int()
    .min(0)
    .max(6_000)
    .nullable()
    .default(DEFAULT_SPEND_POLICY.attemptsPerMinute),
})
const AnswerBody = z.strictObject({
  approve: z.boolean(),
  operator: z.string().min(1).max(128).default('owner'),
})
const ApprovalId = z.string().regex(/^[0-9a-f]{32}$/)

function policyJson(
  policy: Pick<
    SpendPolicy,
    'requestLimitTrm' | 'hourLimitTrm' | 'lifetimeLimitTrm' | 'approvalThresholdTrm' | 'attemptsPerMinute'
  >,
) {
  return {
    max_cu_per_hour: Number(policy.hourLimitTrm),
    max_cu_per_request: Number(policy.requestLimitTrm),
    max_cu_lifetime: Number(policy.lifetimeLimitTrm),
    human_approval_threshold:
      policy.approvalThresholdTrm === null ? null : Number(policy.approvalThresholdTrm),
    max_requests_per_minute: policy.attemptsPerMinute,
  }
}

function gaugesJson(gauges: SafetyGauges) {
  return {
    kill_switch_active: gauges.killSwitch.active,
    kill_switch_reason: gauges.killSwitch.reason,
    circuit_tripped: gauges.breaker !== null,
    circuit_resets_in_ms: gauges.breaker?.resetsInMs ?? null,
    hourly_spend: Number(gauges.hourTrm.used),
    lifetime_spend: Number(gauges.lifetimeTrm.used),
    held: Number(gauges.heldTrm),
    spends_last_minute: gauges.attemptsLastMinute.used,
    consecutive_errors: gauges.consecutiveErrors.used,
    pending_approvals: gauges.pendingApprovals,
    policy: policyJson({
      requestLimitTrm: gauges.requestLimitTrm,
      hourLimitTrm: gauges.hourTrm.limit,
      lifetimeLimitTrm: gauges.lifetimeTrm.limit,
      approvalThresholdTrm: gauges.approvalThresholdTrm,
      attemptsPerMinute: gauges.attemptsLastMinute.limit,
    }),
  }
}

/** Safety endpoints of spec section 1.5, and the owner's queue of questions. */
export function registerSafety(
  app: FastifyInstance,
  { safety }: Pick<HostServices, 'safety'>,
  authorise: Authorise,
): void {
  app.get('/v1/tirami/safety', async (request) => {
    const { consumer } = authorise(request, 'account.read')
    return { node_id: consumer.publicKeyHex, ...gaugesJson(safety.gauges(consumer.publicKeyHex)) }
  })

  app.post('/v1/tirami/kill', async (request) => {
    authorise(request, 'safety.write')
    const { activate, reason, operator } = parseBody(KillBody, request.body)
    await safety.killSwitch({ active: activate, reason, operator })
    return activate ? { status: 'KILL SWITCH ACTIVATED', reason } : { status: 'kill switch deactivated' }
  })

  app.post('/v1/tirami/policy', async (request) => {
    authorise(request, 'safety.write')
    const body = parseBody(PolicyBody, request.body)
    const policy: SpendPolicy = {
      requestLimitTrm: body.max_cu_per_request,
      hourLimitTrm: body.max_cu_per_hour,
      lifetimeLimitTrm: body.max_cu_lifetime,
      approvalThresholdTrm: body.human_approval_threshold ?? null,
      attemptsPerMinute: body.max_requests_per_minute,
    }
    await safety.setPolicy(body.node_id, policy, 'owner')
    return { status: 'policy set', node_id: body.node_id, policy: policyJson(policy) }
  })

  app.get('/v1/tirami/approvals', async (request) => {
    authorise(request, 'safety.write')
    const approvals = safety.approvals()
    return {
      count: approvals.length,
      approvals: approvals.map((approval) => ({
        approval_id: approval.approvalId,
        node_id: approval.caller,
        trm_amount: Number(approval.amountTrm),
        purpose: approval.purpose,
        requested_at_ms: approval.requestedAtMs,
        expires_at_ms: approval.expiresAtMs,
      })),
    }
  })

  app.post('/v1/tirami/approvals/:id', async (request) => {
    authorise(request, 'safety.write')
    const approvalId = parseBody(ApprovalId, (request.params as { id: string }).id)
    const { approve, operator } = parseBody(AnswerBody, request.body)
    await safety.answerApproval({ approvalId, approved: approve, operator })
    return { approval_id: approvalId, status: approve ? 'approved' : 'denied' }
  })

  app.post('/v1/tirami/safety/reset', async (request) => {
    authorise(request, 'safety.write')
    const { node_id } = parseBody(z.strictObject({ node_id: Hex32 }), request.body)
    await safety.resetBreaker(node_id, 'owner')
    return { status: 'breaker reset', node_id }
  })

  app.post('/v1/tirami/safety/clock', async (request) => {
    authorise(request, 'safety.write')
    await safety.acceptClock('owner')
    return { status: 'clock accepted' }
  })
}
