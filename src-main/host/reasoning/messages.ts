import { z } from 'zod'
import type { ReasonRequest } from '../../recursion/index.ts'

export interface ReasoningWorkerData {
  /** Of weights and manifests. */
  directory: string
  /** The number of the call whose asker has left. */
  abandoned: Int32Array
}

/** What the host asks: the tasks, the most operations a request can take, its answer, or a question to try. */
export type ReasoningQuestion =
  | { name: 'tasks' }
  | { name: 'bound' | 'reason'; request: ReasonRequest }
  | { name: 'example'; task: string; seed: number }

/** Host → worker; each gets one answer with the same id. */
export type ReasoningCall = ReasoningQuestion & { id: number }

const Thought = z.object({
  answer: z.unknown(),
  /** Whether the answer obeys the question's rules; null where that cannot be checked. */
  verified: z.boolean().nullable(),
  /** It stopped because the rules or the halting head were sure. */
  halted: z.boolean(),
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

const answers = [
  z.object({ type: z.literal('tasks'), id: z.number(), tasks: z.array(z.string()) }),
  z.object({ type: z.literal('bound'), id: z.number(), flop: z.number().nonnegative() }),
  z.object({ type: z.literal('thought'), id: z.number(), thought: Thought }),
  z.object({ type: z.literal('example'), id: z.number(), input: z.unknown() }),
  z.object({ type: z.literal('failed'), id: z.number(), error: Failure }),
] as const
export type ReasoningAnswer = z.infer<(typeof answers)[number]>

/** Worker → host. */
export const ReasoningReply = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  ...answers,
])
export type ReasoningReply = z.infer<typeof ReasoningReply>
