import type { HostStatus } from '../../../src-preload/contract/index.ts'

/** A host at work, for tests. */
export function exampleStatus(change: Partial<HostStatus> = {}): HostStatus {
  return {
    version: '0.1.0',
    nodeId: 'ab'.repeat(32),
    state: 'serving',
    reason: 'Ready for paid work.',
    reasonCode: 'ready',
    reasonParams: {},
    startedAtMs: 1_700_000_000_000,
    apiBaseUrl: 'http://127.0.0.1:3000/v1',
    apiKeyFile: '/data/api-key',
    model: null,
    engine: {
      state: 'ready',
      backend: 'cpu',
      deviceName: null,
      threads: 1,
      slots: 4,
      restarts: 0,
      retryAtMs: null,
      error: null,
    },
    hardware: null,
    jobs: { running: 0, queued: 0 },
    safety: { killSwitch: null, approvals: [] },
    ledger: {
      trades: 0,
      journalRecords: 1,
      journalBytes: 100,
      headHash: '00'.repeat(32),
      merkleRoot: '00'.repeat(32),
      recovery: null,
      writable: true,
    },
    ...change,
  }
}
