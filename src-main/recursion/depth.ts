import { TiramiError } from '../kernel/index.ts'
import type { Policy } from './policy.ts'
import type { Cycles } from './shape.ts'

/** How deep to think. */
export interface Depth {
  /** n: updates of the latent before one of the answer. Networks think with other numbers than they were trained with. */
  readonly innerCycles: number
  /** Most supervision steps before a council is called. */
  readonly outerSteps: number
  /** The halting head's sureness at which thinking stops, where no rule can check the answer. */
  readonly haltThreshold: number
}

/** Steps that are always tried alone. Every step beyond them adds three voices to the council, and four steps to each. */
const LONE_STEPS = 4
const VOICES_PER_STEP = 3
const VOICE_STEPS_PER_STEP = 4
const VOICES_MAX = 32

/** The policy between the efforts `low` (4 steps), `medium` (8) and `high` (16), which lie on the same line. */
export function policyOfSteps(steps: number): Pick<Policy, 'reflexSteps' | 'rollouts' | 'rolloutSteps'> {
  const beyond = Math.max(0, steps - LONE_STEPS)
  return {
    reflexSteps: steps,
    rollouts: Math.min(VOICES_MAX, VOICES_PER_STEP * beyond),
    rolloutSteps: VOICE_STEPS_PER_STEP * beyond,
  }
}

/** Calls of the network in one supervision step. */
export const callsPerStep = ({ inner, outer }: Cycles): number => outer * (inner + 1)

/**
 * The same plan with at most `maximumCalls` calls of the network: fewer voices first, then fewer steps, then fewer inner
 * cycles.
 * @throws TiramiError DEPTH_IMPOSSIBLE (503) when one step of one cycle is already more
 */
export function withinCalls(
  plan: { cycles: Cycles; policy: Policy },
  instances: number,
  maximumCalls: number,
): { cycles: Cycles; policy: Policy } {
  const { policy } = plan
  let { cycles } = plan
  while (cycles.inner > 1 && instances * callsPerStep(cycles) > maximumCalls) {
    cycles = { ...cycles, inner: cycles.inner - 1 }
  }
  const stepsAllowed = Math.floor(maximumCalls / callsPerStep(cycles))
  if (stepsAllowed < instances) throw impossible(instances * callsPerStep(cycles), maximumCalls)
  const reflexSteps = Math.min(policy.reflexSteps, Math.floor(stepsAllowed / instances))
  const left = stepsAllowed - instances * reflexSteps
  const rollouts =
    policy.rolloutSteps === 0 ? 0 : Math.min(policy.rollouts, Math.floor(left / policy.rolloutSteps))
  return { cycles, policy: { ...policy, reflexSteps, rollouts } }
}

function impossible(least: number, most: number): TiramiError {
  return new TiramiError(
    'DEPTH_IMPOSSIBLE',
    `This question takes at least ${least} calls of the network; the owner allows ${most}.`,
    { nextStep: 'Ask another question, or let the owner raise sentinel.max_cycles.', httpStatus: 503 },
  )
}
