import { type SentenceParams, TiramiError } from '../kernel/index.ts'

/** An expected refusal: stable code, a sentence for a person, the next step. */
export function refusal(
  code: string,
  message: string,
  nextStep: string,
  httpStatus = 409,
  params: SentenceParams = {},
): TiramiError {
  return new TiramiError(code, message, { nextStep, httpStatus, params })
}
