import { z } from 'zod'
import type { ReasonRequest } from '../../recursion/index.ts'

export interface ReasoningWorkerData {
  /** Of weights and manifests. */
  directory: string
}

/** What the host asks: the most operations a request can take, its answer, or a question to try. */
export type ReasoningQuestion =
  | { name: 'bound' | 'reason'; request: ReasonRequest }
  | { name: 'example'; task: string; seed: number }

/** Host → worker; each gets one answer with the same id. */
export type ReasoningCall = ReasoningQuestion & { id: number }

const Thought = z.object({
  answer: z.unknown(),
  /** Whether the answer obeys the question's rules; null where that cannot be checked. */
  verified: z.boolean().nullable(),
  steps: z.array(
    z.object({
      answer: z.unknown(),
      haltProbability: z.number(),
      latentChange: z.array(z.number().nonnegative()),
    }),
  ),
  councilSteps: z.number().int().nonnegative(),
  cycles: z.number().int().nonnegative(),
  flop: z.number().nonnegative(),
})
export type Thought = z.infer<typeof Thought>

const Failure = z.object({
  code: z.string(),
  message: z.string(),
  nextStep: z.string(),
  httpStatus: z.number().int(),
})

/** Worker → host. */
export const ReasoningAnswer = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), tasks: z.array(z.string()) }),
  z.object({ type: z.literal('bound'), id: z.number(), flop: z.number().nonnegative() }),
  z.object({ type: z.literal('thought'), id: z.number(), thought: Thought }),
  z.object({ type: z.literal('example'), id: z.number(), input: z.unknown() }),
  z.object({ type: z.literal('failed'), id: z.number(), error: Failure }),
])
export type ReasoningAnswer = z.infer<typeof ReasoningAnswer>
