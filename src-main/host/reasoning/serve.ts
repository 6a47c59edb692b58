import type { Effort, ReasonRequest } from '../../recursion/index.ts'
import type { Consumer } from '../keys.ts'
import { type ServeOptions, type ServingPorts, type Sold, sell, type Work } from '../serving.ts'
import type { Stewardship } from '../stewardship.ts'
import type { Thought } from './messages.ts'
import type { Reasoning } from './reasoning.ts'

/** What a caller asks. Without an effort or a number of steps the host's thermostat says how deep to think. */
export interface ReasonQuestion {
  task: string
  input: unknown
  effort?: Effort
  steps?: number
  /** Of the council's noise. */
  seed?: number
}

/** How deep one thought may go: fixed before it is reserved, so that it is never paid by other settings than it had. */
export interface ReasonPlan {
  /** `host`: the thermostat, or the owner who forced full depth. `steps`: so many as the caller said. */
  effort: Effort | 'host' | 'steps'
  request: ReasonRequest
}

export interface ReasonPiece {
  type: 'thought'
  thought: Thought
  plan: ReasonPlan
}

export interface ReasonPorts extends ServingPorts {
  stewardship: ServingPorts['stewardship'] & Pick<Stewardship, 'depth' | 'values' | 'record'>
}

/**
 * One paid thought of the recursive model: reserved for the most it can take, settled for what it took. Its trade
 * counts calls of the network as tokens. @throws TiramiError as `sell` and `Reasoning`
 */
export function serveReason(
  ports: ReasonPorts,
  reasoning: Reasoning,
  consumer: Consumer,
  question: ReasonQuestion,
  signal: AbortSignal,
  options: ServeOptions = {},
): AsyncGenerator<Sold<ReasonPiece>, void, void> {
  const plan = planOf(question, ports.stewardship)
  return sell(ports, consumer, thinking(ports, reasoning, plan), signal, options)
}

function planOf(
  { task, input, effort, steps, seed = 0 }: ReasonQuestion,
  stewardship: Pick<Stewardship, 'depth' | 'values'>,
): ReasonPlan {
  const asked = { task, input, seed, maximumCycles: stewardship.values().sentinel.max_cycles }
  if (effort !== undefined) return { effort, request: { ...asked, effort } }
  if (steps !== undefined) return { effort: 'steps', request: { ...asked, steps } }
  const { innerCycles, outerSteps, haltThreshold } = stewardship.depth()
  return { effort: 'host', request: { ...asked, depth: { innerCycles, outerSteps, haltThreshold } } }
}

function thinking(
  { stewardship }: ReasonPorts,
  reasoning: Reasoning,
  plan: ReasonPlan,
): Work<ReasonPiece, { id: string }> {
  const { request, effort } = plan
  const product = { id: `trm-${request.task}` }
  let boundFlop = 0n
  let flop = 0n
  return {
    product: () => product,
    async *run(asker, signal) {
      boundFlop = await reasoning.bound(request)
      yield { type: 'prompt', promptTokens: 0 }
      const thought = await reasoning.reason(request, asker, signal)
      flop = BigInt(Math.ceil(thought.flop))
      stewardship.record('TRMInference', {
        task: request.task,
        effort,
        cycles: thought.cycles,
        steps: thought.steps.length,
        council_steps: thought.councilSteps,
        halted: thought.halted,
        halt_probs: thought.steps.map(({ haltProbability }) => haltProbability),
        success: thought.verified,
      })
      yield { type: 'thought', thought, plan }
      yield {
        type: 'end',
        finishReason: 'stop',
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: thought.cycles,
      }
    },
    depth: ({ completionTokens }) => completionTokens,
    followsThermostat: effort === 'host',
    maxFlop: () => boundFlop,
    flop: () => flop,
  }
}
