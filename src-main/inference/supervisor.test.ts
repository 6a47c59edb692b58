import { describe, expect, test } from 'vitest'
import { createEngine, type EngineOptions, type GenerateEvent, type GenerateRequest } from './index.ts'
import { FakeEngineProcess } from './testing/fake-engine.ts'

const REQUEST: GenerateRequest = {
  prompt: { type: 'chat', turns: [{ role: 'user', content: 'hi' }] },
  tenant: 'tenant',
  maxTokens: 8,
  temperature: 0,
  topP: 1,
  stop: [],
}
const never = new AbortController().signal

/** A supervisor with fake processes and a clock that moves when told. */
function bench(change: Partial<EngineOptions> = {}) {
  const processes: FakeEngineProcess[] = []
  const timers = new Map<symbol, { dueMs: number; action: () => void }>()
  let nowMs = 0
  const engine = createEngine({
    spawn: () => {
      const process = new FakeEngineProcess()
      processes.push(process)
      return process
    },
    modelPath: '/model.gguf',
    contextTokens: 64,
    slots: 1,
    threads: 1,
    gpu: 'cpu',
    clock: { nowMs: () => nowMs },
    timers: {
      after: (delayMs, action) => {
        const key = Symbol()
        timers.set(key, { dueMs: nowMs + delayMs, action })
        return () => timers.delete(key)
      },
    },
    ...change,
  })
  const advance = (ms: number): void => {
    nowMs += ms
    for (const [key, timer] of timers) {
      if (timer.dueMs <= nowMs && timers.delete(key)) timer.action()
    }
  }
  const latest = (): FakeEngineProcess => {
    const process = processes.at(-1)
    if (!process) throw new Error('no process was started')
    return process
  }
  const startReady = async (): Promise<void> => {
    const started = engine.start()
    await settle()
    latest().load(change.slots ?? 1)
    await started
  }
  return { engine, processes, latest, advance, startReady }
}

