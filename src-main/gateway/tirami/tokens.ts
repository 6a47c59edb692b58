import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { Hex32 } from '../../../src-preload/contract/index.ts'
import { type TokenRecord, TokenScope } from '../../economy/index.ts'
import type { HostServices } from '../../host/index.ts'
import { type Authorise, parseBody } from '../requests.ts'

const DEFAULT_TTL_SECS = 604_800

/** The original writes scopes as ReadOnly, Inference, Economy, Admin. */
const Scope = z
  .string()
  .max(16)
  .transform((text) => text.toLowerCase())
  .pipe(TokenScope)
const IssueBody = z.strictObject({
  node_id: Hex32.nullish(),
  scope: Scope,
  ttl_secs: z.number().int().min(0).default(DEFAULT_TTL_SECS),
  label: z.string().max(128).default(''),
})
const RevokeBody = z.strictObject({ token_hash_hex: Hex32 })
const RotateBody = z.strictObject({
  token_hash_hex: Hex32,
  grace_secs: z.number().int().min(0).max(86_400).default(0),
})

function recordJson(tokenHash: string, record: TokenRecord) {
  return {
    token_hash_hex: tokenHash,
    node_id: record.nodeId,
    scope: record.scope,
    expires_at_ms: record.expiresAtMs,
    created_at_ms: record.createdAtMs,
    label: record.label,
    retiring: record.retiring,
  }
}

const WARNING = 'Keep this token now: it is shown once and stored nowhere.'

/** Scoped tokens of spec section 1.12: who holds one is a guest with an account of his own. */
export function registerTokens(
  app: FastifyInstance,
  { access }: Pick<HostServices, 'access'>,
  authorise: Authorise,
): void {
  app.get('/v1/tirami/tokens', async (request) => {
    authorise(request, 'token.read')
    const tokens = access.list()
    return { count: tokens.length, tokens: tokens.map(([hash, record]) => recordJson(hash, record)) }
  })

  app.post('/v1/tirami/tokens/issue', async (request) => {
    authorise(request, 'token.write')
    const { node_id, scope, ttl_secs, label } = parseBody(IssueBody, request.body)
    const issued = await access.issue({ scope, nodeId: node_id ?? null, ttlSecs: ttl_secs, label })
    return { token: issued.token, ...recordJson(issued.tokenHash, issued.record), warning: WARNING }
  })

  app.post('/v1/tirami/tokens/rotate', async (request) => {
    authorise(request, 'token.write')
    const { token_hash_hex, grace_secs } = parseBody(RotateBody, request.body)
    const issued = await access.rotate({ tokenHash: token_hash_hex, graceMs: grace_secs * 1000 })
    return { token: issued.token, ...recordJson(issued.tokenHash, issued.record), warning: WARNING }
  })

  app.post('/v1/tirami/tokens/revoke', async (request) => {
    authorise(request, 'token.write')
    const { token_hash_hex } = parseBody(RevokeBody, request.body)
    await access.revoke(token_hash_hex)
    return { ok: true, token_hash_hex }
  })
}
