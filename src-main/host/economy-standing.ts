import type { WalletStepCode } from '../../src-preload/contract/index.ts'
import {
  activeWelcomeLoan,
  availableAccount,
  decideWelcome,
  type Eligibility,
  hasFault,
  lockedStakeTrm,
  providerEligibility,
  reservedAccount,
  smaller,
  tableGet,
} from '../economy/index.ts'
import { fillSentence, type SentenceParams, TiramiError } from '../kernel/index.ts'
import type { EconomyCore } from './economy-core.ts'

/** What this node was paid, in TRM. */
export interface Income {
  /** By strangers, ever, for what was done here: price less what was paid on for it. */
  fromOthersTrm: bigint
  /** The part of it that strangers still owe: it stands on credit that this host's owner gave them. */
  onCreditTrm: bigint
  /** By the owner's own keys: use, not income. */
  ownUseTrm: bigint
  /** Paid by guests and paid on to the hosts that answered them: in none of the above. */
  passedOnTrm: bigint
}

export interface Standing {
  eligibility: Eligibility
  /** The welcome loan: to be had, running, had and over, or refused to this node. */
  welcomeLoan: 'available' | 'active' | 'used' | 'unavailable'
  /** One sentence to the owner; null when nothing is to be done. */
  nextStep: string | null
  /** The same for a program. */
  next: { code: WalletStepCode; params: SentenceParams } | null
}

/** What the stake gate looks at (spec section 2.11). */
export function providerFacts(core: EconomyCore) {
  const context = core.context()
  const { staking, slashing, welcome } = core.state
  return {
    lockedStakeTrm: lockedStakeTrm(staking, core.nodeId, context),
    hasFault: hasFault(slashing, core.nodeId),
    hasActiveWelcomeLoan: activeWelcomeLoan(welcome, core.nodeId, context.nowMs) !== null,
    contributedTrm: core.trades.earnedTrm(core.nodeId),
  }
}

/** What the welcome rules want to know of a node; its network of origin is the host's to tell. */
export function newcomerFacts(core: EconomyCore, node: string) {
  const { trades } = core
  const history = { contributedTrm: trades.earnedTrm(node), consumedTrm: trades.spentTrm(node) }
  return { node, ...history, unprovenNodes: trades.unprovenNodes() }
}

/** Accounts below zero are credit that was used; what is held for a job is not spent yet. */
export function incomeOf(core: EconomyCore): Income {
  const ledger = core.ports.ledger()
  const owedTrm = core.trades.consumers().reduce((sum, node) => {
    // What this node owes other hosts is no stranger's debt to it.
    if (node === core.nodeId) return sum
    const netTrm = ledger.accountTrm(availableAccount(node)) + ledger.accountTrm(reservedAccount(node))
    return netTrm < 0n ? sum - netTrm : sum
  }, 0n)
  const fromOthersTrm = core.trades.earnedTrm(core.nodeId)
  return {
    fromOthersTrm,
    onCreditTrm: smaller(owedTrm, fromOthersTrm),
    ownUseTrm: core.trades.ownUseTrm(core.nodeId),
    passedOnTrm: core.trades.passedOnTrm(),
  }
}

/** Any network will do: whether this node may have the loan does not hang on where the owner sits. */
const ANY_BUCKET = 'local'

function welcomeLoanOf(core: EconomyCore): Standing['welcomeLoan'] {
  const { welcome } = core.state
  if (activeWelcomeLoan(welcome, core.nodeId, core.nowMs())) return 'active'
  if (tableGet(welcome.loans, core.nodeId)) return 'used'
  try {
    decideWelcome(welcome, { ...newcomerFacts(core, core.nodeId), bucket: ANY_BUCKET }, core.context())
    return 'available'
  } catch (error) {
    if (error instanceof TiramiError) return 'unavailable'
    throw error
  }
}

export function standingOf(core: EconomyCore): Standing {
  const eligibility = providerEligibility(providerFacts(core), core.parameters)
  const welcomeLoan = welcomeLoanOf(core)
  return { eligibility, welcomeLoan, ...nextStep(core, eligibility, welcomeLoan) }
}

const CAP = 'Without a stake guests may pay this host {capTrm} TRM in all.'

/** English. Amounts in TRM; `endsAt` in ISO 8601. Stable codes: the window has sentences for each. */
export const WALLET_STEP_SENTENCES = {
  slashed: 'Stake at least {stakeTrm} TRM: a node that was slashed serves guests only with a stake.',
  'loan-ends': 'The welcome loan ends {endsAt}. Stake at least {stakeTrm} TRM before then.',
  'stake-now': `Stake at least {stakeTrm} TRM. ${CAP}`,
  claim: `Claim the welcome loan: it opens this host to guests for {hours} hours. ${CAP}`,
  'stake-later': `Stake {stakeTrm} TRM as soon as they are earned. ${CAP}`,
  refused: 'Guests are refused: {stakeTrm} TRM must be staked, and {haveTrm} are at hand.',
} as const satisfies Record<WalletStepCode, string>

function nextStep(
  core: EconomyCore,
  eligibility: Eligibility,
  welcomeLoan: Standing['welcomeLoan'],
): Pick<Standing, 'nextStep' | 'next'> {
  const p = core.parameters
  const haveTrm = core.balanceTrm(availableAccount(core.nodeId))
  const expiresAtMs = tableGet(core.state.welcome.loans, core.nodeId)?.expiresAtMs ?? 0
  const code = stepCode(eligibility, welcomeLoan, haveTrm >= BigInt(p.MIN_PROVIDER_STAKE_TRM))
  if (code === null) return { nextStep: null, next: null }
  const params = {
    stakeTrm: String(p.MIN_PROVIDER_STAKE_TRM),
    capTrm: String(p.STAKELESS_EARN_CAP_TRM),
    haveTrm: String(haveTrm > 0n ? haveTrm : 0n),
    hours: p.WELCOME_LOAN_TERM_HOURS,
    endsAt: new Date(expiresAtMs).toISOString(),
  }
  return { nextStep: fillSentence(WALLET_STEP_SENTENCES[code], params), next: { code, params } }
}

function stepCode(
  eligibility: Eligibility,
  welcomeLoan: Standing['welcomeLoan'],
  canStake: boolean,
): WalletStepCode | null {
  switch (eligibility) {
    case 'staked':
      return null
    case 'previously-slashed':
      return 'slashed'
    case 'welcome-loan':
      return 'loan-ends'
    default:
      break
  }
  if (canStake) return 'stake-now'
  if (welcomeLoan === 'available') return 'claim'
  return eligibility === 'bootstrap-window' ? 'stake-later' : 'refused'
}
