import { z } from 'zod'
import { Hex32 } from '../../src-preload/contract/index.ts'
import { bytesFromHex, hexFromBytes, MAX_AMOUNT_TRM } from '../kernel/index.ts'
import type { Transfer } from './accounts.ts'
import { parseUsualRecord } from './record-parser.ts'
import {
  type EventsRecord,
  type LedgerRecord,
  type ReserveRecord,
  TEXT_MAX,
  TRANSFERS_MAX,
} from './record-types.ts'
import type { JobFacts, JournalEvent, TradeTerms } from './types.ts'

/** Events of one record, which hold all together or not at all. */
const EVENTS_MAX = 32

const Whole = z
  .string()
  .regex(/^(0|[1-9]\d{0,39})$/)
  .transform((digits) => BigInt(digits))
const U64 = Whole.refine((value) => value <= MAX_AMOUNT_TRM, 'does not fit 64 unsigned bits')
const Positive = U64.refine((value) => value > 0n, 'must be above zero')
const Millis = z.number().int().nonnegative()
const Count = z.number().int().nonnegative()
const ReservationId = z.string().regex(/^r[1-9]\d{0,15}$/)
const hexBytes = (length: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${length * 2}}$`))
    .transform(bytesFromHex)

const TransferSchema = z.strictObject({
  id: z.string().regex(/^\d+-\d+$/),
  debit: z.string().regex(/^[a-z]+:[0-9a-z-]+$/),
  credit: z.string().regex(/^[a-z]+:[0-9a-z-]+$/),
  amountTrm: Positive,
  code: z.string().regex(/^[a-z][a-z.-]{0,39}$/),
  atMs: Millis,
})
const Transfers = z.array(TransferSchema).min(1).max(TRANSFERS_MAX)

const ReserveSchema = z.strictObject({
  kind: z.literal('reserve'),
  atMs: Millis,
  reservation: ReservationId,
  consumer: Hex32,
  provider: Hex32,
  amountTrm: Positive,
  creditLimitTrm: U64,
  expiresAtMs: Millis,
  transfers: Transfers,
})

const FactsSchema = z.strictObject({
  flop: Whole,
  promptTokens: Count,
  completionTokens: Count,
  latencyMs: z.number().nonnegative(),
  consumerLabel: z.string().max(TEXT_MAX),
  ownKey: z.boolean(),
  cachedTokens: z.number().int().positive().exactOptional(),
  remote: z.literal(true).exactOptional(),
  passedOnTrm: Positive.exactOptional(),
})

const SettleSchema = z.strictObject({
  kind: z.literal('settle'),
  atMs: Millis,
  reservation: ReservationId,
  terms: z.strictObject({
    provider: Hex32,
    consumer: Hex32,
    amountTrm: Positive,
    tokensProcessed: U64,
    timestampMs: U64,
    modelId: z.string(),
    nonce: hexBytes(16),
  }),
  providerSignature: hexBytes(64),
  consumerSignature: hexBytes(64),
  facts: FactsSchema,
  transfers: Transfers,
})

const VoidSchema = z.strictObject({
  kind: z.literal('void'),
  atMs: Millis,
  reservation: ReservationId,
  reason: z.string().max(TEXT_MAX),
  transfers: Transfers,
})

/** Its own room checks what is in it; here it is kept as it came. */
const EventDataSchema = z.custom<JournalEvent>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    /^[a-z]+\.[a-z-]+$/.test(value.kind),
)

const EventsSchema = z.strictObject({
  kind: z.literal('events'),
  atMs: Millis,
  events: z.array(EventDataSchema).min(1).max(EVENTS_MAX),
  transfers: z.array(TransferSchema).max(TRANSFERS_MAX),
})

const RecordSchema = z.discriminatedUnion('kind', [ReserveSchema, SettleSchema, VoidSchema, EventsSchema])

const transfersJson = (transfers: Transfer[]) =>
  transfers.map(({ id, debit, credit, amountTrm, code, atMs }) => ({
    id,
    debit,
    credit,
    amountTrm: amountTrm.toString(),
    code,
    atMs,
  }))

const termsJson = (terms: TradeTerms) => ({
  provider: terms.provider,
  consumer: terms.consumer,
  amountTrm: terms.amountTrm.toString(),
  tokensProcessed: terms.tokensProcessed.toString(),
  timestampMs: terms.timestampMs.toString(),
  modelId: terms.modelId,
  nonce: hexFromBytes(terms.nonce),
})

const factsJson = (facts: JobFacts) => ({
  flop: facts.flop.toString(),
  promptTokens: facts.promptTokens,
  completionTokens: facts.completionTokens,
  latencyMs: facts.latencyMs,
  consumerLabel: facts.consumerLabel,
  ownKey: facts.ownKey,
  ...(facts.cachedTokens ? { cachedTokens: facts.cachedTokens } : {}),
  ...(facts.remote ? { remote: true } : {}),
  ...(facts.passedOnTrm ? { passedOnTrm: facts.passedOnTrm.toString() } : {}),
})

function recordJson(record: LedgerRecord): object {
  const transfers = transfersJson(record.transfers)
  const { kind, atMs } = record
  if (record.kind === 'events') return { kind, atMs, events: record.events, transfers }
  const { reservation } = record
  switch (record.kind) {
    case 'reserve': {
      const { consumer, provider, expiresAtMs } = record
      const amountTrm = record.amountTrm.toString()
      const creditLimitTrm = record.creditLimitTrm.toString()
      const parties = { consumer, provider, amountTrm, creditLimitTrm, expiresAtMs }
      return { kind, atMs, reservation, ...parties, transfers }
    }
    case 'settle':
      return {
        kind,
        atMs,
        reservation,
        terms: termsJson(record.terms),
        providerSignature: hexFromBytes(record.providerSignature),
        consumerSignature: hexFromBytes(record.consumerSignature),
        facts: factsJson(record.facts),
        transfers,
      }
    case 'void':
      return { kind, atMs, reservation, reason: record.reason, transfers }
  }
}

/** UTF-8 JSON with a fixed key order: the same record always gives the same bytes. */
export function encodeRecord(record: LedgerRecord): Uint8Array {
  return Buffer.from(JSON.stringify(recordJson(record)))
}

/** The definition of a record, and the way that knows every kind. `decodeRecord` gives the same, sooner. */
export function decodeBySchema(bytes: Buffer): LedgerRecord {
  const record = RecordSchema.parse(JSON.parse(bytes.toString('utf8')))
  if (!bytes.equals(encodeRecord(record))) throw new Error('the record is not in canonical form')
  return record
}

/** @throws Error when the payload is not exactly what `encodeRecord` would have written */
export function decodeRecord(payload: Uint8Array): LedgerRecord {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  return parseUsualRecord(bytes) ?? decodeBySchema(bytes)
}

/** @returns what is wrong with the record, or null. Replay would refuse the same record. */
export function eventsProblem(record: EventsRecord): string | null {
  const result = EventsSchema.safeParse(JSON.parse(JSON.stringify(recordJson(record))))
  return result.success
    ? null
    : `${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}`
}

/** @returns what is wrong with the facts, or null. Replay would refuse the same facts. */
export function factsProblem(facts: JobFacts): string | null {
  const result = FactsSchema.safeParse(factsJson(facts))
  return result.success ? null : `the job facts are not valid (${result.error.issues[0]?.path.join('.')})`
}

/** @returns what is wrong with the request for a reservation, or null. */
export function reserveProblem(record: ReserveRecord): string | null {
  const result = ReserveSchema.safeParse(recordJson(record))
  return result.success ? null : `the reservation is not valid (${result.error.issues[0]?.path.join('.')})`
}
