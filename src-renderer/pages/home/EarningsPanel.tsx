import { Coffee } from 'lucide-react'
import { lazy, Suspense } from 'react'
import type { Earnings, EarningsRange } from '../../../src-preload/contract/index.ts'
import { formatTrm, groupDigits, plural } from '../../format/index.ts'
import { useEarnings, useStatus } from '../../stores/context.tsx'
import { Card, EmptyState, ErrorState, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'

const ranges: readonly { value: EarningsRange; content: string }[] = [
  { value: '24h', content: '24 h' },
  { value: '7d', content: '7 d' },
  { value: '30d', content: '30 d' },
]
const rangeNames = { '24h': 'the last 24 hours', '7d': 'the last 7 days', '30d': 'the last 30 days' } as const

/** The library that draws is more than half of the window's code; the rest is not kept waiting for it. */
const EarningsChart = lazy(() =>
  import('./EarningsChart.tsx').then(
    ({ EarningsChart }) => ({ default: EarningsChart }),
    () => ({ default: ChartMissing }),
  ),
)

function ChartMissing() {
  return <p className="muted">The chart could not be loaded. Load the window again to see it.</p>
}

export function EarningsPanel() {
  const { range, earnings, loading, loadError, load, selectRange } = useEarnings((state) => state)
  return (
    <Card
      id="earnings"
      title="Earnings"
      aside={
        <Segmented label="Range" options={ranges} value={range} onChange={(next) => void selectRange(next)} />
      }
    >
      {earnings === null ? (
        <Pending what="earnings" error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null ? null : <ErrorState error={loadError} onRetry={() => void load()} />}
          <Totals earnings={earnings} />
          <div className="earnings__range" data-loading={loading && earnings.range !== range}>
            <Range earnings={earnings} />
          </div>
        </>
      )}
      <p className="earnings__note">
        TRM is compute accounting (1 TRM = 10<sup>9</sup> FLOP of work done), not money.
      </p>
    </Card>
  )
}

function Totals({ earnings }: { earnings: Earnings }) {
  const total = BigInt(earnings.allTimeTrm)
  const own = BigInt(earnings.allTimeOwnKeysTrm)
  const ownShare = total > 0n ? Number((own * 1000n) / total) / 10 : 0
  return (
    <div className="totals">
      <p className="totals__figure figures">
        {groupDigits(earnings.allTimeTrm)} <span>TRM booked so far</span>
      </p>
      {total > 0n ? (
        <>
          <div className="totals__split" aria-hidden="true">
            <span style={{ width: `${ownShare}%` }} />
          </div>
          <p className="totals__legend figures">
            <span className="totals__others">{formatTrm((total - own).toString())} paid by others</span>
            <span className="totals__own">
              {formatTrm(earnings.allTimeOwnKeysTrm)} paid by your own keys: use, not income
            </span>
            {earnings.allTimeOnCreditTrm === '0' ? null : (
              <span className="totals__credit">
                {formatTrm(earnings.allTimeOnCreditTrm)} of what others paid stands on the credit you gave
                them
              </span>
            )}
          </p>
        </>
      ) : null}
    </div>
  )
}

function Range({ earnings }: { earnings: Earnings }) {
  const apiBaseUrl = useStatus((state) => state.status?.apiBaseUrl)
  if (earnings.allTimeTrm === '0' && earnings.rangeTrades === 0) {
    return (
      <EmptyState icon={Coffee} title="No trades yet">
        Ask the model something here, or point an OpenAI client at{' '}
        <code>{apiBaseUrl ?? 'the address below'}</code>.
      </EmptyState>
    )
  }
  return (
    <>
      <p className="earnings__caption figures">
        <strong>{formatTrm(earnings.rangeTrm)}</strong> from {plural(earnings.rangeTrades, 'trade')} in{' '}
        {rangeNames[earnings.range]}
      </p>
      <Suspense fallback={<div className="chart" />}>
        <EarningsChart earnings={earnings} name={`Earnings in ${rangeNames[earnings.range]}`} />
      </Suspense>
    </>
  )
}
