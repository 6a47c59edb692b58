import type { Database, SqlJsStatic, Statement } from 'sql.js'
import type { EarningsRange, Trade } from '../../src-preload/contract/index.ts'
import { bytesFromHex, hexFromBytes } from '../kernel/index.ts'
import type { LedgerEarnings } from './types.ts'

const SCHEMA_VERSION = 4
const HOUR_MS = 3_600_000

/** How far into the journal the projection has come. Hex and numbers only: it crosses a thread. */
export interface ProjectionPosition {
  seq: number
  offset: number
  chainHashHex: string
  /** Trades up to here: the index of the next one. */
  trades: number
}

/** A settled trade on its way into the tables. */
export interface ProjectedTrade {
  trade: Trade
  /** With another host. */
  remote: boolean
  /** Byte of the journal at which its record starts: what was signed is read from there. */
  recordOffset: number
  /** The place in the journal just after the trade. */
  position: ProjectionPosition
}

type FoundTrade = Pick<ProjectedTrade, 'trade' | 'recordOffset'>

// SQLite has no unsigned 64-bit integers and sql.js hands numbers out as doubles, so amounts are decimal text and
// are added up as bigint. Keys and hashes are bytes, half their text: a row takes some 250 bytes. The sums by hour keep reading the earnings independent of the number of trades.
const SCHEMA = `
  CREATE TABLE trades (
    idx INTEGER PRIMARY KEY, trade_id BLOB NOT NULL UNIQUE, provider BLOB NOT NULL, consumer BLOB NOT NULL,
    consumer_label TEXT NOT NULL, own_key INTEGER NOT NULL, amount_trm TEXT NOT NULL, flop TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, latency_ms REAL NOT NULL,
    model_id TEXT NOT NULL, timestamp_ms INTEGER NOT NULL, record_offset INTEGER NOT NULL, passed_on_trm TEXT,
    remote_idx INTEGER UNIQUE
  ) STRICT;
  CREATE TABLE hours (
    provider TEXT NOT NULL, start_ms INTEGER NOT NULL, amount_trm TEXT NOT NULL, own_keys_trm TEXT NOT NULL,
    trades INTEGER NOT NULL, PRIMARY KEY (provider, start_ms)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE totals (
    provider TEXT PRIMARY KEY, amount_trm TEXT NOT NULL, own_keys_trm TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE settings (
    id INTEGER PRIMARY KEY CHECK (id = 1), schema_version INTEGER NOT NULL, seq INTEGER NOT NULL,
    journal_offset INTEGER NOT NULL, chain_hash TEXT NOT NULL, trades INTEGER NOT NULL
  ) STRICT;
  INSERT INTO settings VALUES (1, ${SCHEMA_VERSION}, 0, 0, '', 0);
`

interface RangeShape {
  bucketMs: number
  count: number
}

const RANGES: Record<EarningsRange, RangeShape> = {
  '24h': { bucketMs: HOUR_MS, count: 24 },
  '7d': { bucketMs: 6 * HOUR_MS, count: 28 },
  '30d': { bucketMs: 24 * HOUR_MS, count: 30 },
}

type Row = Record<string, unknown>

function tradeOf(row: Row): Trade {
  return {
    tradeId: hex(row.trade_id),
    index: Number(row.idx),
    provider: hex(row.provider),
    consumer: hex(row.consumer),
    consumerLabel: String(row.consumer_label),
    ownKey: row.own_key === 1,
    amountTrm: String(row.amount_trm),
    flop: String(row.flop),
    promptTokens: Number(row.prompt_tokens),
    completionTokens: Number(row.completion_tokens),
    latencyMs: Number(row.latency_ms),
    modelId: String(row.model_id),
    timestampMs: Number(row.timestamp_ms),
    providerSigned: true,
    consumerSigned: true,
    ...(row.passed_on_trm === null ? {} : { passedOnTrm: String(row.passed_on_trm) }),
  }
}

function hex(value: unknown): string {
  if (!(value instanceof Uint8Array)) throw new Error('a column of bytes holds something else')
  return hexFromBytes(value)
}

interface Sum {
  amountTrm: bigint
  /** Part of `amountTrm` that keys of this machine paid. */
  ownKeysTrm: bigint
  trades: number
}

