import {
  type Decision,
  decideDefault,
  decidePeerDefault,
  decideSlashes,
  decideWelcomeSettlement,
  decideYield,
  dueProposals,
  type EconomyEvent,
  expiredWelcomeLoans,
  type Movement,
  overdueLoans,
  overduePeerLoans,
  type SlashCandidate,
  stakeMultiplier,
  tableEntries,
} from '../economy/index.ts'
import { readClockMs, TiramiError } from '../kernel/index.ts'
import type { JournalEvent } from '../ledger/index.ts'
import type { EconomyCore } from './economy-core.ts'
import { closePosting, executePosting } from './economy-governance.ts'
import { decideProgressOf } from './economy-staking.ts'

export interface TickFailure {
  part: string
  error: unknown
}

export interface TickReport {
  /** Records written. */
  records: number
  /** What could not be done; everything else was. */
  failures: TickFailure[]
}

interface Posting {
  events: readonly JournalEvent[]
  movements: readonly Movement[]
}

/** Yields one decision at a time; each is decided on the state that the one before has left. */
type Part = (core: EconomyCore, nowMs: number) => Iterable<() => Posting>

/** A rule that has nothing to say yet: not a failure. */
const NOTHING_TO_DO = new Set(['YIELD_NOT_DUE', 'REFERRAL_UNCHANGED'])

const posting = ({ event, movements }: Decision<EconomyEvent>): Posting => ({ events: [event], movements })

function* welcomePart(core: EconomyCore, nowMs: number) {
  for (const node of expiredWelcomeLoans(core.state.welcome, nowMs)) {
    const contributedTrm = core.trades.earnedTrm(node)
    const command = { node, contributedTrm }
    yield () => posting(decideWelcomeSettlement(core.state.welcome, command, core.context(nowMs)))
  }
}

function* loanPart(core: EconomyCore, nowMs: number) {
  // While the owner has stopped all spending nobody can repay: that is no default.
  if (core.ports.safety().killSwitch.active) return
  for (const loanId of overdueLoans(core.state.lending, nowMs)) {
    yield () => posting(decideDefault(core.state.lending, { loanId }, core.context(nowMs)))
  }
}

function* peerLoanPart(core: EconomyCore, nowMs: number) {
  if (core.ports.safety().killSwitch.active) return
  for (const loanId of overduePeerLoans(core.state.peerLoans, core.nodeId, nowMs)) {
    yield () => posting(decidePeerDefault(core.state.peerLoans, loanId, core.context(nowMs)))
  }
}

function* referralPart(core: EconomyCore, nowMs: number) {
  for (const [referred, { bonusTrm }] of tableEntries(core.state.referral.referrals)) {
    if (bonusTrm === null) yield () => posting(decideProgressOf(core, referred, nowMs))
  }
}

function* yieldPart(core: EconomyCore, nowMs: number) {
  const contributedTrm = core.trades.earnedTrm(core.nodeId)
  if (contributedTrm === 0n) return
  yield () => {
    const context = core.context(nowMs)
    const command = {
      node: core.nodeId,
      contributedTrm,
      reputation: core.reputation(core.nodeId, nowMs),
      stakeMultiplier: stakeMultiplier(core.state.staking, core.nodeId, context),
      hoursServed: core.hoursServed(nowMs),
    }
    return posting(decideYield(core.state.yield, command, context))
  }
}

/** Ends every vote whose deadline has passed and carries out what was decided. */
function governancePart(): Part {
  // A proposal that other votes have made impossible is refused once, not every minute.
  const refused = new Set<string>()
  return function* part(core, nowMs) {
    for (const id of dueProposals(core.governance, nowMs)) yield () => closePosting(core, id, nowMs)
    for (const [id, { status }] of tableEntries(core.governance.proposals)) {
      if (status !== 'passed' || refused.has(id)) continue
      refused.add(id)
      yield () => executePosting(core, id, nowMs)
    }
  }
}

/** Judges every provider of the last 24 hours (spec sections 2.13, 2.14), at most once per interval. */
function slashingPart(): Part {
  let lastMs = Number.NEGATIVE_INFINITY
  return function* part(core, nowMs) {
    if (Math.abs(nowMs - lastMs) < core.parameters.SLASHING_INTERVAL_SECS * 1_000) return
    lastMs = nowMs
    const { providers, report } = core.trades.collusion(nowMs, core.parameters)
    const candidates = providers.map(
      (node): SlashCandidate => ({
        node,
        reason: 'collusion',
        evidence: `day-until:${nowMs}`,
        trustPenalty: report(node).trustPenalty,
      }),
    )
    const command = { candidates, distinctProviders: providers.length }
    for (const decision of decideSlashes(core.state.slashing, command, core.context(nowMs))) {
      yield () => posting(decision)
    }
  }
}

/** @returns the periodic work: one record per decision; a failure of one never stops the others. */
export function createTick(core: EconomyCore): (nowMs: number) => Promise<TickReport> {
  const parts: Record<string, Part> = {
    welcome: welcomePart,
    loans: loanPart,
    peerLoans: peerLoanPart,
    referrals: referralPart,
    governance: governancePart(),
    slashing: slashingPart(),
    yield: yieldPart,
  }
  return async (clockMs) => {
    const nowMs = readClockMs({ nowMs: () => clockMs })
    const failures: TickFailure[] = []
    const fail = (part: string, error: unknown) => {
      if (!(error instanceof TiramiError && NOTHING_TO_DO.has(error.code))) failures.push({ part, error })
    }
    const write = async (part: string, decide: () => Posting): Promise<number> => {
      try {
        const { events, movements } = decide()
        await core.write(events, movements)
        return 1
      } catch (error) {
        fail(part, error)
        return 0
      }
    }
    const written: Promise<number>[] = []
    for (const [name, part] of Object.entries(parts)) {
      try {
        for (const decide of part(core, nowMs)) written.push(write(name, decide))
      } catch (error) {
        fail(name, error)
      }
    }
    const records = (await Promise.all(written)).reduce((sum, count) => sum + count, 0)
    return { records, failures }
  }
}
