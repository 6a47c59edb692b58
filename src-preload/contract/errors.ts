import { z } from 'zod'

/** What a person is told: stable code, a sentence, the next step. */
export const PublicErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  nextStep: z.string(),
})
export type PublicErrorData = z.infer<typeof PublicErrorSchema>
