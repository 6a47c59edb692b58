import { z } from 'zod'

/** What the sentence of a code is made of, such as `{app: 'game.exe'}` or `{percent: 40, limit: 50}`. */
export const ReasonParams = z.record(z.string(), z.union([z.string(), z.number()]))
export type ReasonParams = z.infer<typeof ReasonParams>

/** What a person is told: stable code, a sentence, the next step. */
export const PublicErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  nextStep: z.string(),
  /** What the sentences mention. */
  params: ReasonParams.exactOptional(),
})
export type PublicErrorData = z.infer<typeof PublicErrorSchema>
