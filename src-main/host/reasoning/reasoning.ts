import { Worker } from 'node:worker_threads'
import { TiramiError } from '../../kernel/index.ts'
import type { ReasonRequest } from '../../recursion/index.ts'
import {
  ReasoningAnswer,
  type ReasoningCall,
  type ReasoningQuestion,
  type ReasoningWorkerData,
  type Thought,
} from './messages.ts'

/** The recursive model in a thread of its own: it may think for seconds. */
export interface Reasoning {
  /** Tasks it was trained for. */
  tasks(): Promise<string[]>
  /** The most floating-point operations that the request can take. @throws TiramiError TASK_UNKNOWN, INVALID_INPUT */
  bound(request: ReasonRequest): Promise<bigint>
  /** @throws TiramiError REASONING_BUSY (429), REASONING_CRASHED (502), CANCELLED, and as `bound` */
  reason(request: ReasonRequest, signal: AbortSignal): Promise<Thought>
  /** A question of the task that training never saw. @throws TiramiError TASK_UNKNOWN */
  example(task: string, seed: number): Promise<unknown>
  close(): Promise<void>
}

interface ReasoningOptions {
  workerUrl: URL
  /** Of weights and manifests. */
  directory: string
}

const WAITING_MAX = 16

type Reply = Exclude<ReasoningAnswer, { type: 'ready' }>

/** One thread and those who wait for it. */
class Thread {
  readonly ready: Promise<string[]>
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>()
  #nextId = 1

  constructor({ workerUrl, directory }: ReasoningOptions, onGone: () => void) {
    const data: ReasoningWorkerData = { directory }
    this.#worker = new Worker(workerUrl, { workerData: data, execArgv: [], name: 'reasoning' })
    const ready = Promise.withResolvers<string[]>()
    ready.promise.catch(() => undefined)
    this.ready = ready.promise
    this.#worker.on('message', (message) => {
      const answer = ReasoningAnswer.parse(message)
      if (answer.type === 'ready') ready.resolve(answer.tasks)
      else this.#settle(answer)
    })
    const gone = (cause: unknown): void => {
      onGone()
      ready.reject(crashed(cause))
      for (const { reject } of this.#waiting.values()) reject(crashed(cause))
      this.#waiting.clear()
    }
    this.#worker.on('error', gone)
    this.#worker.on('exit', (code) => gone(new Error(`the thread ended with code ${code}`)))
  }

  get waiting(): number {
    return this.#waiting.size
  }

  async ask(question: ReasoningQuestion): Promise<Reply> {
    await this.ready
    const call: ReasoningCall = { ...question, id: this.#nextId++ }
    const answer = Promise.withResolvers<Reply>()
    this.#waiting.set(call.id, answer)
    this.#worker.postMessage(call)
    return answer.promise
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #settle(answer: Reply): void {
    this.#waiting.get(answer.id)?.resolve(answer)
    this.#waiting.delete(answer.id)
  }
}

export function createReasoning(options: ReasoningOptions): Reasoning {
  let thread: Thread | null = null
  let closed = false
  const current = (): Thread => {
    if (closed) throw crashed(new Error('the host is closing'))
    if (!thread) {
      const started: Thread = new Thread(options, () => {
        if (thread === started) thread = null
      })
      thread = started
    }
    return thread
  }
  const ask = async (question: ReasoningQuestion): Promise<Reply> => {
    const answer = await current().ask(question)
    if (answer.type !== 'failed') return answer
    const { code, message, nextStep, httpStatus } = answer.error
    throw new TiramiError(code, message, { nextStep, httpStatus })
  }
  return {
    tasks: () => current().ready,
    bound: async (request) => {
      const answer = await ask({ name: 'bound', request })
      return BigInt(Math.ceil(answer.type === 'bound' ? answer.flop : 0))
    },
    reason: async (request, signal) => {
      if (current().waiting >= WAITING_MAX) throw busy()
      const left = Promise.withResolvers<never>()
      const leave = () => left.reject(cancelled())
      signal.addEventListener('abort', leave)
      try {
        if (signal.aborted) throw cancelled()
        // A thought is short and cannot be interrupted: whoever leaves does not wait for its end.
        const answer = await Promise.race([ask({ name: 'reason', request }), left.promise])
        if (answer.type !== 'thought') throw crashed(new Error('the thread answered something else'))
        return answer.thought
      } finally {
        signal.removeEventListener('abort', leave)
      }
    },
    example: async (task, seed) => {
      const answer = await ask({ name: 'example', task, seed })
      return answer.type === 'example' ? answer.input : null
    },
    close: async () => {
      closed = true
      await thread?.end()
    },
  }
}

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
