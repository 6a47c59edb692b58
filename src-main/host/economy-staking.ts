import {
  assertNotKilled,
  decideExtendStake,
  decideReferralProgress,
  decideSponsor,
  decideStake,
  decideUnstake,
  decideWelcome,
  type EventOf,
  feeActive,
  halvingEpoch,
  mintedTrm,
  type Referral,
  referralsOf,
  type Stake,
  type StakeDays,
  stakedAccount,
  stakeMultiplier,
  stakeOf,
  supplyFactor,
  tableEntries,
  tableGet,
  yieldRatePerHour,
} from '../economy/index.ts'
import type { EconomyCore } from './economy-core.ts'
import { newcomerFacts } from './economy-standing.ts'

export interface StakeView {
  stakedTrm: bigint
  /** Null when there is no stake. */
  stake: Stake | null
  locked: boolean
  /** In effect now: 1 once the stake has expired or was slashed below its minimum. */
  multiplier: number
}

export interface SupplyView {
  capTrm: bigint
  mintedTrm: bigint
  /** Share of the cap that is still to come. */
  supplyFactor: number
  epoch: number
  yieldRatePerHour: number
  /** The transaction fee is charged (spec section 3.1). */
  feeActive: boolean
  /** Its rate, in force or not. */
  feeRate: number
  /** Staked by all nodes now. */
  stakedTrm: bigint
  /** Minted to sponsors, ever. */
  referralBonusTrm: bigint
}

/** Staking, referrals, welcome loans and supply (spec sections 2.12, 3.1 to 3.3). */
export interface Staking {
  view(node: string): StakeView
  stake(command: { node: string; amountTrm: bigint; days: StakeDays }): Promise<EventOf<'stake.opened'>>
  extend(command: { node: string; addTrm: bigint; days: StakeDays }): Promise<EventOf<'stake.extended'>>
  unstake(node: string): Promise<EventOf<'stake.closed'>>
  /** This host's node vouches for a newcomer. */
  refer(referred: string): Promise<EventOf<'referral.sponsored'>>
  referrals(): { referred: string; referral: Referral }[]
  /** @param bucket network of origin as this host sees it */
  claimWelcome(node: string, bucket: string): Promise<EventOf<'welcome.granted'>>
  supply(): SupplyView
}

export function createStaking(core: EconomyCore): Staking {
  const open = () => assertNotKilled(core.ports.safety())
  return {
    view: (node) => {
      const context = core.context()
      const { staking } = core.state
      return {
        stakedTrm: core.balanceTrm(stakedAccount(node)),
        stake: stakeOf(staking, node),
        locked: context.nowMs < (stakeOf(staking, node)?.unlocksAtMs ?? 0),
        multiplier: stakeMultiplier(staking, node, context),
      }
    },
    stake: async (command) => {
      open()
      return core.post(decideStake(core.state.staking, command, core.context()))
    },
    extend: async (command) => {
      open()
      return core.post(decideExtendStake(core.state.staking, command, core.context()))
    },
    unstake: async (node) => {
      open()
      return core.post(decideUnstake(core.state.staking, { node }, core.context()))
    },
    refer: async (referred) => {
      const sponsored = { sponsor: core.nodeId, referred }
      const referredContributedTrm = core.trades.earnedTrm(referred)
      const command = { ...sponsored, referredContributedTrm }
      return core.post(decideSponsor(core.state.referral, command, core.context()))
    },
    referrals: () => referralsOf(core.state.referral, core.nodeId),
    claimWelcome: async (node, bucket) => {
      open()
      const command = { ...newcomerFacts(core, node), bucket }
      return core.post(decideWelcome(core.state.welcome, command, core.context()))
    },
    supply: () => supplyView(core),
  }
}

function supplyView(core: EconomyCore): SupplyView {
  const p = core.parameters
  const minted = mintedTrm(core.context())
  const epoch = halvingEpoch(minted, p)
  return {
    capTrm: p.TOTAL_TRM_SUPPLY,
    mintedTrm: minted,
    supplyFactor: supplyFactor(minted, p),
    epoch,
    yieldRatePerHour: yieldRatePerHour(epoch, p),
    feeActive: feeActive(minted, p),
    feeRate: p.FEE_RATE,
    stakedTrm: sumTrm(tableEntries(core.state.staking.stakes), ([node]) =>
      core.balanceTrm(stakedAccount(node)),
    ),
    referralBonusTrm: sumTrm(
      tableEntries(core.state.referral.referrals),
      ([, { bonusTrm }]) => bonusTrm ?? 0n,
    ),
  }
}

function sumTrm<Item>(items: readonly Item[], amountOf: (item: Item) => bigint): bigint {
  return items.reduce((sum, item) => sum + amountOf(item), 0n)
}

/** What a node's referral has reached by now; pays the sponsor when both conditions hold (spec section 3.3). */
export function decideProgressOf(core: EconomyCore, referred: string, nowMs: number) {
  const loanRepaid = tableGet(core.state.welcome.loans, referred)?.status === 'repaid'
  const command = { referred, loanRepaid, contributedTrm: core.trades.earnedTrm(referred) }
  return decideReferralProgress(core.state.referral, command, core.context(nowMs))
}
