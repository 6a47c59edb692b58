import type { z } from 'zod'
import { TiramiError } from '../../kernel/index.ts'

/** @throws TiramiError INVALID_INPUT that names the first thing that is wrong. */
export function parseInput<Input>(schema: z.ZodType<Input>, input: unknown): Input {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : ''
  throw new TiramiError(
    'INVALID_INPUT',
    `The question is not valid${where}: ${issue?.message ?? 'unknown'}.`,
    {
      nextStep: 'Send the question in the form that the task documents.',
      httpStatus: 400,
    },
  )
}
