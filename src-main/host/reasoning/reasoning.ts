import { availableParallelism } from 'node:os'
import { FairQueue } from '../../inference/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import type { ReasonRequest } from '../../recursion/index.ts'
import type { ReasoningAnswer, ReasoningQuestion, Thought } from './messages.ts'
import { startThread, type Thread, type ThreadOptions } from './thread.ts'

/** Who asks, for a fair turn. */
export interface Asker {
  tenant: string
  priority: 'owner' | 'paid'
}

/** The recursive model in threads of its own: it may think for seconds. */
export interface Reasoning {
  /** Tasks it was trained for. */
  tasks(): Promise<string[]>
  /**
   * The most floating-point operations that the request can take.
   * @throws TiramiError TASK_UNKNOWN, INVALID_INPUT, DEPTH_IMPOSSIBLE
   */
  bound(request: ReasonRequest): Promise<bigint>
  /** @throws TiramiError REASONING_BUSY (429), REASONING_CRASHED (502), CANCELLED, and as `bound` */
  reason(request: ReasonRequest, asker: Asker, signal: AbortSignal): Promise<Thought>
  /** A question of the task that training never saw. @throws TiramiError TASK_UNKNOWN */
  example(task: string, seed: number): Promise<unknown>
  jobs(): { running: number; queued: number }
  close(): Promise<void>
}

interface ReasoningOptions extends ThreadOptions {
  /** Thoughts side by side; asked before each begins. Never more than there are cores. */
  concurrency(): number
  /** A thought has begun, ended, or waits. */
  onJobs?(): void
}

interface Job extends Asker {
  question: ReasoningQuestion
  signal: AbortSignal | undefined
  answer: PromiseWithResolvers<ReasoningAnswer>
}

const WAITING_MAX = 16
/** A thread beyond the first gives its memory back after so long without work. */
const IDLE_MS = 60_000

/**
 * Threads are started when they are needed, up to the setting of the moment; a lower one lets the thoughts under way end.
 * What is only looked up goes before thoughts, and takes turns of microseconds.
 */
export function createReasoning(options: ReasoningOptions): Reasoning {
  const cores = availableParallelism()
  const free: Thread[] = []
  const all = new Set<Thread>()
  const lookups: Job[] = []
  const thoughts = new FairQueue<Job>()
  /** Thoughts under way. */
  const running = new Set<Job>()
  let closed = false

  const start = (): Thread => {
    const thread = startThread(options, () => {
      all.delete(thread)
      const position = free.indexOf(thread)
      if (position >= 0) free.splice(position, 1)
      dispatch()
    })
    all.add(thread)
    return thread
  }
  const take = (most: number): Thread | null => free.pop() ?? (all.size < most ? start() : null)
  const giveBack = (thread: Thread): void => {
    if (!all.has(thread)) return
    free.push(thread)
    const timer = setTimeout(() => {
      if (all.size > 1 && free.includes(thread)) void thread.end()
    }, IDLE_MS)
    timer.unref()
  }
  const run = async (thread: Thread, job: Job): Promise<void> => {
    try {
      job.answer.resolve(await thread.ask(job.question, job.signal))
    } catch (cause) {
      job.answer.reject(crashed(cause))
    } finally {
      running.delete(job)
      options.onJobs?.()
      giveBack(thread)
      dispatch()
    }
  }
  /** Gives work to threads until one of the two runs out. */
  function dispatch(): void {
    const most = closed ? 0 : Math.max(1, Math.min(cores, options.concurrency()))
    for (;;) {
      const isLookup = lookups.length > 0
      if (!isLookup && (thoughts.size === 0 || running.size >= most)) return
      const thread = take(most)
      if (!thread) return
      const runningOf = (tenant: string) => [...running].filter((other) => other.tenant === tenant).length
      const job = isLookup ? lookups.shift() : thoughts.next(runningOf)
      if (!job) {
        giveBack(thread)
        return
      }
      if (!isLookup) running.add(job)
      void run(thread, job)
    }
  }
  const settled = async (job: Job): Promise<ReasoningAnswer> => {
    const reply = await job.answer.promise
    if (reply.type !== 'failed') return reply
    const { code, message, nextStep, httpStatus } = reply.error
    throw new TiramiError(code, message, { nextStep, httpStatus })
  }
  const lookUp = async (question: ReasoningQuestion): Promise<ReasoningAnswer> => {
    if (closed) throw crashed(new Error('the host is closing'))
    const job: Job = { question, signal: undefined, answer: Promise.withResolvers(), ...NOBODY }
    lookups.push(job)
    dispatch()
    return settled(job)
  }
  const think = async (
    request: ReasonRequest,
    asker: Asker,
    signal: AbortSignal,
  ): Promise<ReasoningAnswer> => {
    if (closed) throw crashed(new Error('the host is closing'))
    if (thoughts.size >= WAITING_MAX) throw busy()
    const job: Job = {
      question: { name: 'reason', request },
      signal,
      answer: Promise.withResolvers(),
      ...asker,
    }
    const leave = () => {
      thoughts.remove(job)
      // A thought under way ends after its present step; whoever has left does not wait for that.
      job.answer.reject(cancelled())
    }
    signal.addEventListener('abort', leave)
    try {
      if (signal.aborted) throw cancelled()
      thoughts.add(job)
      dispatch()
      options.onJobs?.()
      return await settled(job)
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }
  return {
    tasks: async () => {
      const answer = await lookUp({ name: 'tasks' })
      return answer.type === 'tasks' ? answer.tasks : []
    },
    bound: async (request) => {
      const answer = await lookUp({ name: 'bound', request })
      return BigInt(Math.ceil(answer.type === 'bound' ? answer.flop : 0))
    },
    reason: async (request, asker, signal) => {
      const answer = await think(request, asker, signal)
      if (answer.type !== 'thought') throw crashed(new Error('the thread answered something else'))
      return answer.thought
    },
    example: async (task, seed) => {
      const answer = await lookUp({ name: 'example', task, seed })
      return answer.type === 'example' ? answer.input : null
    },
    jobs: () => ({ running: running.size, queued: thoughts.size }),
    close: async () => {
      closed = true
      const waiting = [...lookups.splice(0), ...thoughts.takeAll()]
      for (const { answer } of waiting) answer.reject(crashed(new Error('the host is closing')))
      await Promise.all([...all].map((thread) => thread.end()))
    },
  }
}

const NOBODY: Asker = { tenant: '', priority: 'paid' }

function busy(): TiramiError {
  return new TiramiError('REASONING_BUSY', 'Too many questions wait for the recursive model.', {
    nextStep: 'Try again in a few seconds.',
    httpStatus: 429,
  })
}

function crashed(cause: unknown): TiramiError {
  return new TiramiError('REASONING_CRASHED', 'The recursive model stopped while it was thinking.', {
    nextStep: 'Ask again; nothing was charged.',
    httpStatus: 502,
    cause,
  })
}

function cancelled(): TiramiError {
  return new TiramiError('CANCELLED', 'The answer was cancelled; nothing was charged.', {
    nextStep: 'Ask again.',
    httpStatus: 499,
  })
}