/** Lets everything that is ready to run, run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function collect(events: AsyncGenerator<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

describe('restarts', () => {
  test('wait longer each time, then give up and keep the error; start() tries again', async () => {
    const { engine, processes, latest, advance } = bench()
    const started = engine.start()
    const outcome = expect(started).rejects.toMatchObject({ code: 'ENGINE_CRASHED', httpStatus: 502 })
    await settle()
    for (const delayMs of [500, 1000, 2000, 4000]) {
      latest().exit(139)
      expect(engine.status()).toMatchObject({ state: 'restarting', error: { code: 'ENGINE_CRASHED' } })
      const count = processes.length
      advance(delayMs - 1)
      expect(processes).toHaveLength(count)
      advance(1)
      expect(processes).toHaveLength(count + 1)
    }
    latest().exit(139)
    await outcome
    expect(engine.status()).toMatchObject({ state: 'failed', restarts: 4, error: { code: 'ENGINE_CRASHED' } })
    const again = engine.start()
    await settle()
    latest().load(1)
    await again
    expect(engine.status()).toMatchObject({ state: 'ready', restarts: 0, error: null })
  })

  test('count afresh after a healthy minute', async () => {
    const { engine, latest, advance, startReady } = bench()
    await startReady()
    for (let crash = 0; crash < 10; crash++) {
      advance(60_000)
      latest().exit(1)
      expect(engine.status().state).toBe('restarting')
      advance(500)
      latest().load(1)
      expect(engine.status().state).toBe('ready')
    }
  })

  test('a process that does not load in time is replaced', async () => {
    const { engine, processes, latest, advance } = bench({ loadTimeoutMs: 1000 })
    void engine.start()
    await settle()
    advance(1000)
    expect(latest().kills).toBe(1)
    advance(3000)
    expect(latest().kills).toBe(2)
    latest().exit(null)
    expect(engine.status()).toMatchObject({
      state: 'restarting',
      error: { message: expect.stringMatching(/in time/) },
    })
    advance(500)
    expect(processes).toHaveLength(2)
  })

  test('a process that talks nonsense is replaced', async () => {
    const { engine, latest, startReady } = bench()
    await startReady()
    latest().report(JSON.parse('{"type":"loaded","model":{"backend":"abacus"}}'))
    expect(latest().kills).toBe(1)
    latest().exit(null)
    expect(engine.status().state).toBe('restarting')
  })

  test('a model that cannot be loaded is not tried again', async () => {
    const { engine, processes, latest, advance } = bench()
    const started = engine.start()
    await settle()
    latest().report({
      type: 'load-failed',
      error: { code: 'MODEL_FILE_INVALID', message: 'm', nextStep: 'n' },
    })
    await expect(started).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID', httpStatus: 400 })
    expect(engine.status()).toMatchObject({ state: 'failed', error: { code: 'MODEL_FILE_INVALID' } })
    expect(latest().kills).toBe(1)
    latest().exit(0)
    advance(600_000)
    expect(processes).toHaveLength(1)
  })
})

describe('jobs', () => {
  test('wait in order for a slot, and are refused beyond 64', async () => {
    const { engine, latest, startReady } = bench()
    await startReady()
    const jobs = Array.from({ length: 65 }, (_, index) =>
      engine.generate({ ...REQUEST, tenant: `tenant ${index % 3}` }, never),
    )
    const firsts = jobs.map((job) => job.next())
    expect(engine.jobs()).toEqual({ running: 1, queued: 64 })
    await expect(engine.generate(REQUEST, never).next()).rejects.toMatchObject({
      code: 'ENGINE_BUSY',
      httpStatus: 429,
    })
    latest().report({ type: 'prompt', jobId: 0, promptTokens: 3 })
    expect(await firsts[0]).toEqual({ done: false, value: { type: 'prompt', promptTokens: 3 } })
    expect(latest().sent.some((command) => command.type === 'proceed')).toBe(false)
    const rest = jobs[0]?.next()
    await settle()
    expect(latest().sent).toContainEqual({ type: 'proceed', jobId: 0 })
    latest().report({
      type: 'end',
      jobId: 0,
      finishReason: 'stop',
      promptTokens: 3,
      cachedTokens: 0,
      completionTokens: 0,
    })
    expect((await rest)?.value).toMatchObject({ type: 'end' })
    expect(latest().jobIds()).toEqual([0, 1])
    const outcomes = Promise.allSettled(firsts)
    const stopped = engine.stop()
    latest().exit(0)
    await stopped
    for (const outcome of (await outcomes).slice(1)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_STOPPED' } })
    }
  })

  test('a crash fails the running job; the waiting one runs after the restart; new ones are refused meanwhile', async () => {
    const { engine, latest, advance, startReady } = bench()
    await startReady()
    const running = collect(engine.generate(REQUEST, never))
    const waiting = collect(engine.generate(REQUEST, never))
    latest().exit(null)
    await expect(running).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })
    await expect(collect(engine.generate(REQUEST, never))).rejects.toMatchObject({ code: 'ENGINE_NOT_READY' })
    expect(engine.jobs()).toEqual({ running: 0, queued: 1 })
    advance(500)
    latest().load(1)
    expect(latest().jobIds()).toEqual([1])
    latest().report({
      type: 'end',
      jobId: 1,
      finishReason: 'stop',
      promptTokens: 1,
      cachedTokens: 0,
      completionTokens: 0,
    })
    expect(await waiting).toHaveLength(1)
  })

  test('a job that is cancelled while it waits never reaches the process', async () => {
    const { engine, latest, startReady } = bench()
    await startReady()
    const first = engine.generate(REQUEST, never).next()
    const abort = new AbortController()
    const second = collect(engine.generate(REQUEST, abort.signal))
    abort.abort()
    expect(await second).toEqual([
      { type: 'end', finishReason: 'cancelled', promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
    ])
    expect(engine.jobs()).toEqual({ running: 1, queued: 0 })
    expect(latest().jobIds()).toEqual([0])
    const outcome = expect(first).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })
    latest().exit(1)
    await outcome
  })

  test('a process that ignores a cancel is replaced', async () => {
    const { engine, latest, advance, startReady } = bench()
    await startReady()
    const abort = new AbortController()
    const job = collect(engine.generate(REQUEST, abort.signal))
    abort.abort()
    expect(latest().sent.at(-1)).toEqual({ type: 'cancel', jobId: 0 })
    advance(120_000)
    expect(latest().kills).toBe(1)
    latest().exit(null)
    await expect(job).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })
  })
})

test('stop() during a restart ends it, and every change is told', async () => {
  const { engine, processes, latest, advance, startReady } = bench()
  const states: string[] = []
  const unsubscribe = engine.onChange(() => states.push(engine.status().state))
  await startReady()
  latest().exit(1)
  await engine.stop()
  advance(60_000)
  expect(processes).toHaveLength(1)
  expect(states).toEqual(['starting', 'ready', 'restarting', 'stopped'])
  unsubscribe()
  await startReady()
  expect(states).toHaveLength(4)
})

/** Ends the job that the process runs, as the process would. */
function finish(process: FakeEngineProcess, jobId: number): void {
  process.report({ type: 'prompt', jobId, promptTokens: 1 })
  process.report({
    type: 'end',
    jobId,
    finishReason: 'stop',
    promptTokens: 1,
    cachedTokens: 0,
    completionTokens: 0,
  })
}

