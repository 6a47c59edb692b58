import type { ProcedureName } from './schemas.ts'

const CALL_TIMEOUT_MS = 30_000
/** A model is read from the disk before it is loaded, and other servers are asked before one is added. */
const LONG_CALL_TIMEOUT_MS: Partial<Record<ProcedureName, number>> = {
  'models.load': 15 * 60_000,
  'models.connect': 2 * 60_000,
  'models.add': 2 * 60_000,
  'mesh.audit': 5 * 60_000,
  // Another host is asked for its signature.
  'mesh.lend': 2 * 60_000,
  'mesh.answerLoan': 2 * 60_000,
  'mesh.repayLoan': 2 * 60_000,
  'reason.run': 2 * 60_000,
  'telemetry.verify': 2 * 60_000,
  'wallet.statement': 2 * 60_000,
  'telemetry.csv': 2 * 60_000,
}

/** How long the host may take for a call before the window says that it did not answer, over any transport. */
export function callTimeoutMs(procedure: string): number {
  return (LONG_CALL_TIMEOUT_MS as Record<string, number | undefined>)[procedure] ?? CALL_TIMEOUT_MS
}