const nothing = (): Sum => ({ amountTrm: 0n, ownKeysTrm: 0n, trades: 0 })

function addTo(sum: Sum, more: Sum): void {
  sum.amountTrm += more.amountTrm
  sum.ownKeysTrm += more.ownKeysTrm
  sum.trades += more.trades
}

function sumOf(row: Row | undefined): Sum {
  return {
    amountTrm: BigInt(String(row?.amount_trm ?? '0')),
    ownKeysTrm: BigInt(String(row?.own_keys_trm ?? '0')),
    trades: Number(row?.trades ?? 0),
  }
}

/** What the provider has earned: of a purchase from another host nothing passes through its provider. */
const earnedTrm = ({ trade, remote }: ProjectedTrade): bigint =>
  BigInt(trade.amountTrm) - (remote ? 0n : BigInt(trade.passedOnTrm ?? '0'))

function sumsBy(trades: readonly ProjectedTrade[], keyOf: (trade: Trade) => string): Map<string, Sum> {
  const sums = new Map<string, Sum>()
  for (const projected of trades) {
    const { trade } = projected
    const sum = sums.get(keyOf(trade)) ?? nothing()
    const amountTrm = earnedTrm(projected)
    addTo(sum, { amountTrm, ownKeysTrm: trade.ownKey ? amountTrm : 0n, trades: 1 })
    sums.set(keyOf(trade), sum)
  }
  return sums
}

/** The tables behind lists, proofs and earnings. Everything in them follows from the journal. */
export class ProjectionStore {
  readonly #sql: SqlJsStatic
  #db: Database

  /** @param image an SQLite file, or null to begin empty. @throws Error when the image is not ours */
  constructor(sql: SqlJsStatic, image: Uint8Array | null) {
    this.#sql = sql
    this.#db = new sql.Database(image)
    if (!image) this.#db.run(SCHEMA)
    const version = this.#rows('SELECT schema_version FROM settings')[0]?.schema_version
    if (version !== SCHEMA_VERSION) throw new Error(`the projection has schema version ${version}`)
  }

  reset(): void {
    this.#db.close()
    this.#db = new this.#sql.Database()
    this.#db.run(SCHEMA)
  }

  position(): ProjectionPosition {
    const row = this.#rows('SELECT seq, journal_offset, chain_hash, trades FROM settings')[0]
    return {
      seq: Number(row?.seq),
      offset: Number(row?.journal_offset),
      chainHashHex: String(row?.chain_hash),
      trades: Number(row?.trades),
    }
  }

