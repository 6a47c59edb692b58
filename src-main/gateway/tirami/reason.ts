import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import { costOf } from '../openai/cost.ts'
import { cancelled } from '../openai/jobs.ts'
import { type Authorise, parseBody } from '../requests.ts'

const ReasonBody = z.strictObject({
  task: z.string().min(1).max(64),
  input: z.unknown(),
  effort: z.enum(['low', 'medium', 'high', 'full']).optional(),
  seed: z.number().int().min(0).max(0x7fff_ffff).optional(),
})

/** The recursive model for sale: a question of one of its tasks, an answer that the rules confirm where they can. */
export function registerReason(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.get('/v1/tirami/reason/tasks', async (request) => {
    authorise(request, 'model.read')
    return { tasks: await services.reasonTasks() }
  })

  app.post('/v1/tirami/reason', async (request, reply) => {
    const { consumer } = authorise(request, 'inference.run')
    const { task, input, effort, seed } = parseBody(ReasonBody, request.body)
    const question = {
      task,
      input,
      ...(effort === undefined ? {} : { effort }),
      ...(seed === undefined ? {} : { seed }),
    }
    const abort = new AbortController()
    reply.raw.on('close', () => abort.abort())
    let thought: Thought | null = null
    let receipt: Receipt | null = null
    for await (const event of services.serveReason(consumer, question, abort.signal)) {
      if (event.type === 'thought') thought = event.thought
      if (event.type === 'booked') receipt = event.receipt
    }
    if (!thought || !receipt) throw cancelled()
    const cost = costOf(services, consumer, [receipt])
    return { ...thoughtJson(task, thought, receipt), x_tirami: { ...cost, depth: thought.steps.length } }
  })
}

type ReasonEvents = ReturnType<HostServices['serveReason']>
type ReasonEvent = ReasonEvents extends AsyncGenerator<infer Event> ? Event : never
type Thought = Extract<ReasonEvent, { type: 'thought' }>['thought']
type Receipt = Extract<ReasonEvent, { type: 'booked' }>['receipt']

function thoughtJson(task: string, thought: Thought, { latencyMs }: Receipt) {
  return {
    task,
    answer: thought.answer,
    verified: thought.verified,
    steps: thought.steps.map(({ answer, haltProbability }) => ({
      answer,
      halt_probability: haltProbability,
    })),
    council_steps: thought.councilSteps,
    cycles: thought.cycles,
    latency_ms: latencyMs,
  }
}
