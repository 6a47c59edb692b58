import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { TiramiError } from '../../kernel/index.ts'
import { createReasoner } from '../../recursion/index.ts'
import type { ReasoningAnswer, ReasoningCall, ReasoningWorkerData } from './messages.ts'

const { directory } = workerData as ReasoningWorkerData

const reasoner = createReasoner(
  readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      manifest: JSON.parse(readFileSync(join(directory, name), 'utf8')),
      weights: readFileSync(join(directory, name.replace(/\.json$/, '.safetensors'))),
    })),
)

function answer({ id, name, request }: ReasoningCall): ReasoningAnswer {
  try {
    if (name === 'bound') return { type: 'bound', id, flop: reasoner.maximumFlop(request) }
    const thought = reasoner.reason(request)
    return { type: 'thought', id, thought: { ...thought, steps: [...thought.steps] } }
  } catch (error) {
    if (!(error instanceof TiramiError)) throw error
    const { code, message, nextStep, httpStatus } = error
    return { type: 'failed', id, error: { code, message, nextStep, httpStatus } }
  }
}

const post = (message: ReasoningAnswer): void => parentPort?.postMessage(message)

parentPort?.on('message', (call: ReasoningCall) => post(answer(call)))
post({ type: 'ready', tasks: reasoner.manifests.map(({ task }) => task) })
