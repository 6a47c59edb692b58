import { Layers } from 'lucide-react'
import { useState } from 'react'
import { DepthEffort, type DepthMap } from '../../../src-preload/contract/index.ts'
import { formatNumber, formatPercent } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useDepth } from '../../stores/context.tsx'
import { type DepthRange, depthRanges } from '../../stores/depth.ts'
import { Card, EmptyState, ErrorState, Segmented, Select, Stat } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { DepthHeatmap } from './DepthHeatmap.tsx'
import { DepthTable } from './DepthTable.tsx'

type Show = 'computing' | 'sureness' | 'table'

/** How deep the recursive model thought: over time and supervision step. */
export function DepthPanel() {
  const { t } = useTranslation('activity')
  const { map, choice, loading, loadError, load, choose } = useDepth((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const [show, setShow] = useState<Show>('computing')
  const ranges = Object.keys(depthRanges) as DepthRange[]
  return (
    <Card
      id="depth"
      title={t('depth.title')}
      aside={
        <Segmented
          label={t('depth.range')}
          options={ranges.map((range) => ({ value: range, content: t(`ranges.${range}`) }))}
          value={choice.range}
          onChange={(range) => void choose({ range })}
        />
      }
    >
      <p className="muted hint">{t('depth.lead')}</p>
      {map === null ? (
        <Pending what={t('depth.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <div className="depth__filters">
            <Segmented
              label={t('depth.show')}
              options={(['computing', 'sureness', 'table'] as const).map((value) => ({
                value,
                content: t(`depth.shows.${value}`),
              }))}
              value={show}
              onChange={setShow}
            />
            <Select
              label={t('depth.level')}
              options={(['all', 'reflex', 'council'] as const).map((value) => ({
                value,
                label: t(`depth.levels.${value}`),
              }))}
              value={choice.level ?? 'all'}
              onChange={(level) => void choose({ level: level === 'all' ? null : level })}
            />
            <Select
              label={t('depth.effort')}
              options={(['all', ...DepthEffort.options] as const).map((value) => ({
                value,
                label: t(`depth.efforts.${value}`),
              }))}
              value={choice.effort ?? 'all'}
              onChange={(effort) => void choose({ effort: effort === 'all' ? null : effort })}
            />
          </div>
          <div className="depth__view" data-loading={loading}>
            {map.totals.thoughts === 0 ? (
              <EmptyState icon={Layers} title={t('depth.none')}>
                {t('depth.noneText')}
              </EmptyState>
            ) : show === 'table' ? (
              <DepthTable map={map} />
            ) : (
              <DepthHeatmap map={map} show={show} />
            )}
          </div>
          <Totals totals={map.totals} />
        </>
      )}
    </Card>
  )
}

function Totals({ totals }: { totals: DepthMap['totals'] }) {
  const { t } = useTranslation('activity')
  const { thoughts, meanSteps, halted, council, right, wrong, answers } = totals
  const part = (count: number) => (thoughts === 0 ? '–' : formatPercent(count / thoughts))
  return (
    <dl className="depth__totals figures">
      <Stat label={t('depth.thoughts')}>{formatNumber(thoughts)}</Stat>
      <Stat label={t('depth.meanSteps')}>
        {meanSteps === null ? '–' : formatNumber(Math.round(meanSteps * 10) / 10)}
      </Stat>
      <Stat label={t('depth.halted')}>{part(halted)}</Stat>
      <Stat label={t('depth.council')}>{part(council)}</Stat>
      <Stat label={t('depth.right')}>
        {right + wrong === 0 ? '–' : `${formatNumber(right)} / ${formatNumber(right + wrong)}`}
      </Stat>
      <Stat label={t('depth.answers')}>{formatNumber(answers)}</Stat>
    </dl>
  )
}
