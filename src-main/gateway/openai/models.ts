import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { HostServices } from '../../host/index.ts'
import type { ToolCallFormat } from '../../inference/index.ts'
import { RequestError } from '../requests.ts'

/** `GET /v1/models` and `/v1/models/ID`: the served model, or none. */
export function registerModels(app: FastifyInstance, services: HostServices): void {
  const list = () => {
    const model = services.model()
    if (!model) return []
    const created = Math.floor(services.status().startedAtMs / 1000)
    return [{ id: model.served.id, object: 'model', created, owned_by: 'tirami' }]
  }
  app.get('/v1/models', async () => ({ object: 'list', data: list() }))
  app.get<{ Params: { id: string } }>('/v1/models/:id', async (request) => {
    const { id } = request.params
    const model = list().find((candidate) => candidate.id === id)
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