  /** All or nothing, in the order of the journal. */
  insert(trades: readonly ProjectedTrade[]): void {
    const last = trades.at(-1)
    if (!last) return
    this.#db.run('BEGIN')
    try {
      this.#insertTrades(trades)
      this.#addSums(trades)
      const { seq, offset, chainHashHex, trades: count } = last.position
      this.#db.run('UPDATE settings SET seq = ?, journal_offset = ?, chain_hash = ?, trades = ?', [
        seq,
        offset,
        chainHashHex,
        count,
      ])
      this.#db.run('COMMIT')
    } catch (error) {
      this.#db.run('ROLLBACK')
      throw error
    }
  }

  /** Newest first. */
  list(limit: number, beforeIndex: number): Trade[] {
    const sql = 'SELECT * FROM trades WHERE idx < ? ORDER BY idx DESC LIMIT ?'
    return this.#rows(sql, [beforeIndex, limit]).map(tradeOf)
  }

  /** @param tradeId 64 hex digits */
  find(tradeId: string): FoundTrade | null {
    const row = this.#rows('SELECT * FROM trades WHERE trade_id = ?', [bytesFromHex(tradeId)])[0]
    return row ? { trade: tradeOf(row), recordOffset: Number(row.record_offset) } : null
  }

  /** Where the records of trades with other hosts start, from number `from` of them on. */
  remoteOffsets(from: number, limit: number): number[] {
    const sql = 'SELECT record_offset FROM trades WHERE remote_idx >= ? ORDER BY remote_idx LIMIT ?'
    return this.#rows(sql, [from, limit]).map((row) => Number(row.record_offset))
  }

  /** Buckets are aligned to their own size in UTC; the last one holds `nowMs`. */
  earnings(provider: string, range: EarningsRange, nowMs: number): LedgerEarnings {
    const { bucketMs, count } = RANGES[range]
    const lastMs = Math.floor(nowMs / bucketMs) * bucketMs
    const firstMs = lastMs - (count - 1) * bucketMs
    const sums = Array.from({ length: count }, nothing)
    const sql = 'SELECT * FROM hours WHERE provider = ? AND start_ms >= ? AND start_ms < ?'
    for (const row of this.#rows(sql, [provider, firstMs, lastMs + bucketMs])) {
      const sum = sums[Math.floor((Number(row.start_ms) - firstMs) / bucketMs)]
      if (sum) addTo(sum, sumOf(row))
    }
    const whole = nothing()
    for (const sum of sums) addTo(whole, sum)
    const total = this.#rows('SELECT * FROM totals WHERE provider = ?', [provider])[0]
    return {
      range,
      allTimeTrm: String(total?.amount_trm ?? '0'),
      allTimeOwnKeysTrm: String(total?.own_keys_trm ?? '0'),
      rangeTrm: whole.amountTrm.toString(),
      rangeOwnKeysTrm: whole.ownKeysTrm.toString(),
      rangeTrades: whole.trades,
      bucketMs,
      buckets: sums.map((sum, position) => ({
        startMs: firstMs + position * bucketMs,
        amountTrm: sum.amountTrm.toString(),
        ownKeysTrm: sum.ownKeysTrm.toString(),
        trades: sum.trades,
      })),
    }
  }

  /** The whole SQLite file. */
  image(): Uint8Array {
    return this.#db.export()
  }

  #insertTrades(trades: readonly ProjectedTrade[]): void {
    const statement = this.#db.prepare(`INSERT INTO trades VALUES (${Array(16).fill('?').join(', ')})`)
    let remotes = Number(this.#rows('SELECT COUNT(remote_idx) AS count FROM trades')[0]?.count)
    try {
      for (const { trade, remote, recordOffset } of trades) {
        statement.run([
          trade.index,
          bytesFromHex(trade.tradeId),
          bytesFromHex(trade.provider),
          bytesFromHex(trade.consumer),
          trade.consumerLabel,
          trade.ownKey ? 1 : 0,
          trade.amountTrm,
          trade.flop,
          trade.promptTokens,
          trade.completionTokens,
          trade.latencyMs,
          trade.modelId,
          trade.timestampMs,
          recordOffset,
          trade.passedOnTrm ?? null,
          remote ? remotes++ : null,
        ])
      }
    } finally {
      statement.free()
    }
  }

  #addSums(trades: readonly ProjectedTrade[]): void {
    const hourOf = (trade: Trade) => Math.floor(trade.timestampMs / HOUR_MS) * HOUR_MS
    for (const [key, sum] of sumsBy(trades, (trade) => `${trade.provider}:${hourOf(trade)}`)) {
      const [provider = '', startMs] = key.split(':')
      const place = [provider, Number(startMs)]
      addTo(sum, sumOf(this.#rows('SELECT * FROM hours WHERE provider = ? AND start_ms = ?', place)[0]))
      this.#db.run('INSERT OR REPLACE INTO hours VALUES (?, ?, ?, ?, ?)', [
        ...place,
        sum.amountTrm.toString(),
        sum.ownKeysTrm.toString(),
        sum.trades,
      ])
    }
    for (const [provider, sum] of sumsBy(trades, (trade) => trade.provider)) {
      addTo(sum, sumOf(this.#rows('SELECT * FROM totals WHERE provider = ?', [provider])[0]))
      this.#db.run('INSERT OR REPLACE INTO totals VALUES (?, ?, ?)', [
        provider,
        sum.amountTrm.toString(),
        sum.ownKeysTrm.toString(),
      ])
    }
  }

  #rows(sql: string, parameters: (string | number | Uint8Array)[] = []): Row[] {
    const statement: Statement = this.#db.prepare(sql)
    try {
      statement.bind(parameters)
      const rows: Row[] = []
      while (statement.step()) rows.push(statement.getAsObject())
      return rows
    } finally {
      statement.free()
    }
  }
}
