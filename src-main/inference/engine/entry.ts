import type { Token } from 'node-llama-cpp'
import { type PublicError, TiramiError, toPublicError } from '../../kernel/index.ts'
import { EngineCommandSchema } from '../protocol.ts'
import type { EngineCommand, EngineReport } from '../types.ts'
import { runEmbedJob } from './embed-job.ts'
import { Job, JobControl } from './job.ts'
import { loadSession } from './load.ts'
import { type EnginePort, openPort } from './port.ts'
import { assertToken } from './sampling.ts'
import type { Session } from './session.ts'
import { UnwipedSequence } from './slots.ts'

/** The engine process: obeys the host's commands. Prompts and answers are never written to any log. */
class EngineMain {
  readonly #port: EnginePort
  readonly #jobs = new Map<number, JobControl>()
  #loading = false
  #session: Session | null = null

  constructor(port: EnginePort) {
    this.#port = port
  }

  receive(message: unknown): void {
    const parsed = EngineCommandSchema.safeParse(message)
    if (parsed.success) this.#obey(parsed.data)
    else this.#refuse(message)
  }

  #obey(command: EngineCommand): void {
    switch (command.type) {
      case 'load':
        void this.#load(command)
        break
      case 'generate':
        void this.#run(command.jobId, (session, control) =>
          new Job(command.jobId, command.request, session, control, (report) =>
            this.#port.send(report),
          ).run(),
        )
        break
      case 'embed':
        void this.#run(command.jobId, (session, control) =>
          runEmbedJob(command.jobId, command.request, session, control, (report) => this.#port.send(report)),
        )
        break
      case 'tokenize':
      case 'detokenize':
        this.#answer(command)
        break
      case 'proceed':
        this.#jobs.get(command.jobId)?.proceed()
        break
      case 'cancel':
        this.#jobs.get(command.jobId)?.cancel()
        break
      case 'settled':
        this.#session?.pool.settled(command.jobId)
        break
      case 'stop':
        process.exit(0)
    }
  }

  /** A malformed command that names a job fails that job; any other one has nobody to tell. */
  #refuse(message: unknown): void {
    process.stderr.write('engine: a malformed command was ignored\n')
    if (typeof message !== 'object' || message === null || !('jobId' in message)) return
    const { jobId } = message
    if (typeof jobId !== 'number' || !Number.isSafeInteger(jobId) || jobId < 0) return
    const error = {
      code: 'GENERATION_FAILED',
      message: 'The request is malformed.',
      nextStep: 'Report this with the time it happened.',
    }
    this.#port.send({ type: 'failed', jobId, error })
  }

  async #load(command: Extract<EngineCommand, { type: 'load' }>): Promise<void> {
    if (this.#loading) return
    this.#loading = true
    try {
      this.#session = await loadSession(command)
      this.#port.send({ type: 'loaded', model: this.#session.loaded })
    } catch (error) {
      this.#port.send({ type: 'load-failed', error: toPublicError(error) })
    }
  }

  async #run(
    jobId: number,
    run: (session: Session, control: JobControl) => Promise<EngineReport>,
  ): Promise<void> {
    const session = this.#session
    if (!session || this.#jobs.has(jobId) || this.#jobs.size >= session.loaded.slots) {
      return this.#port.send({ type: 'failed', jobId, error: refusal(session) })
    }
    const control = new JobControl()
    this.#jobs.set(jobId, control)
    try {
      const end = await run(session, control)
      this.#jobs.delete(jobId)
      this.#port.send(end)
    } catch (error) {
      if (error instanceof UnwipedSequence) die(error.message)
      this.#jobs.delete(jobId)
      this.#port.send({ type: 'failed', jobId, error: failure(error) })
    }
  }

  #answer(command: Extract<EngineCommand, { type: 'tokenize' | 'detokenize' }>): void {
    const { jobId } = command
    const session = this.#session
    if (!session) {
      this.#port.send({ type: 'failed', jobId, error: refusal(session) })
      return
    }
    try {
      this.#port.send(answerTo(command, session))
    } catch (error) {
      this.#port.send({ type: 'failed', jobId, error: failure(error) })
    }
  }
}

function answerTo(
  command: Extract<EngineCommand, { type: 'tokenize' | 'detokenize' }>,
  { model, prompts, ...session }: Session,
): EngineReport {
  const { jobId } = command
  if (command.type === 'tokenize') {
    const { text, specials } = command
    const tokens = specials ? model.tokenize(text, true) : prompts.plain(text)
    return { type: 'tokens', jobId, tokens: tokens.map(Number) }
  }
  for (const token of command.tokens) assertToken(session.loaded.vocabularySize, token)
  return { type: 'string', jobId, text: model.detokenize(command.tokens as Token[], true) }
}

function refusal(session: Session | null): PublicError {
  const nextStep = 'Try again in a moment.'
  return session
    ? { code: 'ENGINE_BUSY', message: 'All slots of the model are taken.', nextStep }
    : { code: 'ENGINE_NOT_READY', message: 'The model is not loaded.', nextStep }
}

function failure(error: unknown): PublicError {
  if (error instanceof TiramiError) return toPublicError(error)
  process.stderr.write(`engine: a generation failed: ${traceOf(error)}\n`)
  return {
    code: 'GENERATION_FAILED',
    message: 'The model could not finish the answer.',
    nextStep: 'Try again; if it happens again, choose a shorter conversation or another model.',
  }
}

/** Where an error came from, without its message: that could quote a prompt. */
function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  return [error.name, ...frames].join('\n')
}

function die(reason: string): never {
  process.stderr.write(`engine: ${reason}\n`)
  process.exit(1)
}

process.on('uncaughtException', (error) => die(`uncaught ${traceOf(error)}`))
process.on('unhandledRejection', (error) => die(`unhandled ${traceOf(error)}`))

const port = openPort()
const engine = new EngineMain(port)
port.onClose(() => process.exit(0))
port.onMessage((message) => engine.receive(message))
