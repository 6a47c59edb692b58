import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  ApprovalNeeded,
  type Consumer,
  type HostServices,
  type Receipt,
  type ServeEvent,
} from '../../host/index.ts'
import type { JobRequest } from '../../inference/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { RequestError } from '../requests.ts'
import { type Booked, type Cost, costOf } from './cost.ts'
import type { Served } from './models.ts'

/** A connection that waits longer for the owner's answer is told to come back. */
const APPROVAL_WAIT_MS = 10 * 60_000

/** What happens to one of the answers that a request asked for. */
export type ChoiceEvent = ServeEvent & { choice: number }

/** A request failed after some of its answers were booked: their price is told with the error. */
export class ChargedError extends TiramiError {
  readonly failure: TiramiError
  readonly cost: Cost

  constructor(failure: TiramiError, cost: Cost) {
    const { code, message, nextStep, httpStatus } = failure
    super(code, message, { nextStep, httpStatus, cause: failure })
    this.failure = failure
    this.cost = cost
  }
}

export interface AskedJobs {
  services: HostServices
  consumer: Consumer
  /** Absent: the one of this host. */
  model?: Pick<Served, 'id' | 'remote'>
  request: FastifyRequest
  reply: FastifyReply
  /** Fields whose name an error of the engine carries, by the error's code. */
  params?: Record<string, string>
}

/**
 * Runs all jobs of a request side by side, each with a trade of its own. They end when the reader goes away, and when
 * one fails.
 * @throws TiramiError of the first job that failed; ChargedError when others were booked before
 */
export async function* runJobs(
  { services, consumer, model, request, reply, params = {} }: AskedJobs,
  jobs: readonly JobRequest[],
): AsyncGenerator<ChoiceEvent, void, void> {
  const abort = new AbortController()
  reply.raw.on('close', () => abort.abort())
  const approval = approvalChoice(request.headers['x-tirami-approval'], jobs.length)
  const booked: Booked[] = []
  const { mesh } = services
  const runs = jobs.map((job) =>
    serveApproved(services, abort.signal, approval, (approvalId) => {
      const how = approvalId === undefined ? {} : { approvalId }
      if (model?.remote) {
        if (!mesh) throw leftTheMesh()
        return mesh.serve(consumer, model.id, job, abort.signal, how)
      }
      return services.serve(consumer, job, abort.signal, how)
    }),
  )
  // Noted at the source: one that is booked while another fails is never handed on, but it is charged.
  const noted = runs.map((run) =>
    tapped(run, (event) => event.type === 'booked' && booked.push(event.receipt)),
  )
  try {
    for await (const [choice, event] of merged(noted, () => abort.abort())) yield { ...event, choice }
  } catch (error) {
    if (!(error instanceof TiramiError)) throw error
    const named = namedParam(error, params)
    throw booked.length > 0 ? new ChargedError(named, costOf(services, consumer, booked)) : named
  }
}

/** Vectors of all texts, and what they cost together. @throws TiramiError of the host or the engine */
export async function collectEmbeddings(
  { services, consumer, request, reply, params = {} }: AskedJobs,
  texts: string[],
): Promise<{ vectors: number[][]; receipt: Receipt }> {
  const abort = new AbortController()
  reply.raw.on('close', () => abort.abort())
  const approval = approvalChoice(request.headers['x-tirami-approval'], 1)
  const events = serveApproved(services, abort.signal, approval, (approvalId) =>
    services.serveEmbeddings(consumer, texts, abort.signal, approvalId === undefined ? {} : { approvalId }),
  )
  const vectors: number[][] = []
  let receipt: Receipt | null = null
  try {
    for await (const event of events) {
      if (event.type === 'vectors') vectors.push(...event.vectors)
      if (event.type === 'booked') receipt = event.receipt
    }
  } catch (error) {
    throw error instanceof TiramiError ? namedParam(error, params) : error
  }
  if (!receipt) throw cancelled()
  return { vectors, receipt }
}

export function cancelled(): TiramiError {
  return new TiramiError('CANCELLED', 'The request was cancelled.', {
    nextStep: 'Ask again.',
    httpStatus: 499,
  })
}

/** Puts the field's name to an error that only the engine could find. */
export function namedParam(error: TiramiError, params: Record<string, string>): TiramiError {
  const param = Object.hasOwn(params, error.code) ? params[error.code] : undefined
  if (param === undefined) return error
  return new RequestError(error.code, error.message, param, {
    httpStatus: error.httpStatus,
    nextStep: error.nextStep,
  })
}

async function* tapped<Event>(
  events: AsyncGenerator<Event, void, void>,
  see: (event: Event) => void,
): AsyncGenerator<Event, void, void> {
  for await (const event of events) {
    see(event)
    yield event
  }
}

/** Events of several generators as they come. Each is asked for its next one only when its last was taken. */
async function* merged<Event>(
  sources: readonly AsyncGenerator<Event, void, void>[],
  onLeave: () => void,
): AsyncGenerator<[index: number, event: Event], void, void> {
  const next = async (index: number) => ({ index, result: await sources[index]?.next() })
  const pending = new Map(sources.map((_, index) => [index, next(index)]))
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values())
      pending.delete(index)
      if (!result || result.done) continue
      yield [index, result.value]
      pending.set(index, next(index))
    }
  } finally {
    onLeave()
    await Promise.allSettled([...pending.values()])
    await Promise.allSettled(sources.map((source) => source.return()))
  }
}

/** What the caller wants when the owner has to be asked: an id to come back with, or to wait for the answer. */
type ApprovalChoice = { wait: boolean; approvalId?: string }

/** @throws RequestError for anything but `wait` or, with one answer asked for, an approval's id */
function approvalChoice(header: string | string[] | undefined, jobs: number): ApprovalChoice {
  if (header === undefined) return { wait: false }
  if (header === 'wait') return { wait: true }
  if (typeof header === 'string' && /^[0-9a-f]{32}$/.test(header)) {
    if (jobs === 1) return { wait: false, approvalId: header }
    throw new RequestError('INVALID_REQUEST', 'An approval is for one answer: ask for one at a time.', null)
  }
  throw new RequestError('INVALID_REQUEST', '“X-Tirami-Approval” is “wait” or an approval id.', null)
}

/** A refused first try holds neither a slot nor a budget while the owner thinks. */
async function* serveApproved<Event>(
  services: HostServices,
  signal: AbortSignal,
  choice: ApprovalChoice,
  attempt: (approvalId: string | undefined) => AsyncGenerator<Event, void, void>,
): AsyncGenerator<Event, void, void> {
  try {
    yield* attempt(choice.approvalId)
  } catch (error) {
    if (!choice.wait || !(error instanceof ApprovalNeeded)) throw error
    const patience = AbortSignal.timeout(APPROVAL_WAIT_MS)
    const answered = services.safety.whenAnswered(error.approvalId, AbortSignal.any([signal, patience]))
    // Nobody answered in time: the caller gets the question's id to come back with.
    const approved = await answered.catch(() => Promise.reject(error))
    yield* attempt(approved ? error.approvalId : undefined)
  }
}

/** Between the choice of the model and the job the owner has turned the mesh off. */
function leftTheMesh(): TiramiError {
  return new TiramiError('MESH_OFF', 'This host does not take part in the market of other hosts any more.', {
    nextStep: 'Ask for the model that it serves itself, or turn the market on again.',
    httpStatus: 503,
  })
}
