import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { AccessAction } from '../economy/index.ts'
import type { Caller } from '../host/index.ts'
import { MAX_AMOUNT_TRM, TiramiError } from '../kernel/index.ts'

/** Who asks, if he may do this. @throws TiramiError 401, 403, 429 */
export type Authorise = (request: FastifyRequest, action: AccessAction) => Caller

/** An amount as a JSON integer or, above 2^53, as decimal digits. */
export const WholeTrm = z
  .union([z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER), z.string().regex(/^\d{1,20}$/)])
  .transform((value) => BigInt(value))
  .refine((value) => value <= MAX_AMOUNT_TRM, 'it does not fit 64 bits')

/** A request that the client has to change. */
export class RequestError extends TiramiError {
  readonly param: string | null

  constructor(
    code: string,
    message: string,
    param: string | null,
    { httpStatus = 400, nextStep = 'See docs/api.md for what is accepted.' } = {},
  ) {
    super(code, message, { nextStep, httpStatus })
    this.param = param
  }
}

/** @throws RequestError INVALID_REQUEST that names the field */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const param = issue?.path.join('.') || null
  const about = param ? `Invalid value for “${param}”` : 'Invalid request'
  throw new RequestError('INVALID_REQUEST', `${about}: ${issue?.message ?? 'wrong shape'}.`, param)
}
