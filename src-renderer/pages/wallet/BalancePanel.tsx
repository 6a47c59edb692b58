import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatTrm, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { Card, Share, Stat } from '../../widgets/index.ts'
import { formatScore } from './words.ts'

/** More of them do not fit into one line of the largest type. */
const FIGURE_DIGITS = 12

export function BalancePanel({ view }: { view: WalletView }) {
  const { t } = useTranslation('wallet')
  const { availableTrm, income, stake, pool, reputation } = view
  const owes = BigInt(availableTrm) < 0n
  return (
    <Card id="balance" title={t('balance.title')}>
      <p className="balance__figure figures" data-long={availableTrm.length > FIGURE_DIGITS}>
        {groupDigits(availableTrm)} <span>{owes ? t('balance.owed') : t('balance.available')}</span>
      </p>
      <p className="muted balance__note">{owes ? t('balance.owes') : t('balance.free')}</p>
      <dl className="stats">
        <Stat label={t('balance.staked')}>{formatTrm(stake.stakedTrm)}</Stat>
        <Stat label={t('balance.inPool')}>{formatTrm(pool.yourDepositTrm)}</Stat>
        <Stat label={t('balance.reputation')}>{formatScore(reputation)}</Stat>
      </dl>
      <Income income={income} />
    </Card>
  )
}

function Income({ income: { fromOthersTrm, onCreditTrm, ownUseTrm } }: Pick<WalletView, 'income'>) {
  const { t } = useTranslation('wallet')
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
        <li className="income__others">{t('balance.byOthers', { amount: formatTrm(fromOthersTrm) })}</li>
        {onCreditTrm === '0' ? null : (
          <li className="income__credit">{t('balance.onCredit', { amount: formatTrm(onCreditTrm) })}</li>
        )}
        <li className="income__own">{t('balance.byOwn', { amount: formatTrm(ownUseTrm) })}</li>
      </ul>
    </div>
  )
}
