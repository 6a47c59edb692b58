import type { FastifyRequest } from 'fastify'
import type { Consumer, Edge, HostServices } from '../host/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { bearerToken } from './guard.ts'
import { openLocalServer } from './http-server.ts'
import { registerChat } from './openai/chat.ts'
import { openAiError } from './openai/errors.ts'
import { registerTirami } from './tirami/routes.ts'

/** Longest request body. A full 4096-token conversation is about 16 KiB. */
const BODY_BYTES_MAX = 256 * 1024

/** The inference and economy API on `http://127.0.0.1:port`. @throws TiramiError PORT_IN_USE */
export function openApi(services: HostServices, port: number): Promise<Edge> {
  const authenticate = (request: FastifyRequest): Consumer => {
    const token = bearerToken(request.headers.authorization)
    const consumer = token === null ? null : services.keys.consumerForApiKey(token)
    if (!consumer) throw unauthorized(token === null)
    return consumer
  }
  return openLocalServer(port, {
    bodyBytesMax: BODY_BYTES_MAX,
    errorShape: openAiError,
    register: (app) => {
      // A stranger learns nothing but 401, and his body is never read.
      app.addHook('onRequest', async (request) => {
        if (request.url.startsWith('/v1/')) authenticate(request)
      })
      app.get('/health', async () => ({
        status: 'ok',
        model_loaded: services.status().engine.state === 'ready',
      }))
      app.get('/v1/models', async () => ({ object: 'list', data: models(services) }))
      registerChat(app, services, authenticate)
      registerTirami(app, services, authenticate)
    },
  })
}

function models(services: HostServices) {
  const model = services.model()
  if (!model) return []
  const created = Math.floor(services.status().startedAtMs / 1000)
  return [{ id: model.served.id, object: 'model', created, owned_by: 'tirami' }]
}

function unauthorized(missing: boolean): TiramiError {
  return new TiramiError(
    missing ? 'API_KEY_MISSING' : 'API_KEY_INVALID',
    missing ? 'An API key is required.' : 'This API key is not valid.',
    {
      nextStep: 'Send “Authorization: Bearer KEY” with the key from the host’s api-key file.',
      httpStatus: 401,
    },
  )
}
