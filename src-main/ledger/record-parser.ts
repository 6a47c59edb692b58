import { isUtf8 } from 'node:buffer'
import { MAX_AMOUNT_TRM } from '../kernel/index.ts'
import type { Transfer } from './accounts.ts'
import {
  type LedgerRecord,
  type ReserveRecord,
  type SettleRecord,
  TEXT_MAX,
  TRANSFERS_MAX,
  type VoidRecord,
} from './record-types.ts'
import type { JobFacts, TradeTerms } from './types.ts'

// The canonical form of README.md as patterns. Text with escapes is left to the schema: it is rare.
const KEY = '([0-9a-f]{64})'
const MILLIS = '(0|[1-9]\\d{0,15})'
const WHOLE = '"(0|[1-9]\\d{0,39})"'
const POSITIVE = '"([1-9]\\d{0,19})"'
const RESERVATION = '"(r[1-9]\\d{0,15})"'
const SIGNATURE = '"([0-9a-f]{128})"'
const TEXT = '"([^"\\\\\\u0000-\\u001f]*)"'
const ACCOUNT = '"([a-z]+:[0-9a-z-]+)"'
const TRANSFERS = ',"transfers":\\['

const sticky = (source: string): RegExp => new RegExp(source, 'y')

const RESERVE = sticky(
  `\\{"kind":"reserve","atMs":${MILLIS},"reservation":${RESERVATION},"consumer":"${KEY}","provider":"${KEY}",` +
    `"amountTrm":${POSITIVE},"creditLimitTrm":${WHOLE},"expiresAtMs":${MILLIS}${TRANSFERS}`,
)
const SETTLE = sticky(
  `\\{"kind":"settle","atMs":${MILLIS},"reservation":${RESERVATION},"terms":\\{"provider":"${KEY}",` +
    `"consumer":"${KEY}","amountTrm":${POSITIVE},"tokensProcessed":${WHOLE},"timestampMs":${WHOLE},` +
    `"modelId":${TEXT},"nonce":"([0-9a-f]{32})"\\},"providerSignature":${SIGNATURE},` +
    `"consumerSignature":${SIGNATURE},"facts":\\{"flop":${WHOLE},"promptTokens":${MILLIS},` +
    `"completionTokens":${MILLIS},"latencyMs":([0-9.e+-]+),"consumerLabel":${TEXT},` +
    `"ownKey":(true|false)(?:,"cachedTokens":([1-9]\\d{0,15}))?(,"remote":true)?(?:,"passedOnTrm":${POSITIVE})?\\}` +
    TRANSFERS,
)
const VOID = sticky(
  `\\{"kind":"void","atMs":${MILLIS},"reservation":${RESERVATION},"reason":${TEXT}${TRANSFERS}`,
)
const TRANSFER = sticky(
  `\\{"id":"(\\d+-\\d+)","debit":${ACCOUNT},"credit":${ACCOUNT},"amountTrm":${POSITIVE},` +
    `"code":"([a-z][a-z.-]{0,39})","atMs":${MILLIS}\\}([,\\]])`,
)

/** Thrown and caught in here: what the patterns do not know is left to the schema. */
const UNKNOWN = new Error('not a form that the patterns know')

function millis(digits: string | undefined): number {
  const value = Number(digits)
  if (!Number.isSafeInteger(value)) throw UNKNOWN
  return value
}

function u64(digits: string | undefined): bigint {
  const value = BigInt(digits ?? '')
  // Below 20 digits it fits.
  if (digits !== undefined && digits.length >= 20 && value > MAX_AMOUNT_TRM) throw UNKNOWN
  return value
}

/** A number exactly as JSON.stringify writes it. */
function plainNumber(text = ''): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0 || String(value) !== text) throw UNKNOWN
  return value
}

function shortText(text = ''): string {
  if (text.length > TEXT_MAX) throw UNKNOWN
  return text
}

const bytes = (hex = ''): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

/** The transfers from `at` to the end of the record, with nothing after them. */
function transfersFrom(text: string, at: number): Transfer[] {
  const transfers: Transfer[] = []
  TRANSFER.lastIndex = at
  for (;;) {
    const found = TRANSFER.exec(text)
    if (!found || transfers.length === TRANSFERS_MAX) throw UNKNOWN
    const [, id = '', debit = '', credit = '', amount, code = '', atMs, next] = found
    transfers.push({ id, debit, credit, amountTrm: u64(amount), code, atMs: millis(atMs) })
    if (next === ',') continue
    if (TRANSFER.lastIndex !== text.length - 1 || !text.endsWith('}')) throw UNKNOWN
    return transfers
  }
}

function match(pattern: RegExp, text: string): RegExpExecArray {
  pattern.lastIndex = 0
  const found = pattern.exec(text)
  if (!found) throw UNKNOWN
  return found
}

function reserveRecord(text: string): ReserveRecord {
  const found = match(RESERVE, text)
  const [, atMs, reservation = '', consumer = '', provider = '', amount, limit, expires] = found
  return {
    kind: 'reserve',
    atMs: millis(atMs),
    reservation,
    consumer,
    provider,
    amountTrm: u64(amount),
    creditLimitTrm: u64(limit),
    expiresAtMs: millis(expires),
    transfers: transfersFrom(text, RESERVE.lastIndex),
  }
}

function settleRecord(text: string): SettleRecord {
  const found = match(SETTLE, text)
  const terms: TradeTerms = {
    provider: found[3] ?? '',
    consumer: found[4] ?? '',
    amountTrm: u64(found[5]),
    tokensProcessed: u64(found[6]),
    timestampMs: u64(found[7]),
    modelId: found[8] ?? '',
    nonce: bytes(found[9]),
  }
  const facts: JobFacts = {
    flop: BigInt(found[12] ?? ''),
    promptTokens: millis(found[13]),
    completionTokens: millis(found[14]),
    latencyMs: plainNumber(found[15]),
    consumerLabel: shortText(found[16]),
    ownKey: found[17] === 'true',
    ...(found[18] === undefined ? {} : { cachedTokens: millis(found[18]) }),
    ...(found[19] === undefined ? {} : { remote: true }),
    ...(found[20] === undefined ? {} : { passedOnTrm: u64(found[20]) }),
  }
  return {
    kind: 'settle',
    atMs: millis(found[1]),
    reservation: found[2] ?? '',
    terms,
    providerSignature: bytes(found[10]),
    consumerSignature: bytes(found[11]),
    facts,
    transfers: transfersFrom(text, SETTLE.lastIndex),
  }
}

function voidRecord(text: string): VoidRecord {
  const [, atMs, reservation = '', reason] = match(VOID, text)
  return {
    kind: 'void',
    atMs: millis(atMs),
    reservation,
    reason: shortText(reason),
    transfers: transfersFrom(text, VOID.lastIndex),
  }
}

/**
 * Reads the usual records many times faster than their schema. What it takes, the schema takes with the same result:
 * the patterns allow nothing but the canonical form, so there is nothing left to compare.
 * @returns null for everything else; then the schema decides
 */
export function parseUsualRecord(payload: Buffer): LedgerRecord | null {
  if (!isUtf8(payload)) return null
  const text = payload.toString('utf8')
  try {
    // The letter after `{"kind":"`.
    if (text[9] === 's') return settleRecord(text)
    if (text[9] === 'r') return reserveRecord(text)
    if (text[9] === 'v') return voidRecord(text)
    return null
  } catch (error) {
    if (error === UNKNOWN) return null
    throw error
  }
}
