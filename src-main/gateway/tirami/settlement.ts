import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { HostServices } from '../../host/index.ts'
import { statementJson } from '../../ledger/index.ts'
import { type Authorise, parseBody } from '../requests.ts'

/** The end of the year 9999: what ISO 8601 writes with four digits. */
const INSTANT_MS_MAX = 253_402_300_799_999

const Digits = z.string().regex(/^\d{1,15}$/, 'expected a whole number')
const Instant = Digits.transform(Number).refine((atMs) => atMs <= INSTANT_MS_MAX, 'it is too far away')
const StatementQuery = z
  .strictObject({
    hours: Digits.transform(Number)
      .refine((hours) => hours >= 1 && hours <= 87_600, 'expected 1 to 87600')
      .optional(),
    window_start: Instant.optional(),
    window_end: Instant.optional(),
    reference_price_per_cu: z.string().max(64).optional(),
  })
  .refine(({ hours, window_start }) => hours === undefined || window_start === undefined, {
    message: 'give the hours or the start, not both',
    path: ['hours'],
  })

/** `GET /settlement` of spec section 1.3; under `/v1/tirami/` too, beside the other reads of the ledger. */
export function registerSettlement(
  app: FastifyInstance,
  { settlement }: Pick<HostServices, 'settlement'>,
  authorise: Authorise,
): void {
  for (const path of ['/settlement', '/v1/tirami/settlement']) {
    app.get(path, async (request, reply) => {
      authorise(request, 'ledger.read')
      const query = parseBody(StatementQuery, request.query)
      const statement = await settlement({
        hours: query.hours,
        startMs: query.window_start,
        endMs: query.window_end,
        referencePrice: query.reference_price_per_cu,
      })
      // Already JSON: amounts beyond 2^53 keep all their digits.
      return reply.type('application/json; charset=utf-8').send(statementJson(statement))
    })
  }
}
