import type { WalletView, walletProcedures } from '../../src-preload/contract/index.ts'
import { stakeOffer } from '../economy/index.ts'
import type { EconomyService } from './economy-service.ts'
import type { Handlers } from './handlers.ts'

/** Whoever has the window sits at this machine: one network of origin. */
const WINDOW_BUCKET = 'local'
const STAKE_DAYS = [7, 30, 90, 365] as const

/** The wallet of the host's own node, for the window. */
export function walletHandlers(
  economy: EconomyService,
  nodeId: string,
): Pick<Handlers, Exclude<keyof typeof walletProcedures, 'wallet.statement'>> {
  const { staking, lending } = economy
  const after =
    <Input>(action: (input: Input) => Promise<unknown>) =>
    async (input: Input) => {
      await action(input)
      return walletView(economy, nodeId)
    }
  return {
    'wallet.get': async () => walletView(economy, nodeId),
    'wallet.stake': after(({ amountTrm, days }) => {
      const command = { node: nodeId, days }
      const { stake } = staking.view(nodeId)
      return stake
        ? staking.extend({ ...command, addTrm: BigInt(amountTrm) })
        : staking.stake({ ...command, amountTrm: BigInt(amountTrm) })
    }),
    'wallet.unstake': after(() => staking.unstake(nodeId)),
    'wallet.claimWelcome': after(() => staking.claimWelcome(nodeId, WINDOW_BUCKET)),
    'wallet.refer': after(({ nodeId: referred }) => staking.refer(referred)),
    'wallet.deposit': after(({ amountTrm }) => {
      const { maxTermHours, minRatePerHour } = lending.pool()
      return lending.deposit({ amountTrm: BigInt(amountTrm), maxTermHours, minRatePerHour })
    }),
    'wallet.withdraw': after(({ amountTrm }) => lending.withdraw(BigInt(amountTrm))),
    'wallet.borrow': after(({ amountTrm, termHours, collateralTrm }) =>
      lending.borrow({ amountTrm: BigInt(amountTrm), termHours, collateralTrm: BigInt(collateralTrm) }),
    ),
    'wallet.repay': after(({ loanId }) => lending.repay(loanId)),
  }
}

function walletView(economy: EconomyService, nodeId: string): WalletView {
  const income = economy.income()
  const supply = economy.staking.supply()
  const pool = economy.lending.pool()
  return {
    availableTrm: String(economy.availableTrm()),
    income: {
      fromOthersTrm: String(income.fromOthersTrm),
      onCreditTrm: String(income.onCreditTrm),
      ownUseTrm: String(income.ownUseTrm),
    },
    ...economy.standing(),
    stake: stakeView(economy, nodeId),
    pool: {
      totalTrm: String(pool.totalTrm),
      availableTrm: String(pool.availableTrm),
      yourDepositTrm: String(pool.contributionTrm),
      maxBorrowTrm: String(pool.maxBorrowTrm),
      offeredRatePerHour: pool.offeredRatePerHour,
      creditScore: economy.lending.credit().score,
    },
    loans: economy.lending
      .loans()
      .filter(({ loan }) => loan.borrower === nodeId)
      .map(({ loanId, loan: { principalTrm, collateralTrm, dueAtMs } }) => {
        return { loanId, principalTrm: String(principalTrm), collateralTrm: String(collateralTrm), dueAtMs }
      }),
    referrals: economy.staking.referrals().map(({ referred, referral }) => ({
      referred,
      earnedEnough: referral.thresholdMet,
      repaid: referral.loanRepaid,
      bonusTrm: referral.bonusTrm === null ? null : String(referral.bonusTrm),
    })),
    supply: {
      capTrm: String(supply.capTrm),
      mintedTrm: String(supply.mintedTrm),
      epoch: supply.epoch,
      yieldRatePerHour: supply.yieldRatePerHour,
      feeActive: supply.feeActive,
    },
    reputation: economy.reputation.of(nodeId),
  }
}

function stakeView(economy: EconomyService, nodeId: string): WalletView['stake'] {
  const parameters = economy.parameters()
  const { stakedTrm, stake, locked, multiplier } = economy.staking.view(nodeId)
  return {
    stakedTrm: String(stakedTrm),
    multiplier,
    locked,
    unlocksAtMs: stake?.unlocksAtMs ?? null,
    minimumTrm: String(parameters.MIN_PROVIDER_STAKE_TRM),
    terms: STAKE_DAYS.map((days) => {
      const { minimumTrm, multiplier: onYield } = stakeOffer(days, parameters)
      return { days, multiplier: onYield, minimumTrm: String(minimumTrm) }
    }),
  }
}
