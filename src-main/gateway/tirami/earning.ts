import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { EarningMode, EarningPolicyChange, SnoozeLength } from '../../../src-preload/contract/index.ts'
import type { Earning } from '../../host/index.ts'
import { type Authorise, parseBody } from '../requests.ts'
import { snakeCase } from '../snake-case.ts'

const NoBody = z.strictObject({}).nullish()
const ModeBody = z.strictObject({ mode: EarningMode })

/** `{"idle_seconds":900}` as the window would say it. */
function camelNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelNames)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name.replaceAll(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase()),
      camelNames(part),
    ]),
  )
}

/** The owner's rules: what is decided, why, and the words that change it. All of it is the owner's alone. */
export function registerEarning(
  app: FastifyInstance,
  { earning }: { earning: Earning },
  authorise: Authorise,
): void {
  const view = () => snakeCase(earning.view())
  app.get('/v1/tirami/earning', async (request) => {
    authorise(request, 'host.write')
    return view()
  })
  app.patch('/v1/tirami/earning', async (request) => {
    authorise(request, 'host.write')
    earning.setPolicy(parseBody(EarningPolicyChange, camelNames(request.body)), 'api')
    return view()
  })
  app.post('/v1/tirami/earning/mode', async (request) => {
    authorise(request, 'host.write')
    earning.setMode(parseBody(ModeBody, request.body).mode, 'api')
    return view()
  })
  app.post('/v1/tirami/earning/snooze', async (request) => {
    authorise(request, 'host.write')
    earning.snooze(parseBody(SnoozeLength, request.body))
    return view()
  })
  const words = {
    pause: () => earning.pause('api'),
    resume: () => earning.resume('api'),
    wake: () => earning.wake(),
    finish: () => earning.finish(),
  }
  for (const [word, act] of Object.entries(words)) {
    app.post(`/v1/tirami/earning/${word}`, async (request) => {
      authorise(request, 'host.write')
      parseBody(NoBody, request.body)
      // Nobody waits for a model; what comes of it is in the view.
      void act()?.catch(() => undefined)
      return view()
    })
  }
}
