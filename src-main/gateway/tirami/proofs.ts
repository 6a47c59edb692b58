import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import { consistencyJson, inclusionJson, type Ledger } from '../../ledger/index.ts'
import { type Authorise, parseBody } from '../requests.ts'

interface ProofServices extends Pick<HostServices, 'signedHead'> {
  ledger: Pick<Ledger, 'proveInclusion' | 'proveConsistency'>
}

const Size = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number)
const TradePath = z.object({
  tradeId: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits'),
})
const InclusionQuery = z.object({ tree_size: Size.optional() })
const ConsistencyQuery = z.object({ first: Size, second: Size.optional() })

/** Proofs over the transparency tree (RFC 6962) of all booked trades; `docs/ledger.md` says how to check them. */
export function registerProofs(
  app: FastifyInstance,
  { ledger, signedHead }: ProofServices,
  authorise: Authorise,
): void {
  app.get('/v1/tirami/proof/head', async (request) => {
    authorise(request, 'ledger.read')
    const { size, rootHex, timestampMs, nodeId, signatureHex } = signedHead()
    return {
      tree_size: size,
      root_hash: rootHex,
      timestamp_ms: timestampMs,
      node_id: nodeId,
      signature: signatureHex,
    }
  })

  app.get('/v1/tirami/proof/inclusion/:tradeId', async (request) => {
    authorise(request, 'ledger.read')
    const { tradeId } = parseBody(TradePath, request.params)
    const { tree_size } = parseBody(InclusionQuery, request.query)
    return inclusionJson(await ledger.proveInclusion(tradeId, tree_size))
  })

  app.get('/v1/tirami/proof/consistency', async (request) => {
    authorise(request, 'ledger.read')
    const { first, second } = parseBody(ConsistencyQuery, request.query)
    return consistencyJson(ledger.proveConsistency(first, second))
  })
}
