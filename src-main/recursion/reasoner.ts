import { z } from 'zod'
import { TiramiError } from '../kernel/index.ts'
import { type Checkpoint, loadCheckpoint, type Manifest } from './checkpoint.ts'
import { InferenceEngine } from './inference.ts'
import { type DeliberationStep, deliberate, maximumFlop, type Policy } from './policy.ts'
import { type AnyTask, TASKS } from './tasks/index.ts'
import { parseInput } from './tasks/parse.ts'

/** A weights file and its manifest, already parsed from JSON. */
export interface ReasonerFile {
  readonly weights: Uint8Array
  readonly manifest: unknown
}

const EFFORTS = ['low', 'medium', 'high', 'full'] as const

const requestSchema = z.strictObject({
  task: z.string(),
  input: z.unknown(),
  effort: z.enum(EFFORTS).default('medium'),
  seed: z.int().min(0).max(0x7fffffff).default(0),
})

export interface ReasonRequest {
  /** A task that {@link Reasoner.manifests} names. */
  readonly task: string
  /** The question, in the task's own form. */
  readonly input: unknown
  readonly effort?: (typeof EFFORTS)[number]
  /** Of the council's noise. */
  readonly seed?: number
}

export interface ReasonResult {
  /** In the task's own form. */
  readonly answer: unknown
  /** Whether the answer obeys the question's rules; null where that cannot be checked. */
  readonly verified: boolean | null
  /** The supervision steps that led to the answer, in order. */
  readonly steps: readonly DeliberationStep[]
  /** Supervision steps that the noisy council took; 0 where it was not needed. */
  readonly councilSteps: number
  /** Calls of the network, everything that was run included. */
  readonly cycles: number
  /** Floating-point operations, everything that was run included. */
  readonly flop: number
}

export interface Reasoner {
  readonly manifests: readonly Manifest[]
  /** The most floating-point operations that {@link Reasoner.reason} can spend on a request; same errors. */
  maximumFlop(request: ReasonRequest): number
  /**
   * Thinks about one question; synchronous, and deterministic for a seed.
   * @throws TiramiError INVALID_INPUT or TASK_UNKNOWN.
   */
  reason(request: ReasonRequest): ReasonResult
}

const common = { deviation: 0.2, judge: 'rules', haltProbability: 0.5, patience: 1 } as const

const POLICIES: Record<(typeof EFFORTS)[number], Policy> = {
  low: { ...common, reflexSteps: 4, rollouts: 0, rolloutSteps: 0 },
  medium: { ...common, reflexSteps: 8, rollouts: 12, rolloutSteps: 16 },
  high: { ...common, reflexSteps: 16, rollouts: 32, rolloutSteps: 48 },
  // The whole way, right or wrong: what halting early is measured against.
  full: { ...common, judge: 'nobody', reflexSteps: 16, rollouts: 0, rolloutSteps: 0 },
}

/** A request that was checked and matched with its task and weights. */
interface Prepared {
  readonly task: AnyTask
  readonly input: unknown
  readonly checkpoint: Checkpoint
  readonly policy: Policy
  readonly seed: number
}

/** A reasoner over trained weights. @throws TiramiError CHECKPOINT_INVALID if a file is damaged or of no known task. */
export function createReasoner(files: readonly ReasonerFile[]): Reasoner {
  const checkpoints = new Map<string, Checkpoint>()
  for (const { weights, manifest } of files) {
    const checkpoint = loadCheckpoint(weights, manifest)
    checkpoints.set(checkpoint.manifest.task, checkpoint)
  }
  // One engine per task, for the size last asked for: its memory is a few megabytes.
  const engines = new Map<string, { tokens: number; engine: InferenceEngine }>()

  function prepare(request: ReasonRequest): Prepared {
    const { task: name, input, effort, seed } = parseInput(requestSchema, request)
    const [task, checkpoint] = [TASKS.get(name), checkpoints.get(name)]
    if (!task || !checkpoint) {
      throw new TiramiError('TASK_UNKNOWN', `There is no task named ${name}.`, {
        nextStep: `Use one of ${[...checkpoints.keys()].join(', ')}.`,
        httpStatus: 404,
      })
    }
    return { task, input: task.parse(input), checkpoint, policy: POLICIES[effort], seed }
  }

  function engineFor({ task, input, checkpoint }: Prepared): InferenceEngine {
    const tokens = sizeOf(task, input).tokens
    const known = engines.get(task.name)
    if (known?.tokens === tokens) return known.engine
    const engine = new InferenceEngine(checkpoint.model, tokens)
    engines.set(task.name, { tokens, engine })
    return engine
  }

  return {
    manifests: [...checkpoints.values()].map(({ manifest }) => manifest),
    maximumFlop(request) {
      const { task, input, checkpoint, policy } = prepare(request)
      const { tokens, instances } = sizeOf(task, input)
      return maximumFlop(checkpoint.model.shape, tokens, instances, checkpoint.cycles, policy)
    },
    reason(request) {
      const prepared = prepare(request)
      const { task, input, checkpoint, policy, seed } = prepared
      const { cycles } = checkpoint
      const result = deliberate(engineFor(prepared), cycles, task, input, policy, seed)
      const { answer, steps, councilSteps, totalSteps, flop } = result
      const verified = task.verify(input, answer) ?? null
      return {
        answer,
        verified,
        steps,
        councilSteps,
        cycles: totalSteps * cycles.outer * (cycles.inner + 1),
        flop,
      }
    },
  }
}

function sizeOf(task: AnyTask, input: unknown): { tokens: number; instances: number } {
  const instances = task.encode(input)
  const tokens = (instances[0]?.height ?? 0) * (instances[0]?.width ?? 0)
  return { tokens, instances: instances.length }
}
