import type { FastifyInstance } from 'fastify'
import type { HostServices } from '../../host/index.ts'
import type { Authorise } from '../requests.ts'
import { registerChat } from './chat.ts'
import { registerCompletions } from './completions.ts'
import { registerEmbeddings } from './embeddings.ts'
import { registerModels } from './models.ts'
import { registerResponses } from './responses.ts'
import { registerTokens } from './tokens.ts'

/** The calls of OpenAI's API that this host has: docs/api.md lists every parameter. */
export function registerOpenAi(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  registerModels(app, services, authorise)
  registerChat(app, services, authorise)
  registerCompletions(app, services, authorise)
  registerResponses(app, services, authorise)
  registerEmbeddings(app, services, authorise)
  registerTokens(app, services, authorise)
}
