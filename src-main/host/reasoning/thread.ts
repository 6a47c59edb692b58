import { Worker } from 'node:worker_threads'
import {
  type ReasoningAnswer,
  type ReasoningCall,
  type ReasoningQuestion,
  ReasoningReply,
  type ReasoningWorkerData,
} from './messages.ts'

export interface ThreadOptions {
  workerUrl: URL
  /** Of weights and manifests. */
  directory: string
}

/** One thread that answers one question at a time. */
export interface Thread {
  /** What ends early with `signal` does not answer. @throws what ended the thread */
  ask(question: ReasoningQuestion, signal?: AbortSignal): Promise<ReasoningAnswer>
  end(): Promise<void>
}

/** @param onGone called once, when it answers no more */
export function startThread({ workerUrl, directory }: ThreadOptions, onGone: () => void): Thread {
  /** Number of the call whose asker has left: the thread looks at it after every step. */
  const abandoned = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(workerUrl, {
    workerData: { directory, abandoned } satisfies ReasoningWorkerData,
    execArgv: [],
    name: 'reasoning',
  })
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => undefined)
  let call: { id: number; answer: PromiseWithResolvers<ReasoningAnswer> } | null = null
  let lastId = 0
  worker.on('message', (message) => {
    const reply = ReasoningReply.parse(message)
    if (reply.type === 'ready') ready.resolve()
    else if (reply.id === call?.id) call.answer.resolve(reply)
  })
  let isGone = false
  const gone = (cause: unknown): void => {
    if (isGone) return
    isGone = true
    ready.reject(cause)
    call?.answer.reject(cause)
    onGone()
  }
  worker.on('error', gone)
  worker.on('exit', (code) => gone(new Error(`the thread ended with code ${code}`)))
  return {
    ask: async (question, signal) => {
      await ready.promise
      const id = ++lastId
      const answer = Promise.withResolvers<ReasoningAnswer>()
      call = { id, answer }
      const leave = (): void => void Atomics.store(abandoned, 0, id)
      signal?.addEventListener('abort', leave)
      if (signal?.aborted) leave()
      try {
        worker.postMessage({ ...question, id } satisfies ReasoningCall)
        return await answer.promise
      } finally {
        call = null
        signal?.removeEventListener('abort', leave)
      }
    },
    end: async () => void (await worker.terminate()),
  }
}
