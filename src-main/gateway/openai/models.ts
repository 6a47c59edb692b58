import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Consumer, HostServices } from '../../host/index.ts'
import type { ToolCallFormat } from '../../inference/index.ts'
import { type Authorise, RequestError } from '../requests.ts'

/** `GET /v1/models` and `/v1/models/ID`: the served model, and those of other hosts that the caller may use. */
export function registerModels(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  const list = (request: FastifyRequest) => {
    const { consumer } = authorise(request, 'model.read')
    const own = services.model()?.served.id
    const created = Math.floor(services.status().startedAtMs / 1000)
    const entry = (id: string, owner: string) => ({ id, object: 'model', created, owned_by: owner })
    const others = (services.mesh?.offers(consumer) ?? []).filter(({ id }) => id !== own)
    return [
      ...(own === undefined ? [] : [entry(own, 'tirami')]),
      ...others.map(({ id }) => entry(id, 'tirami-mesh')),
    ]
  }
  app.get('/v1/models', async (request) => ({ object: 'list', data: list(request) }))
  app.get<{ Params: { id: string } }>('/v1/models/:id', async (request) => {
    const { id } = request.params
    const model = list(request).find((candidate) => candidate.id === id)
    if (!model) throw notServed(id)
    return model
  })
}

/** What every answer begins with. */
export interface Head {
  id: string
  created: number
  model: string
}

export function head(prefix: string, model: string): Head {
  return { id: newId(prefix, '-'), created: Math.floor(Date.now() / 1000), model }
}

export function newId(prefix: string, separator = '_'): string {
  return `${prefix}${separator}${randomBytes(12).toString('hex')}`
}

export interface Served {
  id: string
  /** How it writes tool calls; null when it takes no tools. */
  toolCallFormat: ToolCallFormat | null
  takesTools: boolean
  /** Another host computes. */
  remote: boolean
}

/** What an answer is to be asked for with: the model here, or the one of another host that the caller may use. */
export function assertOffered(
  services: HostServices,
  consumer: Consumer,
  wanted: string | null | undefined,
): Served {
  if (wanted && wanted !== services.model()?.served.id) {
    const offer = services.mesh?.offer(consumer, wanted)
    if (offer) {
      const { id, toolCallFormat } = offer
      return { id, toolCallFormat, takesTools: toolCallFormat !== null, remote: true }
    }
  }
  return assertServed(services, wanted)
}

const REMOTE_TEMPERATURE = 0.7

/** For a request that names none. */
export function defaultTemperature(services: HostServices, body: unknown): number {
  const own = services.model()?.served
  const wanted = typeof body === 'object' && body !== null && 'model' in body ? body.model : undefined
  return own && (!wanted || wanted === own.id) ? own.defaultTemperature : REMOTE_TEMPERATURE
}

/** @throws RequestError NO_MODEL (503), MODEL_NOT_FOUND (404) when another one is wanted */
export function assertServed(services: HostServices, wanted: string | null | undefined): Served {
  const model = services.model()
  if (!model) {
    const reason = services.status().engine.error?.message ?? 'No model is loaded.'
    throw new RequestError('NO_MODEL', reason, null, { httpStatus: 503, nextStep: 'Ask again later.' })
  }
  if (wanted && wanted !== model.served.id) throw notServed(wanted, model.served.id)
  const loaded = services.engine.loaded()
  return {
    id: model.served.id,
    toolCallFormat: loaded?.toolCallFormat ?? null,
    // Before it is loaded nobody knows; the engine then refuses for that reason.
    takesTools: loaded === null || loaded.toolCallFormat !== null,
    remote: false,
  }
}

function notServed(wanted: string, served?: string): RequestError {
  const instead = served === undefined ? '' : `; this host serves “${served}”`
  return new RequestError(
    'MODEL_NOT_FOUND',
    `The model “${wanted.slice(0, 80)}” is not served here${instead}.`,
    'model',
    { httpStatus: 404 },
  )
}
