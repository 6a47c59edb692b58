import { Download } from 'lucide-react'
import { useEffect } from 'react'
import { StatementPeriod, type WalletStatement } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatMoney, formatTrm, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useStatement } from '../../stores/context.tsx'
import { Button, Card, Select, Stat } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { saveText } from '../save-text.ts'

export function StatementPanel() {
  const { t } = useTranslation('wallet')
  const { period, statement, error, busy, load } = useStatement((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const again = () => void load(period)
  // Whenever the page is opened, and no more often: each statement reads the host's whole journal.
  useEffect(() => {
    if (!offline) void load(period)
  }, [offline, load, period])
  return (
    <Card id="statement" title={t('statement.title')}>
      <p className="muted hint">{t('statement.about')}</p>
      <Select
        label={t('statement.period')}
        options={StatementPeriod.options.map((value) => ({ value, label: t(`statement.periods.${value}`) }))}
        value={period}
        disabled={offline || busy}
        onChange={(value) => void load(value)}
      />
      {statement === null ? (
        <Pending what={t('statement.what')} error={error} onRetry={again} />
      ) : (
        <Sums statement={statement} />
      )}
    </Card>
  )
}

function Sums({ statement }: { statement: WalletStatement }) {
  const { t } = useTranslation('wallet')
  const { startMs, endMs, trades, fromOthersTrm, ownUseTrm, spentTrm, value, json, tradesCsv } = statement
  const name = `statement-${new Date(endMs).toISOString().slice(0, 10)}`
  return (
    <>
      <p className="hint figures">
        {t('statement.range', { from: formatMoment(startMs), to: formatMoment(endMs) })}
      </p>
      <dl className="stats">
        <Stat label={t('statement.fromOthers')}>{formatTrm(fromOthersTrm)}</Stat>
        <Stat label={t('statement.ownUse')}>{formatTrm(ownUseTrm)}</Stat>
        <Stat label={t('statement.spent')}>{formatTrm(spentTrm)}</Stat>
        <Stat label={t('statement.trades')}>{groupDigits(trades)}</Stat>
        {value === null ? null : (
          <Stat label={t('statement.value')}>{formatMoney(value.amount, value.currency)}</Stat>
        )}
      </dl>
      <p className="muted hint">{value === null ? t('statement.noPrice') : t('statement.atYourPrice')}</p>
      <div className="statement__files">
        <Button onClick={() => saveText(json, `${name}.json`, 'application/json')}>
          <Download size={16} aria-hidden="true" />
          {t('statement.json')}
        </Button>
        <Button onClick={() => saveText(tradesCsv, `${name}-trades.csv`, 'text/csv')}>
          <Download size={16} aria-hidden="true" />
          {t('statement.csv')}
        </Button>
      </div>
    </>
  )
}
