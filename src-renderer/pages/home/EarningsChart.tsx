import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts'
import type { Earnings } from '../../../src-preload/contract/index.ts'
import { formatBucket, formatCompact, formatTrm } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'

type Bucket = Earnings['buckets'][number]

export function EarningsChart({ earnings, name }: { earnings: Earnings; name: string }) {
  const { buckets, bucketMs } = earnings
  return (
    <figure className="chart" aria-label={name}>
      <ResponsiveContainer width="100%" height="100%">
        <BarChart
          data={buckets}
          margin={{ top: 8, right: 0, bottom: 0, left: 0 }}
          barCategoryGap="18%"
          aria-label={name}
        >
          <CartesianGrid vertical={false} stroke="var(--line)" strokeDasharray="2 4" />
          <XAxis
            dataKey="startMs"
            tickFormatter={(startMs: number) => formatBucket(startMs, bucketMs)}
            tick={{ fill: 'var(--text-muted)', fontSize: 11 }}
            tickLine={false}
            axisLine={{ stroke: 'var(--line)' }}
            minTickGap={32}
          />
          <YAxis
            // The bars need no more precision than the screen has; every figure in words stays exact.
            tickFormatter={(trm: number) => formatCompact(Math.floor(trm))}
            tick={{ fill: 'var(--text-muted)', fontSize: 11 }}
            tickLine={false}
            axisLine={false}
            allowDecimals={false}
            width={44}
          />
          <Tooltip
            isAnimationActive={false}
            cursor={{ fill: 'var(--line)', opacity: 0.5 }}
            content={({ active, payload }) => {
              const bucket: Bucket | undefined = active ? payload[0]?.payload : undefined
              return bucket === undefined ? null : <BucketTooltip bucket={bucket} bucketMs={bucketMs} />
            }}
          />
          <Bar
            stackId="trm"
            dataKey={(bucket: Bucket) => Number(bucket.amountTrm) - Number(bucket.ownKeysTrm)}
            fill="var(--earning)"
            maxBarSize={36}
            isAnimationActive={false}
          />
          <Bar
            stackId="trm"
            dataKey={(bucket: Bucket) => Number(bucket.ownKeysTrm)}
            fill="var(--own)"
            maxBarSize={36}
            isAnimationActive={false}
          />
        </BarChart>
      </ResponsiveContainer>
    </figure>
  )
}

function BucketTooltip({ bucket, bucketMs }: { bucket: Bucket; bucketMs: number }) {
  const { t } = useTranslation(['home', 'common'])
  return (
    <div className="chart__tooltip figures">
      <span className="muted">
        {formatBucket(bucket.startMs, bucketMs)} – {formatBucket(bucket.startMs + bucketMs, bucketMs)}
      </span>
      <strong>{formatTrm(bucket.amountTrm)}</strong>
      <span>{t('common:trades', { count: bucket.trades })}</span>
      {bucket.ownKeysTrm === '0' ? null : (
        <span>{t('chart.ownShort', { amount: formatTrm(bucket.ownKeysTrm) })}</span>
      )}
    </div>
  )
}
