import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** A value that structured cloning carries between threads. */
type Message = unknown

interface Reply {
  result?: Message
  error?: string
}

/**
 * A fixed number of threads that run one worker module. `run` gives job i to thread i modulo the thread count and
 * returns the results in job order, so what is computed does not depend on scheduling.
 */
export class WorkerPool<Job, Result> {
  readonly #workers: Worker[]

  constructor(module: URL, threads: number, setup: Message) {
    this.#workers = Array.from({ length: threads }, (_, thread) => {
      return new Worker(module, { workerData: { setup, thread } })
    })
  }

  async run(jobs: readonly Job[]): Promise<Result[]> {
    const results: Result[] = new Array(jobs.length)
    const shares = this.#workers.map(async (worker, thread) => {
      for (let i = thread; i < jobs.length; i += this.#workers.length) {
        results[i] = await this.#ask(worker, jobs[i] as Job)
      }
    })
    await Promise.all(shares)
    return results
  }

  #ask(worker: Worker, job: Job): Promise<Result> {
    return new Promise((resolve, reject) => {
      const settle = (reply: Reply): void => {
        worker.off('error', reject)
        if (reply.error === undefined) resolve(reply.result as Result)
        else reject(new Error(reply.error))
      }
      worker.once('message', settle)
      worker.once('error', reject)
      worker.postMessage(job)
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

/** The worker's side: `prepare` gets the pool's setup and the thread number once, and returns the job handler. */
export function serveJobs<Setup, Job, Result>(
  prepare: (setup: Setup, thread: number) => (job: Job) => Result,
): void {
  if (isMainThread || !parentPort) throw new Error('serveJobs runs in a worker thread only')
  const port = parentPort
  const { setup, thread } = workerData as { setup: Setup; thread: number }
  const handle = prepare(setup, thread)
  port.on('message', (job: Job) => {
    const reply: Reply = {}
    try {
      reply.result = handle(job)
    } catch (error) {
      reply.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
    port.postMessage(reply)
  })
}
