import { createHash } from 'node:crypto'
import type {
  Download,
  Earnings,
  EarningsRange,
  HardwareInfo,
  HostStatus,
  InstalledModel,
  ModelsView,
  OfferedModel,
  Trade,
} from '../../src-preload/contract/index.ts'

export const hex32 = (seed: string): string => createHash('sha256').update(seed).digest('hex')

const MODEL_ID = 'tirami-concierge-q8'

export function sampleStatus(change: Partial<HostStatus> = {}): HostStatus {
  return {
    version: '0.1.0',
    nodeId: hex32('node'),
    state: 'serving',
    reason: 'The engine is ready and answers requests from your API keys.',
    reasonCode: 'ready',
    reasonParams: {},
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
      backend: 'cuda',
      deviceName: 'NVIDIA GeForce RTX 4070',
      threads: 2,
      slots: 4,
      restarts: 0,
      retryAtMs: null,
      error: null,
    },
    hardware: sampleHardware(),
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

export const gib = (count: number): number => Math.floor(count * 2 ** 30)

export function sampleHardware(change: Partial<HardwareInfo> = {}): HardwareInfo {
  return {
    cpu: { model: 'AMD Ryzen 9 7900X', cores: 24, physicalCores: 12 },
    memoryTotalBytes: gib(32),
    gpus: [
      {
        id: 'gpu-0',
        vendor: 'nvidia',
        name: 'NVIDIA GeForce RTX 4070',
        vramTotalBytes: gib(12),
        isUnified: false,
        driverVersion: '570.86',
      },
    ],
    compute: {
      backend: 'cuda',
      expectedBackend: 'cuda',
      degraded: false,
      sentence: 'The engine computes with CUDA on NVIDIA GeForce RTX 4070.',
      nextStep: null,
      code: 'gpu',
      params: { backend: 'cuda', gpu: 'NVIDIA GeForce RTX 4070' },
    },
    ...change,
  }
}

const fits = {
  verdict: 'fits',
  needBytes: gib(1.1),
  sentence: 'The model fits on the GPU, with 4 slots of 4096 tokens.',
  code: 'gpu',
  params: { size: '4 slots of 4096 tokens', slots: 4, tokens: 4096, gpuLayers: 25, layers: 24 },
} as const

export function sampleInstalled(change: Partial<InstalledModel> = {}): InstalledModel {
  return {
    id: 'qwen2.5:0.5b-q4_k_m',
    name: 'Qwen2.5 0.5B Instruct',
    fileName: 'qwen2.5-0.5b-q4_k_m.gguf',
    sizeBytes: 491_400_032,
    parameters: 494_032_768,
    contextTokens: 32_768,
    license: 'Apache-2.0',
    embedded: false,
    hashOrigin: 'catalogue',
    owned: true,
    chosen: false,
    fit: fits,
    error: null,
    ...change,
  }
}

export function sampleOffer(change: Partial<OfferedModel> = {}): OfferedModel {
  return {
    id: 'qwen2.5:1.5b-q4_k_m',
    name: 'Qwen2.5 1.5B Instruct',
    publisher: 'Qwen',
    family: 'qwen2.5',
    quantisation: 'Q4_K_M',
    license: 'Apache-2.0',
    licenseUrl: 'https://huggingface.co/Qwen/Qwen2.5-1.5B-Instruct',
    contextTokens: 32_768,
    sizeBytes: 1_117_320_736,
    hashPinned: true,
    installed: false,
    fit: fits,
    ...change,
  }
}

export function sampleDownload(change: Partial<Download> = {}): Download {
  return {
    id: 'd1',
    modelId: 'qwen2.5:1.5b-q4_k_m',
    source: 'qwen2.5:1.5b',
    state: 'running',
    waitingFor: null,
    error: null,
    sizeBytes: 1_117_320_736,
    doneBytes: 402_653_184,
    attempt: 1,
    bytesPerSecond: 12_400_000,
    secondsLeft: 58,
    sha256: hex32('file'),
    hashOrigin: 'catalogue',
    license: 'Apache-2.0',
    createdAtMs: 1_795_000_100_000,
    ...change,
  }
}

export function sampleModels(change: Partial<ModelsView> = {}): ModelsView {
  return {
    upstream: null,
    installed: [
      sampleInstalled({
        id: MODEL_ID,
        name: 'Tirami Concierge',
        fileName: 'tirami-concierge-3m-q8_0.gguf',
        sizeBytes: 3_611_648,
        parameters: 3_214_080,
        contextTokens: 512,
        license: 'MIT',
        embedded: true,
        hashOrigin: null,
        owned: false,
        chosen: true,
      }),
      sampleInstalled(),
    ],
    offered: [sampleOffer()],
    downloads: [],
    disk: { installedBytes: 495_011_680, downloadingBytes: 0, freeBytes: 212_000_000_000 },
    settings: { idleUnloadMinutes: 15, declaredPowerW: null, downloadBytesPerSecond: null },
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
    allTimeOnCreditTrm: '0',
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
