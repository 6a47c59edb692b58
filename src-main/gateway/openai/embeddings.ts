import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import { type Authorise, RequestError } from '../requests.ts'
import { costOf } from './cost.ts'
import { type FieldRules, ModelName, never, parseFields } from './fields.ts'
import { collectEmbeddings } from './jobs.ts'
import { assertServed } from './models.ts'
import { TextInput, textsOf } from './text-input.ts'

const EmbeddingRequest = z.object({
  model: ModelName,
  input: TextInput,
  encoding_format: z.enum(['float', 'base64']).nullish(),
})

const RULES: FieldRules = {
  withoutEffect: new Set(['user']),
  // A shortened vector means something only for models that were trained for it.
  refused: { dimensions: never },
}

const ERROR_PARAMS = {
  PROMPT_TOO_LONG: 'input',
  EMBEDDINGS_UNSUPPORTED: 'model',
}

/** `POST /v1/embeddings`: one vector of length 1 per text, all of them one job and one trade. */
export function registerEmbeddings(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.post('/v1/embeddings', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const body = parseFields(EmbeddingRequest, RULES, request.body)
    const model = assertServed(services, body.model)
    const texts = await textsOf(services.engine, body.input, 'input')
    if (texts.includes(''))
      throw new RequestError('INVALID_REQUEST', 'There is no vector of nothing.', 'input')
    const asked = { services, consumer, request, reply, params: ERROR_PARAMS }
    const { vectors, receipt } = await collectEmbeddings(asked, texts)
    const encode = body.encoding_format === 'base64' ? base64Floats : (vector: number[]) => vector
    return {
      object: 'list',
      data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(vector) })),
      model: model.id,
      usage: { prompt_tokens: receipt.promptTokens, total_tokens: receipt.promptTokens },
      x_tirami: costOf(services, consumer, [receipt]),
    }
  })
}

/** Little-endian 32-bit floats, as OpenAI's clients read them. */
function base64Floats(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, index) => {
    bytes.writeFloatLE(value, index * 4)
  })
  return bytes.toString('base64')
}