describe('the queue', () => {
  test('is shared out among tenants, and bounded for each of them', async () => {
    const { engine, latest, advance, startReady } = bench({ maxQueuedJobsPerTenant: 2 })
    await startReady()
    const ask = (tenant: string, priority: 'owner' | 'paid' = 'paid') =>
      collect(engine.generate({ ...REQUEST, tenant, priority }, never))
    const first = ask('greedy')
    advance(10_000)
    finish(latest(), 0)
    await first
    const jobs = [ask('greedy'), ask('greedy'), ask('greedy'), ask('modest'), ask('me', 'owner')]
    // One job takes 10 s, and three tenants take turns.
    await expect(ask('greedy')).rejects.toMatchObject({ code: 'ENGINE_BUSY', retryAfterSeconds: 30 })
    for (const jobId of [1, 5, 2, 4, 3]) {
      expect(latest().jobIds().at(-1)).toBe(jobId)
      finish(latest(), jobId)
    }
    await Promise.all(jobs)
  })

  test('a drained engine finishes its work and takes no more until it is started', async () => {
    const { engine, latest, advance, startReady } = bench()
    await startReady()
    const running = collect(engine.generate(REQUEST, never))
    const waiting = collect(engine.generate(REQUEST, never))
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    const drained = engine.drain(1000)
    await expect(collect(engine.generate(REQUEST, never))).rejects.toMatchObject({
      code: 'ENGINE_DRAINING',
      httpStatus: 503,
    })
    finish(latest(), 0)
    expect(await running).toHaveLength(2)
    advance(1000)
    await drained
    await outcome
    expect(latest().sent).toContainEqual({ type: 'cancel', jobId: 1 })
    await engine.start()
    const again = collect(engine.generate(REQUEST, never))
    finish(latest(), 1)
    finish(latest(), 2)
    expect(await again).toHaveLength(2)
  })

  test('a job counts as paid for when its reader asks on after the end', async () => {
    const { engine, latest, startReady } = bench()
    await startReady()
    const read = collect(engine.generate(REQUEST, never))
    finish(latest(), 0)
    await read
    const left = engine.generate(REQUEST, never)
    const first = left.next()
    finish(latest(), 1)
    await first
    await left.next()
    await left.return()
    const settled = latest().sent.filter((command) => command.type === 'settled')
    expect(settled).toEqual([{ type: 'settled', jobId: 0 }])
  })
})

