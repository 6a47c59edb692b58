import { hexFromBytes } from '../kernel/index.ts'
import { tradeNotFound } from './errors.ts'
import { inclusionProof, transparencyHead } from './proofs.ts'
import { readLedger } from './reader.ts'
import type { SettleRecord } from './record-types.ts'
import { isWithin, parsePrice, parseWindow, type Statement, settlementStatement } from './statement.ts'
import { canonicalTradeBytes, isZeroNonce, tradeLeafHash, verifySignatures } from './trade.ts'
import type { InclusionProof } from './types.ts'

/** What is done with a ledger on the disk without being its host. Nothing here writes. */

export interface Verification {
  ok: boolean
  records: number
  trades: number
  headHashHex: string
  /** Tirami's root (spec section 2.6). */
  merkleRootHex: string
  /** RFC 6962. */
  transparencyRootHex: string
  /** Zero, or the ledger is wrong. */
  sumTrm: bigint
  signaturesChecked: number
  /** Index and id of trades with a signature that the strict rule refuses, or without a nonce. */
  badTrades: { index: number; tradeId: string; problem: string }[]
  tornBytes: number
  writerPid: number | null
}

function tradeProblem(record: SettleRecord): string | null {
  if (isZeroNonce(record.terms.nonce)) return 'its nonce is all zero'
  const { providerValid, consumerValid } = verifySignatures(record)
  if (!providerValid) return 'the signature of the provider is not valid'
  return consumerValid ? null : 'the signature of the consumer is not valid'
}

/**
 * Everything that a start checks, and every signature. @throws TiramiError what `readLedger` throws */
export async function verifyLedger(directory: string): Promise<Verification> {
  const badTrades: Verification['badTrades'] = []
  const { state, ...reading } = await readLedger(directory, (record, index) => {
    const problem = tradeProblem(record)
    if (problem) badTrades.push({ index, tradeId: hexFromBytes(tradeLeafHash(record.terms)), problem })
  })
  const { sumTrm } = state.accounts
  return {
    ...reading,
    ok: badTrades.length === 0 && sumTrm === 0n,
    trades: state.tradeCount,
    merkleRootHex: hexFromBytes(state.merkleRoot()),
    transparencyRootHex: transparencyHead(state.transparency).rootHex,
    sumTrm,
    signaturesChecked: 2 * state.tradeCount,
    badTrades,
  }
}

/** @throws TiramiError STATEMENT_INVALID, and what `readLedger` throws */
export async function exportStatement(
  directory: string,
  options: { from?: string | undefined; to?: string | undefined; price?: string | undefined; nowMs: number },
): Promise<Statement> {
  const window = parseWindow(options.from, options.to, options.nowMs)
  const referencePrice = parsePrice(options.price)
  const trades: SettleRecord[] = []
  await readLedger(directory, (record) => {
    if (isWithin(window, record)) trades.push(record)
  })
  return settlementStatement({ trades, window, referencePrice, generatedAtMs: options.nowMs })
}

/** @throws TiramiError TRADE_NOT_FOUND, and what `readLedger` throws */
export async function proveFromDisk(directory: string, tradeId: string): Promise<InclusionProof> {
  let found: { tradeId: string; index: number; signedBytes: Uint8Array } | undefined
  const { state } = await readLedger(directory, ({ terms }, index) => {
    if (hexFromBytes(tradeLeafHash(terms)) === tradeId) {
      found = { tradeId, index, signedBytes: canonicalTradeBytes(terms) }
    }
  })
  if (!found) throw tradeNotFound()
  return inclusionProof(state.transparency, found)
}
