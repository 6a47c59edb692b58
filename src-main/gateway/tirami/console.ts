import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  type ConsoleView,
  type OwnerChange,
  type SentinelView,
  TelemetryKind,
  TelemetryQuery,
} from '../../../src-preload/contract/index.ts'
import type { Earning, Stewardship } from '../../host/index.ts'
import { type Authorise, parseBody } from '../requests.ts'

const Name = z.string().regex(/^[a-z_]{1,32}$/)
const Value = z.union([z.boolean(), z.number(), z.string().max(2_048), z.null()])
/** `{"sentinel":{"daily_budget":3}}`: what is not named stays as it is. */
const PatchBody = z
  .record(Name, z.record(Name, Value))
  .transform((sections): OwnerChange[] =>
    Object.entries(sections).flatMap(([section, values]) =>
      Object.entries(values).map(([name, value]) => ({ key: `${section}.${name}`, value })),
    ),
  )
  .refine((changes) => changes.length > 0, 'name at least one setting')
const FullDepthBody = z.strictObject({ active: z.boolean() })
const NoBody = z.strictObject({}).nullish()

const Digits = z
  .string()
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number)
const ListParameters = z
  .strictObject({
    kinds: z.string().max(200).optional(),
    from_ms: Digits.optional(),
    to_ms: Digits.optional(),
    text: z.string().optional(),
    before_seq: Digits.optional(),
    limit: Digits.optional(),
    format: z.enum(['json', 'csv']).optional(),
  })
  .transform(({ kinds, from_ms, to_ms, text, before_seq, limit, format }) => ({
    format,
    filter: { kinds: kinds?.split(','), fromMs: from_ms, toMs: to_ms, text, beforeSeq: before_seq, limit },
  }))

function consoleJson({ values, fields, problem, thermostat }: ConsoleView) {
  return {
    values,
    fields,
    problem,
    thermostat: {
      inner_cycles: thermostat.innerCycles,
      outer_steps: thermostat.outerSteps,
      halt_threshold: thermostat.haltThreshold,
      concurrency: thermostat.concurrency,
      forced: thermostat.forced,
      sentence: thermostat.sentence,
      changed_at_ms: thermostat.changedAtMs,
    },
  }
}

function sentinelJson(view: SentinelView) {
  return {
    level: view.level,
    reason: view.reason,
    next_step: view.nextStep,
    paused_at_ms: view.pausedAtMs,
    guardrails: view.guardrails,
    roi: view.roi,
    cost_today: view.costToday,
    unmeasured_jobs_today: view.unmeasuredJobsToday,
    currency: view.currency,
  }
}

function wantsCsv(request: FastifyRequest, format: 'json' | 'csv' | undefined): boolean {
  return format === undefined ? /^text\/csv\b/i.test(request.headers.accept ?? '') : format === 'csv'
}

/** The owner's console, the sentinel and the telemetry explorer. */
export function registerConsole(
  app: FastifyInstance,
  { stewardship, earning }: { stewardship: Stewardship; earning: Pick<Earning, 'pause' | 'resume'> },
  authorise: Authorise,
): void {
  const view = () => consoleJson(stewardship.console())

  app.get('/v1/tirami/console', async (request) => {
    authorise(request, 'ledger.read')
    return view()
  })

  app.patch('/v1/tirami/console', async (request) => {
    authorise(request, 'host.write')
    stewardship.set(parseBody(PatchBody, request.body), 'api')
    return view()
  })

  for (const path of ['pause', 'resume'] as const) {
    app.post(`/v1/tirami/console/${path}`, async (request) => {
      authorise(request, 'host.write')
      parseBody(NoBody, request.body)
      // Nobody waits for the model; what comes of it is in the status.
      void earning[path]('api').catch(() => undefined)
      return view()
    })
  }

  app.post('/v1/tirami/console/full-depth', async (request) => {
    authorise(request, 'host.write')
    const { active } = parseBody(FullDepthBody, request.body)
    stewardship.set([{ key: 'serving.force_full_depth', value: active }], 'api')
    return view()
  })

  app.get('/v1/tirami/sentinel', async (request) => {
    authorise(request, 'ledger.read')
    return sentinelJson(stewardship.sentinel())
  })

  app.post('/v1/tirami/sentinel/resume', async (request) => {
    authorise(request, 'safety.write')
    parseBody(NoBody, request.body)
    await stewardship.resumeSentinel('api')
    return sentinelJson(stewardship.sentinel())
  })

  app.get('/v1/tirami/telemetry', async (request, reply) => {
    authorise(request, 'ledger.read')
    const { format, filter } = parseBody(ListParameters, request.query)
    const query = parseBody(TelemetryQuery, filter)
    if (wantsCsv(request, format)) {
      reply.type('text/csv; charset=utf-8')
      reply.header('content-disposition', 'attachment; filename="telemetry.csv"')
      return reply.send(Readable.from(stewardship.telemetryCsv(query)))
    }
    const { events, nextBeforeSeq } = await stewardship.queryTelemetry(query)
    return { events, next_before_seq: nextBeforeSeq, kinds: TelemetryKind.options }
  })
}
