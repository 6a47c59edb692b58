import { z } from 'zod'

const Count = z.number().int().nonnegative()
const Trm = z.string().regex(/^\d{1,40}$/)

/** One thought of the recursive model, with every step on the way. */
export const ThoughtView = z.object({
  answer: z.unknown(),
  /** Whether the rules confirm the answer; null where they cannot. */
  verified: z.boolean().nullable(),
  steps: z.array(
    z.object({
      answer: z.unknown(),
      haltProbability: z.number().min(0).max(1),
      /** How far the network's latent moved in this step, per cell or feature; several candidates one after the other. */
      latentChange: z.array(z.number().nonnegative()),
    }),
  ),
  /** Steps of the noisy council; 0 where it was not needed. */
  councilSteps: Count,
  /** Calls of the network. */
  cycles: Count,
  flop: Trm,
  amountTrm: Trm,
  latencyMs: z.number().nonnegative(),
  tradeId: z.string(),
})
export type ThoughtView = z.infer<typeof ThoughtView>

export const reasonProcedures = {
  'reason.tasks': { input: z.strictObject({}), output: z.object({ tasks: z.array(z.string()) }) },
  /** A question of the task, for a person to change or to try. Sudoku: `{cells}`, row by row, 0 blank. */
  'reason.example': {
    input: z.strictObject({ task: z.string().max(64), seed: Count }),
    output: z.object({ input: z.unknown() }),
  },
  'reason.run': {
    input: z.strictObject({
      task: z.string().max(64),
      input: z.unknown(),
      /** `host`: the thermostat decides. */
      effort: z.enum(['host', 'low', 'medium', 'high', 'full']),
      seed: z.number().int().min(0).max(0x7fff_ffff),
    }),
    output: ThoughtView,
  },
} as const
