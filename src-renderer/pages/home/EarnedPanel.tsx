import type { MoneyView, MoneyWindow } from '../../../src-preload/contract/index.ts'
import { formatClock, formatMoney, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useMoney } from '../../stores/context.tsx'
import { Card, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { EarningsHistory } from './EarningsHistory.tsx'

const shown = ['hour', 'tonight', '7d', '30d'] as const
type ShownWindow = (typeof shown)[number]

/** What others paid: in the last hour, tonight, in a week and in a month; and how it came over time. */
export function EarnedPanel() {
  const { t } = useTranslation(['home', 'common'])
  const { view, loadError, load } = useMoney((state) => state)
  return (
    <Card id="earnings" title={t('money.title')}>
      {view === null ? (
        <Pending what={t('money.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null ? null : <ErrorState error={loadError} onRetry={() => void load()} />}
          <Earned view={view} />
        </>
      )}
      <EarningsHistory />
      <p className="earnings__note">{t('common:trmNote')}</p>
    </Card>
  )
}

export function Earned({ view }: { view: MoneyView }) {
  return (
    <>
      <Windows view={view} />
      <Power power={view.power} />
    </>
  )
}

function Windows({ view }: { view: MoneyView }) {
  return (
    <dl className="windows">
      {shown.map((name) => {
        const window = view.windows.find((candidate) => candidate.name === name)
        return window === undefined ? null : (
          <Window key={name} name={name} window={window} currency={view.currency} />
        )
      })}
    </dl>
  )
}

function Window({ name, window, currency }: { name: ShownWindow; window: MoneyWindow; currency: string }) {
  const { t } = useTranslation('home')
  return (
    <div className="window" data-name={name}>
      <dt>
        {t(`money.${name}`)}
        {name === 'tonight' ? (
          <span className="window__since">{t('money.since', { time: formatClock(window.fromMs) })}</span>
        ) : null}
      </dt>
      <dd className="window__trm figures">
        {groupDigits(window.earnedTrm)} <span>TRM</span>
      </dd>
      <Net window={window} currency={currency} />
      <dd className="window__jobs figures">{t('money.jobs', { count: window.jobs })}</dd>
    </div>
  )
}

/** Net of electricity where both sides are known; otherwise what is known, and what is lacking. */
function Net({ window, currency }: { window: MoneyWindow; currency: string }) {
  const { t } = useTranslation('home')
  const { net, value, energy } = window
  if (net.missing === null) {
    const amount = formatMoney(net.amount, currency)
    return (
      <dd className="window__net figures">
        <span data-sign={net.amount < 0 ? 'loss' : 'gain'}>
          {energy.unknownJobs > 0 ? t('money.netAtMost', { amount }) : t('money.net', { amount })}
        </span>
      </dd>
    )
  }
  if (value.missing !== null) return <dd className="window__net">{t(`missing.${net.missing}`)}</dd>
  return (
    <>
      <dd className="window__net figures">
        {t('money.worth', { amount: formatMoney(value.amount, currency) })}
      </dd>
      <dd className="window__lacks">{t('money.noElectricity')}</dd>
    </>
  )
}

function Power({ power }: { power: MoneyView['power'] }) {
  const { t } = useTranslation('home')
  if (power.label === 'idle') return null
  const watts = power.watts === null ? '' : groupDigits(Math.round(power.watts))
  return <p className="windows__power figures">{t(`money.power.${power.label}`, { watts })}</p>
}
