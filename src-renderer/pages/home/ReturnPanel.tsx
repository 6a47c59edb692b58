import { useState } from 'react'
import type { MoneyMissing, MoneyView } from '../../../src-preload/contract/index.ts'
import { formatNumber } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useMoney } from '../../stores/context.tsx'
import { Badge, Button, Card, PageLink } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { PricesDialog } from './PricesDialog.tsx'
import { Thermometer } from './Thermometer.tsx'

const energyTones = { measured: 'earning', declared: 'plain', mixed: 'plain', unknown: 'warn' } as const

/** Net return on electricity against its target, or what it takes to know it. */
export function ReturnPanel() {
  const { t } = useTranslation('home')
  const { view, loadError, load } = useMoney((state) => state)
  return (
    <Card
      id="return"
      title={t('roi.title')}
      aside={
        view === null ? null : (
          <Badge tone={energyTones[view.thermometer.energy]}>
            {t(`roi.energy.${view.thermometer.energy}`)}
          </Badge>
        )
      }
    >
      {view === null ? (
        <Pending what={t('roi.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <Return view={view} />
      )}
    </Card>
  )
}

export function Return({ view }: { view: MoneyView }) {
  const { t } = useTranslation('home')
  const [editing, setEditing] = useState(false)
  const { thermometer, currency } = view
  const { now } = thermometer
  const unpriced = view.perTrm === null || view.perKwh === null
  return (
    <>
      <div className="return">
        <Thermometer reading={thermometer} />
        <div className="return__words">
          <p className="return__now figures" data-known={now.missing === null}>
            {now.missing === null ? signed(now.amount) : t('roi.none')}
          </p>
          {now.missing === null ? (
            <p className="return__unit">{t('roi.unit', { currency })}</p>
          ) : (
            <Help missing={now.missing} />
          )}
          <Samples view={view} />
          <dl className="return__marks figures">
            <div data-mark="target">
              <dt>{t('roi.target')}</dt>
              <dd>{signed(thermometer.target)}</dd>
            </div>
            <div data-mark="band">
              <dt>{t('roi.band')}</dt>
              <dd>
                {t('roi.bandRange', { low: signed(thermometer.bandLow), high: signed(thermometer.bandHigh) })}
              </dd>
            </div>
            <div data-mark="floor">
              <dt>{t('roi.floor')}</dt>
              <dd>{signed(thermometer.floor)}</dd>
            </div>
          </dl>
        </div>
      </div>
      {now.missing === null ? <p className="return__verdict">{t(`roi.verdict.${verdictOf(view)}`)}</p> : null}
      <Button
        className="return__prices"
        look={unpriced ? 'accent' : 'quiet'}
        onClick={() => setEditing(true)}
      >
        {unpriced ? t('roi.setPrices') : t('roi.changePrices')}
      </Button>
      {editing ? <PricesDialog view={view} onClose={() => setEditing(false)} /> : null}
    </>
  )
}

function Samples({ view: { thermometer } }: { view: MoneyView }) {
  const { t } = useTranslation('home')
  const { samples, needed, now } = thermometer
  if (now.missing !== null && now.missing !== 'few-jobs') return null
  return (
    <p className="return__unit figures">
      {samples < needed ? t('roi.waits', { count: needed, samples }) : t('roi.jobs', { count: samples })}
    </p>
  )
}

function Help({ missing }: { missing: MoneyMissing }) {
  const { t } = useTranslation('home')
  return (
    <p className="return__unit">
      <Trans t={t} i18nKey={`roi.help.${missing}`} components={{ models: <PageLink to="#/models" /> }} />
    </p>
  )
}

/** `+1.34`: a return is a gain or a loss. */
const signed = (roi: number): string =>
  formatNumber(roi, { signDisplay: 'exceptZero', maximumFractionDigits: 2 })

function verdictOf({ thermometer: { now, floor, bandLow, bandHigh } }: MoneyView) {
  const roi = now.amount ?? 0
  if (roi < floor) return 'floor'
  if (roi < bandLow) return 'below'
  return roi > bandHigh ? 'above' : 'within'
}
