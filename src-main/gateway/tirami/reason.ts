import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import { costOf } from '../openai/cost.ts'
import { cancelled } from '../openai/jobs.ts'
import { type Authorise, parseBody } from '../requests.ts'

const ReasonBody = z
  .strictObject({
    task: z.string().min(1).max(64),
    input: z.unknown(),
    effort: z.enum(['low', 'medium', 'high', 'full']).optional(),
    steps: z.number().int().min(1).max(64).optional(),
    seed: z.number().int().min(0).max(0x7fff_ffff).optional(),
  })
  .refine(({ effort, steps }) => effort === undefined || steps === undefined, {
    path: ['steps'],
    message: 'name an effort or a number of steps, not both',
  })

/** The recursive model for sale: a question of one of its tasks, an answer that the rules confirm where they can. */
export function registerReason(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.get('/v1/tirami/reason/tasks', async (request) => {
    authorise(request, 'model.read')
    return { tasks: await services.reasonTasks() }
  })

  app.post('/v1/tirami/reason', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const { task, input, effort, steps, seed } = parseBody(ReasonBody, request.body)
    const question = {
      task,
      input,
      ...(effort === undefined ? {} : { effort }),
      ...(steps === undefined ? {} : { steps }),
      ...(seed === undefined ? {} : { seed }),
    }
    const abort = new AbortController()
    reply.raw.on('close', () => abort.abort())
    let piece: Piece | null = null
    let receipt: Receipt | null = null
    for await (const event of services.serveReason(consumer, question, abort.signal)) {
      if (event.type === 'thought') piece = event
      if (event.type === 'booked') receipt = event.receipt
    }
    if (!piece || !receipt) throw cancelled()
    const cost = costOf(services, consumer, [receipt])
    return { ...thoughtJson(task, piece, receipt), x_tirami: { ...cost, depth: piece.thought.steps.length } }
  })
}

type ReasonEvents = ReturnType<HostServices['serveReason']>
type ReasonEvent = ReasonEvents extends AsyncGenerator<infer Event> ? Event : never
type Piece = Extract<ReasonEvent, { type: 'thought' }>
type Receipt = Extract<ReasonEvent, { type: 'booked' }>['receipt']

function thoughtJson(task: string, { thought, plan }: Piece, { latencyMs }: Receipt) {
  const { depth } = plan.request
  return {
    task,
    answer: thought.answer,
    verified: thought.verified,
    halted: thought.halted,
    effort: plan.effort,
    thermostat: depth
      ? {
          inner_cycles: depth.innerCycles,
          outer_steps: depth.outerSteps,
          halt_threshold: depth.haltThreshold,
        }
      : null,
    steps: thought.steps.map(({ answer, haltProbability }) => ({
      answer,
      halt_probability: haltProbability,
    })),
    council_steps: thought.councilSteps,
    cycles: thought.cycles,
    latency_ms: latencyMs,
  }
}
