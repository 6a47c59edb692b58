import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import type { Authorise } from '../requests.ts'
import { type FieldRules, ModelName, parseFields } from './fields.ts'
import { assertServed } from './models.ts'
import { textOfTokens } from './text-input.ts'

const TokenizeRequest = z.object({
  model: ModelName,
  content: z.string(),
  parse_special: z.boolean().nullish(),
})
const TOKENS_MAX = 65_536

const DetokenizeRequest = z.object({
  model: ModelName,
  tokens: z
    .array(
      z
        .number()
        .int()
        .min(0)
        .max(2 ** 31 - 1),
    )
    .max(TOKENS_MAX),
})

const RULES: FieldRules = { withoutEffect: new Set(), refused: {} }

/** `POST /v1/tokenize` and `/v1/detokenize`, in llama.cpp's shapes; nothing is computed and nothing charged. */
export function registerTokens(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.post('/v1/tokenize', async (request) => {
    authorise(request, 'inference.run')
    const body = parseFields(TokenizeRequest, RULES, request.body)
    assertServed(services, body.model)
    return { tokens: await services.engine.tokenize(body.content, { specials: body.parse_special ?? false }) }
  })
  app.post('/v1/detokenize', async (request) => {
    authorise(request, 'inference.run')
    const { model, tokens } = parseFields(DetokenizeRequest, RULES, request.body)
    assertServed(services, model)
    return { content: await textOfTokens(services.engine, tokens, 'tokens') }
  })
}
