import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { TiramiError } from '../../kernel/index.ts'
import { createReasoner, TASKS } from '../../recursion/index.ts'
import type { ReasoningAnswer, ReasoningCall, ReasoningReply, ReasoningWorkerData } from './messages.ts'

type ReasonedStep = ReturnType<typeof reasoner.reason>['steps'][number]

const { directory, abandoned } = workerData as ReasoningWorkerData

const reasoner = createReasoner(
  readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      manifest: JSON.parse(readFileSync(join(directory, name), 'utf8')),
      weights: readFileSync(join(directory, name.replace(/\.json$/, '.safetensors'))),
    })),
)

function answer(call: ReasoningCall): ReasoningAnswer {
  const { id } = call
  try {
    if (call.name === 'tasks') return { type: 'tasks', id, tasks: reasoner.manifests.map(({ task }) => task) }
    if (call.name === 'example') return { type: 'example', id, input: exampleOf(call.task, call.seed) }
    if (call.name === 'bound') return { type: 'bound', id, flop: reasoner.maximumFlop(call.request) }
    const thought = reasoner.reason(call.request, () => assertWanted(id))
    return { type: 'thought', id, thought: { ...thought, steps: thought.steps.map(rounded) } }
  } catch (error) {
    if (!(error instanceof TiramiError)) throw error
    const { code, message, nextStep, httpStatus } = error
    return { type: 'failed', id, error: { code, message, nextStep, httpStatus } }
  }
}

/** Nobody pays for what nobody waits for. */
function assertWanted(id: number): void {
  if (Atomics.load(abandoned, 0) !== id) return
  throw new TiramiError('CANCELLED', 'The asker has left.', { nextStep: 'Ask again.', httpStatus: 499 })
}

/** Four decimals of a change are more than can be seen. */
function rounded(step: ReasonedStep) {
  return { ...step, latentChange: step.latentChange.map((change) => Math.round(change * 1e4) / 1e4) }
}

function exampleOf(name: string, seed: number): unknown {
  const [item] = TASKS.get(name)?.testItems(1, seed) ?? []
  if (item) return item.input
  throw new TiramiError('TASK_UNKNOWN', `There is no task named ${name}.`, {
    nextStep: 'Take one from the list of tasks.',
    httpStatus: 404,
  })
}

const post = (message: ReasoningReply): void => parentPort?.postMessage(message)

parentPort?.on('message', (call: ReasoningCall) => post(answer(call)))
post({ type: 'ready' })
