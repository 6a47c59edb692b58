import type { Edge, HostServices } from '../host/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { bearerToken, isFromLoopback } from './guard.ts'
import { openLocalServer } from './http-server.ts'
import { registerMetrics } from './metrics.ts'
import { openAiError } from './openai/errors.ts'
import { registerOpenAi } from './openai/routes.ts'
import type { Authorise } from './requests.ts'
import { registerAudits } from './tirami/audits.ts'
import { registerConsole } from './tirami/console.ts'
import { registerEarning } from './tirami/earning.ts'
import { registerEconomy } from './tirami/economy.ts'
import { registerEnergy } from './tirami/energy.ts'
import { registerMesh } from './tirami/mesh.ts'
import { registerProofs } from './tirami/proofs.ts'
import { registerReason } from './tirami/reason.ts'
import { registerTirami } from './tirami/routes.ts'
import { registerSafety } from './tirami/safety.ts'
import { registerSettlement } from './tirami/settlement.ts'
import { registerTokens } from './tirami/tokens.ts'

/** Longest request body. A full 4096-token conversation is about 16 KiB. */
const BODY_BYTES_MAX = 256 * 1024

/**
 * The inference and economy API. @param listen on 127.0.0.1 unless an address is given
 * @throws TiramiError PORT_IN_USE, ADDRESS_NOT_HERE
 */
export function openApi(
  services: HostServices,
  { address, port }: { address?: string; port: number },
): Promise<Edge> {
  const authorise: Authorise = (request, action) => {
    const token = bearerToken(request.headers.authorization)
    if (token === null) throw keyMissing()
    const caller = services.access.authorise(token, action)
    if (caller.consumer.ownKey && !isFromLoopback(request.raw.socket)) throw ownKeyFromOutside()
    const named = request.headers['x-tirami-node-id']
    if (named !== undefined && named !== caller.consumer.publicKeyHex) throw foreignNode()
    return caller
  }
  return openLocalServer(port, {
    ...(address === undefined ? {} : { address }),
    bodyBytesMax: BODY_BYTES_MAX,
    errorShape: openAiError,
    register: (app) => {
      // A stranger learns nothing but 401, and his body is never read.
      app.addHook('onRequest', async (request) => {
        if (!request.url.startsWith('/v1/')) return
        const caller = authorise(request, 'model.read')
        if (request.url.startsWith('/v1/tirami/')) services.access.limitRate(caller)
      })
      app.get('/health', async () => ({
        status: 'ok',
        model_loaded: services.status().engine.state === 'ready',
      }))
      registerOpenAi(app, services, authorise)
      registerTirami(app, services, authorise)
      registerProofs(app, services, authorise)
      registerMesh(app, services, authorise)
      registerAudits(app, services, authorise)
      registerEnergy(app, services, authorise)
      registerConsole(app, services, authorise)
      registerEarning(app, services, authorise)
      registerReason(app, services, authorise)
      registerSettlement(app, services, authorise)
      registerSafety(app, services, authorise)
      registerTokens(app, services, authorise)
      registerMetrics(app, services, authorise)
      registerEconomy(app, {
        mesh: () => services.mesh,
        economy: services.economy,
        nodeId: services.nodeId,
        authorise,
      })
    },
  })
}

/** It has every right, and the network in between can read it. */
function ownKeyFromOutside(): TiramiError {
  return new TiramiError('OWN_KEY_FROM_OUTSIDE', 'The owner’s own key works on this machine only.', {
    nextStep:
      'Issue a key with the rights that this device needs (on the page Keys) and use that; on this machine, use http://127.0.0.1.',
    httpStatus: 403,
  })
}

/** In the original anyone could charge any node by naming it. */
function foreignNode(): TiramiError {
  return new TiramiError('TOKEN_NODE_MISMATCH', 'This key may not act for the node that the request names.', {
    nextStep: 'Leave X-Tirami-Node-Id out: the account behind the key is charged.',
    httpStatus: 403,
  })
}

function keyMissing(): TiramiError {
  return new TiramiError('API_KEY_MISSING', 'An API key is required.', {
    nextStep: 'Send “Authorization: Bearer KEY” with the key from the host’s api-key file.',
    httpStatus: 401,
  })
}
