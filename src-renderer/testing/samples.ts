import { createHash } from 'node:crypto'
import type { Earnings, EarningsRange, HostStatus, Trade } from '../../src-preload/contract/index.ts'

export const hex32 = (seed: string): string => createHash('sha256').update(seed).digest('hex')

const MODEL_ID = 'tirami-concierge-q8'

export function sampleStatus(change: Partial<HostStatus> = {}): HostStatus {
  return {
    version: '0.1.0',
    nodeId: hex32('node'),
    state: 'serving',
    reason: 'The engine is ready and answers requests from your API keys.',
    startedAtMs: 1_795_000_000_000,
    apiBaseUrl: 'http://127.0.0.1:8347/v1',
    apiKeyFile: '/Users/mika/Library/Application Support/tirami-host/keys/default.key',
    model: {
      id: MODEL_ID,
      name: 'Tirami Concierge',
      fileName: 'tirami-concierge-3m-q8_0.gguf',
      sizeBytes: 3_611_648,
      parameters: 3_214_080,
      contextTokens: 512,
      flopPerToken: '6428160',
      demonstration: true,
      license: 'MIT',
    },
    engine: {
      state: 'ready',
      backend: 'cpu',
      deviceName: 'AMD EPYC 7B13',
      threads: 2,
      slots: 4,
      restarts: 0,
      retryAtMs: null,
      error: null,
    },
    jobs: { running: 0, queued: 0 },
    safety: { killSwitch: null, approvals: [] },
    ledger: {
      trades: 0,
      journalRecords: 3,
      journalBytes: 812,
      headHash: hex32('head'),
      merkleRoot: hex32('root'),
      recovery: null,
      writable: true,
    },
    ...change,
  }
}

const customers = [
  { label: 'default', own: true },
  { label: 'anna-laptop', own: false },
  { label: 'studio-mac', own: false },
  { label: 'window chat', own: true },
  { label: 'ci-runner', own: false },
]

export function sampleTrade(index: number, change: Partial<Trade> = {}): Trade {
  const customer = customers[(index * 7 + (index >> 2)) % customers.length]
  const promptTokens = 24 + ((index * 37) % 400)
  const completionTokens = 9 + ((index * 53) % 300)
  const flop = BigInt(promptTokens + completionTokens) * 988_000_000n
  return {
    tradeId: hex32(`trade ${index}`),
    index,
    provider: hex32('node'),
    consumer: hex32(customer?.label ?? ''),
    consumerLabel: customer?.label ?? '',
    ownKey: customer?.own ?? false,
    amountTrm: ((flop + 999_999_999n) / 1_000_000_000n).toString(),
    flop: flop.toString(),
    promptTokens,
    completionTokens,
    latencyMs: 180 + ((index * 331) % 4_200),
    modelId: MODEL_ID,
    timestampMs: Date.now(),
    providerSigned: true,
    consumerSigned: true,
    ...change,
  }
}

const HOUR = 3_600_000
const spans = {
  '24h': { count: 24, bucketMs: HOUR },
  '7d': { count: 28, bucketMs: 6 * HOUR },
  '30d': { count: 30, bucketMs: 24 * HOUR },
} as const

export function sampleEarnings(range: EarningsRange, trades: readonly Trade[]): Earnings {
  const { count, bucketMs } = spans[range]
  const sum = (some: readonly Trade[]) =>
    some.reduce((total, trade) => total + BigInt(trade.amountTrm), 0n).toString()
  const firstMs = Math.floor(Date.now() / bucketMs) * bucketMs - (count - 1) * bucketMs
  const inRange = trades.filter(({ timestampMs }) => timestampMs >= firstMs)
  return {
    range,
    allTimeTrm: sum(trades),
    allTimeOwnKeysTrm: sum(trades.filter(({ ownKey }) => ownKey)),
    rangeTrm: sum(inRange),
    rangeOwnKeysTrm: sum(inRange.filter(({ ownKey }) => ownKey)),
    rangeTrades: inRange.length,
    bucketMs,
    buckets: Array.from({ length: count }, (_, bucket) => {
      const startMs = firstMs + bucket * bucketMs
      const some = inRange.filter(
        ({ timestampMs }) => timestampMs >= startMs && timestampMs < startMs + bucketMs,
      )
      const ownKeysTrm = sum(some.filter(({ ownKey }) => ownKey))
      return { startMs, amountTrm: sum(some), ownKeysTrm, trades: some.length }
    }),
  }
}