describe('another plan', () => {
  const plan = { modelPath: '/other.gguf', contextTokens: 32, slots: 2, threads: 1, gpu: 'cpu' } as const

  test('is loaded once running jobs have ended; waiting ones and new ones wait for it', async () => {
    const { engine, processes, latest, startReady } = bench()
    await startReady()
    const running = collect(engine.generate(REQUEST, never))
    const waiting = collect(engine.generate(REQUEST, never))
    const loading = engine.load(plan)
    const late = collect(engine.generate(REQUEST, never))
    finish(latest(), 0)
    await running
    await settle()
    expect(latest().jobIds()).toEqual([0])
    expect(latest().sent).toContainEqual({ type: 'stop' })
    expect(processes).toHaveLength(1)
    latest().exit(0)
    await settle()
    expect(latest().sent).toEqual([{ type: 'load', ...plan }])
    latest().load(2)
    await loading
    expect(latest().jobIds()).toEqual([1, 2])
    finish(latest(), 1)
    finish(latest(), 2)
    await Promise.all([waiting, late])
  })

  test('is not held up by a job for longer than the grace', async () => {
    const { engine, latest, advance, startReady } = bench({ switchGraceMs: 500 })
    await startReady()
    const running = collect(engine.generate(REQUEST, never))
    const outcome = expect(running).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    const loading = engine.load(plan)
    await settle()
    advance(500)
    await outcome
    latest().exit(0)
    await settle()
    latest().load(2)
    await loading
    expect(engine.status()).toMatchObject({ state: 'ready', slots: 2 })
  })

  test('that cannot be loaded is a typed failure for whoever waits; the next one can be', async () => {
    const { engine, latest, startReady } = bench()
    await startReady()
    const loading = engine.load(plan)
    const waiting = collect(engine.generate(REQUEST, never))
    const outcomes = Promise.allSettled([loading, waiting])
    await settle()
    latest().exit(0)
    await settle()
    const error = { code: 'MODEL_LOAD_FAILED', message: 'm', nextStep: 'n' }
    latest().report({ type: 'load-failed', error })
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MODEL_LOAD_FAILED' } })
    }
    expect(engine.status().state).toBe('failed')
    const again = engine.load({ ...plan, modelPath: '/third.gguf' })
    latest().exit(0)
    await settle()
    expect(latest().sent).toMatchObject([{ type: 'load', modelPath: '/third.gguf' }])
    latest().load(2)
    await again
  })

  test('gives way to a stop, and is what the next start loads', async () => {
    const { engine, processes, latest, startReady } = bench()
    await startReady()
    const loading = engine.load(plan)
    const outcome = expect(loading).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    const stopped = engine.stop()
    latest().exit(0)
    await Promise.all([stopped, outcome])
    expect(processes).toHaveLength(1)
    expect(engine.status().state).toBe('stopped')
    const started = engine.start()
    await settle()
    expect(latest().sent).toMatchObject([{ type: 'load', modelPath: '/other.gguf' }])
    latest().load(2)
    await started
  })
})

describe('an idle engine', () => {
  test('is unloaded after its time, not before and not while it works; the next job loads it', async () => {
    const { engine, processes, latest, advance, startReady } = bench({ idleUnloadMs: () => 1000 })
    await startReady()
    advance(999)
    const job = collect(engine.generate(REQUEST, never))
    advance(5000)
    expect(engine.status().state).toBe('ready')
    finish(latest(), 0)
    await job
    advance(1000)
    expect(engine.status()).toMatchObject({ state: 'unloaded', slots: null })
    const next = collect(engine.generate(REQUEST, never))
    // The last process has to be gone first: two models may not fit.
    expect(processes).toHaveLength(1)
    latest().exit(0)
    await settle()
    expect(processes).toHaveLength(2)
    latest().load(1)
    finish(latest(), 1)
    expect(await next).toHaveLength(2)
  })

  test('stays loaded when the owner wants that', async () => {
    const { engine, advance, startReady } = bench({ idleUnloadMs: () => null })
    await startReady()
    advance(1e9)
    expect(engine.status().state).toBe('ready')
  })
})

test('a process that does not go is killed, so that its memory is free within three seconds', async () => {
  const { engine, latest, advance, startReady } = bench()
  await startReady()
  const stopped = engine.stop()
  expect(latest().kills).toBe(1)
  advance(2_500)
  expect(latest().kills).toBe(2)
  latest().exit(null)
  await stopped
})

test('a question that the process did not answer fails with it', async () => {
  const { engine, latest, startReady } = bench()
  await expect(engine.tokenize('a')).rejects.toMatchObject({ code: 'ENGINE_NOT_READY' })
  await startReady()
  const question = engine.tokenize('a')
  await settle()
  expect(latest().sent.at(-1)).toEqual({ type: 'tokenize', jobId: 0, text: 'a', specials: false })
  latest().report({ type: 'tokens', jobId: 0, tokens: [97] })
  expect(await question).toEqual([97])
  const unanswered = expect(engine.detokenize([1])).rejects.toMatchObject({ code: 'ENGINE_CRASHED' })
  await settle()
  latest().exit(1)
  await unanswered
})
