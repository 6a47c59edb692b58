import type { SafetyState } from '../economy/index.ts'
import type { Rng } from '../kernel/index.ts'
import { type JournalObserver, type Ledger, type OpenLedgerOptions, openLedger } from '../ledger/index.ts'
import { type Access, createAccess } from './access.ts'
import { type AuditRules, createAuditRules, type SavedAudits } from './audit-rules.ts'
import { createEconomy, type EconomyService } from './economy-service.ts'
import type { HostKeys } from './keys.ts'
import { createMeshRules, type MeshRules, type SavedMesh } from './mesh-rules.ts'
import { createSafety, type Safety } from './safety.ts'
import { createEarningRules, type EarningRules, type SavedEarning } from './stewardship.ts'

/** The ledger and every rule that follows from its journal. */
export interface Books {
  ledger: Ledger
  keys: HostKeys
  safety: Safety
  access: Access
  economy: EconomyService
  earning: EarningRules
  mesh: MeshRules
  audits: AuditRules
}

export interface BooksOptions extends Omit<OpenLedgerOptions, 'observer'> {
  rng: Rng
  /** Called after the directory's lock was taken: two hosts must not make keys at once. */
  openKeys(): HostKeys
}

/** What the rules keep in the ledger's snapshot. */
interface SavedRules {
  economy: ReturnType<EconomyService['observer']['save']>
  safety: SafetyState
  access: ReturnType<Access['save']>
  earning: SavedEarning
  mesh: SavedMesh
  audits: SavedAudits
}

/**
 * Opens the ledger and replays its journal once, into the ledger and all rules together.
 * @throws TiramiError what `openLedger` and `openKeys` throw
 */
export async function openBooks({ rng, openKeys, ...options }: BooksOptions): Promise<Books> {
  const { clock } = options
  let opened: Ledger | null = null
  const ledgerPort = () => {
    if (!opened) throw new Error('the ledger is not open yet')
    return opened
  }
  const keys = once(openKeys)
  const safety = createSafety({ ledger: ledgerPort, clock, rng })
  const access = createAccess({ ledger: ledgerPort, keys, clock, rng })
  const economy = once(() =>
    createEconomy({ ledger: ledgerPort, safety: safety.state, clock, node: keys().node }),
  )
  const earning = createEarningRules()
  const mesh = createMeshRules()
  const audits = createAuditRules()
  const ledger = await openLedger({
    ...options,
    observer: observerOf(safety, access, earning, mesh, audits, economy, keys),
  })
  opened = ledger
  try {
    await safety.recover([keys().localConsumer, keys().windowConsumer])
    return { ledger, keys: keys(), safety, access, earning, mesh, audits, economy: economy() }
  } catch (error) {
    await ledger.close()
    throw error
  }
}

function observerOf(
  safety: Safety,
  access: Access,
  earning: EarningRules,
  mesh: MeshRules,
  audits: AuditRules,
  economy: () => EconomyService,
  keys: () => HostKeys,
): JournalObserver {
  return {
    events: (events, atMs) => {
      economy().observer.events(events, atMs)
      for (const event of events) {
        safety.observe(event)
        access.observe(event)
        earning.observe(event)
        mesh.observe(event)
        audits.observe(event)
      }
    },
    trade: (trade) => {
      economy().observer.trade(trade)
      mesh.trade(trade)
      if (trade.provider !== keys().node.publicKeyHex) return
      earning.trade({ ...trade, amountTrm: trade.amountTrm - trade.passedOnTrm })
    },
    save: (): SavedRules => ({
      economy: economy().observer.save(),
      safety: safety.state(),
      access: access.save(),
      earning: earning.save(),
      mesh: mesh.save(),
      audits: audits.save(),
    }),
    restore: (saved) => {
      const rules = saved as SavedRules
      economy().observer.restore(rules.economy)
      safety.restore(rules.safety)
      access.restore(rules.access)
      earning.restore(rules.earning)
      mesh.restore(rules.mesh)
      audits.restore(rules.audits)
    },
  }
}

function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
