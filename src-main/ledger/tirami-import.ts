import { isUtf8 } from 'node:buffer'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { Hex32 } from '../../src-preload/contract/index.ts'
import { bytesFromHex, hexFromBytes, MAX_AMOUNT_TRM, MerkleLog, sha256, utf8 } from '../kernel/index.ts'
import { importInvalid, importTampered, importUnsigned } from './errors.ts'
import { parseExactJson } from './exact-json.ts'
import { isZeroNonce, tradeLeafHash } from './trade.ts'
import type { TradeTerms } from './types.ts'

/** Public in Tirami's source (spec section 2.7): it shows damage, not forgery. */
const INTEGRITY_KEY = 'forge-ledger-integrity-v2'
const HMAC_PREFIX = 'hmac-sha256:'

const Wrapper = z.object({ data: z.string(), integrity_hash: z.string() })

const U64 = z
  .union([z.number().int().nonnegative(), z.bigint().nonnegative()])
  .transform(BigInt)
  .refine((value) => value <= MAX_AMOUNT_TRM, 'does not fit 64 unsigned bits')
const Byte = z.number().int().min(0).max(255)
/** Rust writes keys as lists of bytes; other tools write hex. */
const NodeId = z.union([
  Hex32,
  z
    .array(Byte)
    .length(32)
    .transform((list) => hexFromBytes(Uint8Array.from(list))),
])
const Nonce = z.union([
  z
    .array(Byte)
    .length(16)
    .transform((list) => Uint8Array.from(list)),
  z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .transform(bytesFromHex),
])

const Snapshot = z.object({
  balances: z.array(
    z.object({
      node_id: NodeId,
      contributed: U64,
      consumed: U64,
      reserved: U64.default(0n),
    }),
  ),
  trade_log: z.array(
    z.object({
      provider: NodeId,
      consumer: NodeId,
      trm_amount: U64,
      tokens_processed: U64,
      timestamp: U64,
      model_id: z.string(),
      nonce: Nonce.default(() => new Uint8Array(16)),
    }),
  ),
  loan_log: z.array(z.unknown()).default([]),
  checkpoints: z.array(z.object({ trade_count_sealed: U64 })).default([]),
})
type Snapshot = z.infer<typeof Snapshot>

/** What a foreign ledger says of itself. None of it is proven: the file holds no signatures. */
export interface ImportSummary {
  /** Of the file itself. */
  sha256Hex: string
  integrity: 'hmac' | 'unsigned'
  nodes: number
  contributedTrm: bigint
  consumedTrm: bigint
  reservedTrm: bigint
  trades: number
  /** Without a nonce: nothing shows that such a trade is not the same one twice. */
  tradesV1: number
  tradesV2: number
  /** Trades whose provider used the nonce before. */
  replayedNonces: number
  tradedTrm: bigint
  firstTradeMs: bigint | null
  lastTradeMs: bigint | null
  /** Spec section 2.6 over the trades in the file. */
  merkleRootHex: string
  /** Trades that its checkpoints moved to trades.jsonl; they are not in the file. */
  sealedTrades: bigint
  loans: number
}

/** @returns `hmac-sha256:` and the HMAC-SHA256 that Tirami writes beside `data` */
export function integrityHash(data: string): string {
  return HMAC_PREFIX + createHmac('sha256', INTEGRITY_KEY).update(data, 'utf8').digest('hex')
}

function parsed(text: string, what: string): unknown {
  try {
    return parseExactJson(text)
  } catch {
    throw importInvalid(`${what} is not JSON`)
  }
}

/** The snapshot's text, after the check of its HMAC. */
function openWrapper(file: string): { data: string; integrity: ImportSummary['integrity'] } {
  const content = parsed(file, 'it')
  const wrapper = Wrapper.safeParse(content)
  if (!wrapper.success) return { data: file, integrity: 'unsigned' }
  const { data, integrity_hash } = wrapper.data
  // Tirami itself takes any other prefix for the hash of an old version and does not check it.
  if (!integrity_hash.startsWith(HMAC_PREFIX)) return { data, integrity: 'unsigned' }
  const [stated, actual] = [utf8(integrity_hash), utf8(integrityHash(data))]
  if (stated.length !== actual.length || !timingSafeEqual(stated, actual)) throw importTampered()
  return { data, integrity: 'hmac' }
}

/**
 * Checks and sums up a Tirami node's `ledger.json` (spec section 2.7).
 * @throws TiramiError IMPORT_INTEGRITY_FAILED, IMPORT_UNSIGNED (no HMAC, and not allowed), IMPORT_INVALID
 */
export function readTiramiLedger(file: Uint8Array, options: { allowUnsigned: boolean }): ImportSummary {
  if (!isUtf8(file)) throw importInvalid('it is not UTF-8 text')
  const { data, integrity } = openWrapper(new TextDecoder().decode(file))
  if (integrity === 'unsigned' && !options.allowUnsigned) throw importUnsigned()
  const snapshot = Snapshot.safeParse(parsed(data, 'its data'))
  if (!snapshot.success) {
    const [issue] = snapshot.error.issues
    throw importInvalid(`${issue?.path.join('.') || 'the data'}: ${issue?.message}`)
  }
  const sha256Hex = hexFromBytes(sha256(file))
  return { integrity, sha256Hex, ...balancesOf(snapshot.data), ...tradesOf(snapshot.data) }
}

function balancesOf({ balances, loan_log, checkpoints }: Snapshot) {
  const sum = (values: bigint[]) => values.reduce((total, value) => total + value, 0n)
  return {
    nodes: balances.length,
    contributedTrm: sum(balances.map((balance) => balance.contributed)),
    consumedTrm: sum(balances.map((balance) => balance.consumed)),
    reservedTrm: sum(balances.map((balance) => balance.reserved)),
    sealedTrades: sum(checkpoints.map((checkpoint) => checkpoint.trade_count_sealed)),
    loans: loan_log.length,
  }
}

function leafOf(terms: TradeTerms, index: number): Uint8Array {
  try {
    return tradeLeafHash(terms)
  } catch (error) {
    if (error instanceof RangeError) throw importInvalid(`trade_log.${index}: ${error.message}`)
    throw error
  }
}

function tradesOf({ trade_log }: Snapshot) {
  const tree = new MerkleLog()
  const nonces = new Set<string>()
  let [tradesV1, replayedNonces, tradedTrm] = [0, 0, 0n]
  let firstTradeMs: bigint | null = null
  let lastTradeMs: bigint | null = null
  for (const [index, trade] of trade_log.entries()) {
    const { provider, consumer, nonce, timestamp } = trade
    const terms = {
      provider,
      consumer,
      amountTrm: trade.trm_amount,
      tokensProcessed: trade.tokens_processed,
      timestampMs: timestamp,
      modelId: trade.model_id,
      nonce,
    }
    tree.append(leafOf(terms, index))
    tradedTrm += terms.amountTrm
    if (firstTradeMs === null || timestamp < firstTradeMs) firstTradeMs = timestamp
    if (lastTradeMs === null || timestamp > lastTradeMs) lastTradeMs = timestamp
    const key = `${provider}:${hexFromBytes(nonce)}`
    if (isZeroNonce(nonce)) tradesV1++
    else if (nonces.has(key)) replayedNonces++
    else nonces.add(key)
  }
  return {
    trades: trade_log.length,
    tradesV1,
    tradesV2: trade_log.length - tradesV1,
    replayedNonces,
    tradedTrm,
    firstTradeMs,
    lastTradeMs,
    merkleRootHex: hexFromBytes(tree.root()),
  }
}
