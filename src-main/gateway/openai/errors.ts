import type { TiramiError } from '../../kernel/index.ts'
import { RequestError } from '../requests.ts'
import type { Cost } from './cost.ts'
import { ChargedError } from './jobs.ts'

const TYPES: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  402: 'insufficient_quota',
  404: 'not_found_error',
  429: 'rate_limit_error',
}

export interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string }
  /** What was charged all the same: other answers of the request were finished before. */
  x_tirami?: Cost
}

/** OpenAI's error object: `message`, `type`, `param`, `code`, all four always present. */
export function openAiError(error: TiramiError): OpenAiError {
  if (error instanceof ChargedError) return { ...openAiError(error.failure), x_tirami: error.cost }
  const type = TYPES[error.httpStatus] ?? (error.httpStatus < 500 ? 'invalid_request_error' : 'server_error')
  return {
    error: {
      message: `${error.message} ${error.nextStep}`,
      type,
      param: error instanceof RequestError ? error.param : null,
      code: error.code.toLowerCase(),
    },
  }
}
