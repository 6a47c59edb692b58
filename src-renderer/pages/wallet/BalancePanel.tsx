import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatTrm, groupDigits } from '../../format/index.ts'
import { Card, Share, Stat } from '../../widgets/index.ts'
import { formatScore } from './words.ts'

/** More of them do not fit into one line of the largest type. */
const FIGURE_DIGITS = 12

export function BalancePanel({ view }: { view: WalletView }) {
  const { availableTrm, income, stake, pool, reputation } = view
  const owes = BigInt(availableTrm) < 0n
  return (
    <Card id="balance" title="Balance">
      <p className="balance__figure figures" data-long={availableTrm.length > FIGURE_DIGITS}>
        {groupDigits(availableTrm)} <span>TRM {owes ? 'owed' : 'available'}</span>
      </p>
      <p className="muted balance__note">
        {owes
          ? 'This node has spent more than it earned: the rest stands on its welcome loan.'
          : 'Free to stake, to lend or to spend. What you paid yourself is not in it.'}
      </p>
      <dl className="wallet__stats">
        <Stat label="Staked">{formatTrm(stake.stakedTrm)}</Stat>
        <Stat label="In the pool">{formatTrm(pool.yourDepositTrm)}</Stat>
        <Stat label="Reputation">{formatScore(reputation)}</Stat>
      </dl>
      <Income income={income} />
    </Card>
  )
}

function Income({ income: { fromOthersTrm, onCreditTrm, ownUseTrm } }: Pick<WalletView, 'income'>) {
  const total = BigInt(fromOthersTrm) + BigInt(ownUseTrm)
  // A width, not an amount.
  const othersShare = total > 0n ? Number((BigInt(fromOthersTrm) * 1000n) / total) : 0
  return (
    <div className="income">
      {total === 0n ? null : (
        <span className="income__bar">
          <Share of={othersShare} total={1000} />
        </span>
      )}
      <ul className="income__legend figures">
        <li className="income__others">{formatTrm(fromOthersTrm)} paid by others</li>
        {onCreditTrm === '0' ? null : (
          <li className="income__credit">
            {formatTrm(onCreditTrm)} of it stands on the credit you gave them: nobody else backs it yet
          </li>
        )}
        <li className="income__own">{formatTrm(ownUseTrm)} paid by your own keys: use, not income</li>
      </ul>
    </div>
  )
}
