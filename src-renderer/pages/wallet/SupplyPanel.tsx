import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatTrm, groupDigits } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { Card, Share, Stat } from '../../widgets/index.ts'
import { ratePerHour, ratePerYear } from './words.ts'

export function SupplyPanel({ supply }: { supply: WalletView['supply'] }) {
  const { t } = useTranslation('wallet')
  const { capTrm, mintedTrm, epoch, yieldRatePerHour, feeActive } = supply
  // A width, not an amount.
  const share = Number((BigInt(mintedTrm) * 1000n) / BigInt(capTrm === '0' ? '1' : capTrm))
  return (
    <Card id="supply" title={t('supply.title')}>
      <div className="supply__minted figures">
        <p>
          <Trans
            t={t}
            i18nKey="supply.minted"
            values={{ amount: formatTrm(mintedTrm), cap: formatTrm(capTrm) }}
            components={{ b: <strong />, small: <span className="muted" /> }}
          />
        </p>
        <Share of={share} total={1000} />
      </div>
      <dl className="stats">
        <Stat label={t('supply.epoch')}>{groupDigits(epoch)}</Stat>
        <Stat label={t('supply.yield')}>
          {ratePerHour(yieldRatePerHour)}
          <span className="stat__note">{t('simple', { rate: ratePerYear(yieldRatePerHour) })}</span>
        </Stat>
        <Stat label={t('supply.fee')}>{feeActive ? t('supply.feeOn') : t('supply.feeOff')}</Stat>
      </dl>
      <p className="muted hint">{feeActive ? t('supply.feePart') : t('supply.feeBegins')}</p>
    </Card>
  )
}
