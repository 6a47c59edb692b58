import { Coffee } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { type Earnings, EarningsRange } from '../../../src-preload/contract/index.ts'
import { formatTrm, groupDigits } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useEarnings, useStatus } from '../../stores/context.tsx'
import { EmptyState, ErrorState, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'

/** The library that draws is more than half of the window's code; the rest is not kept waiting for it. */
const EarningsChart = lazy(() =>
  import('./EarningsChart.tsx').then(
    ({ EarningsChart }) => ({ default: EarningsChart }),
    () => ({ default: ChartMissing }),
  ),
)

function ChartMissing() {
  const { t } = useTranslation('home')
  return <p className="muted">{t('chart.lost')}</p>
}

export function EarningsHistory() {
  const { t } = useTranslation('home')
  const { range, earnings, loading, loadError, load, selectRange } = useEarnings((state) => state)
  const ranges = EarningsRange.options.map((value) => ({ value, content: t(`chart.${value}`) }))
  return (
    <section className="history" aria-label={t('chart.title')}>
      <header className="history__head">
        <h3>{t('chart.title')}</h3>
        <Segmented
          label={t('chart.range')}
          options={ranges}
          value={range}
          onChange={(next) => void selectRange(next)}
        />
      </header>
      {earnings === null ? (
        <Pending what={t('chart.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null ? null : <ErrorState error={loadError} onRetry={() => void load()} />}
          <div className="earnings__range" data-loading={loading && earnings.range !== range}>
            <Range earnings={earnings} />
          </div>
          <Totals earnings={earnings} />
        </>
      )}
    </section>
  )
}

function Range({ earnings }: { earnings: Earnings }) {
  const { t } = useTranslation('home')
  const apiBaseUrl = useStatus((state) => state.status?.apiBaseUrl)
  if (earnings.allTimeTrm === '0' && earnings.rangeTrades === 0) {
    return (
      <EmptyState icon={Coffee} title={t('chart.empty.title')}>
        {t('chart.empty.text', { address: apiBaseUrl ?? '…' })}
      </EmptyState>
    )
  }
  const range = t(`chart.ranges.${earnings.range}`)
  return (
    <>
      <p className="earnings__caption figures">
        <Trans
          t={t}
          i18nKey="chart.caption"
          count={earnings.rangeTrades}
          values={{ amount: formatTrm(earnings.rangeTrm), range }}
          components={{ b: <strong /> }}
        />
      </p>
      <Suspense fallback={<div className="chart" />}>
        <EarningsChart earnings={earnings} name={t('chart.name', { range })} />
      </Suspense>
    </>
  )
}

function Totals({ earnings }: { earnings: Earnings }) {
  const { t } = useTranslation('home')
  const total = BigInt(earnings.allTimeTrm)
  if (total === 0n) return null
  const own = BigInt(earnings.allTimeOwnKeysTrm)
  const ownShare = Number((own * 1000n) / total) / 10
  return (
    <div className="totals">
      <p className="totals__figure figures">
        {groupDigits(earnings.allTimeTrm)} <span>{t('chart.booked')}</span>
      </p>
      <div className="totals__split" aria-hidden="true">
        <span style={{ width: `${ownShare}%` }} />
      </div>
      <p className="totals__legend figures">
        <span className="totals__others">
          {t('chart.byOthers', { amount: formatTrm((total - own).toString()) })}
        </span>
        <span className="totals__own">
          {t('chart.byOwn', { amount: formatTrm(earnings.allTimeOwnKeysTrm) })}
        </span>
        {earnings.allTimeOnCreditTrm === '0' ? null : (
          <span className="totals__credit">
            {t('chart.onCredit', { amount: formatTrm(earnings.allTimeOnCreditTrm) })}
          </span>
        )}
      </p>
    </div>
  )
}
