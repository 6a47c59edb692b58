import { decideReputationChange, decideSlashes } from '../economy/index.ts'
import { hexFromBytes, sha256, utf8 } from '../kernel/index.ts'
import type { JournalEvent } from '../ledger/index.ts'
import type { EconomyCore } from './economy-core.ts'

export interface AuditPenalty {
  /** Of the stake that the node has on this host's books. */
  burnedTrm: bigint
}

/**
 * A node failed an audit (spec sections 2.8, 2.14): its reputation falls, and its stake is slashed where this host's
 * books have one. Without a stake the fault is recorded all the same. Two probes are punished once, in either order.
 * @param also events that are to be written in the same record, made from what is burned
 */
export function punishFailedAudit(
  core: EconomyCore,
  { node, auditIds }: { node: string; auditIds: readonly [string, string] },
  also: (penalty: AuditPenalty) => JournalEvent[],
): Promise<void> {
  const context = core.context()
  const candidate = {
    node,
    reason: 'audit-fail',
    evidence: hexFromBytes(sha256(utf8([...auditIds].sort().join()))),
    trustPenalty: context.parameters.AUDIT_FAIL_TRUST_PENALTY,
  } as const
  const command = { candidates: [candidate], distinctProviders: 0 }
  const [slash] = decideSlashes(core.state.slashing, command, context)
  const lowered = decideReputationChange(core.state.reputation, { node, cause: 'audit-failed' }, context)
  const penalty = { burnedTrm: BigInt(slash?.event.burnedTrm ?? 0) }
  const events = [lowered.event, ...(slash ? [slash.event] : []), ...also(penalty)]
  return core.write(events, slash?.movements ?? [])
}
