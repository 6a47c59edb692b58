import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatTrm, groupDigits } from '../../format/index.ts'
import { Card, Share, Stat } from '../../widgets/index.ts'
import { ratePerHour, ratePerYear } from './words.ts'

export function SupplyPanel({ supply }: { supply: WalletView['supply'] }) {
  const { capTrm, mintedTrm, epoch, yieldRatePerHour, feeActive } = supply
  // A width, not an amount.
  const share = Number((BigInt(mintedTrm) * 1000n) / BigInt(capTrm === '0' ? '1' : capTrm))
  return (
    <Card id="supply" title="Supply">
      <div className="supply__minted figures">
        <p>
          <strong>{formatTrm(mintedTrm)}</strong> minted as this host’s ledger knows it
          <span className="muted"> of at most {formatTrm(capTrm)}</span>
        </p>
        <Share of={share} total={1000} />
      </div>
      <dl className="wallet__stats">
        <Stat label="Epoch">{groupDigits(epoch)}</Stat>
        <Stat label="Yield rate">
          {ratePerHour(yieldRatePerHour)}
          <span className="wallet__per-year">{ratePerYear(yieldRatePerHour)}, simple</span>
        </Stat>
        <Stat label="Transaction fee">{feeActive ? 'In force' : 'None yet'}</Stat>
      </dl>
      <p className="muted wallet__hint">
        {feeActive
          ? 'The fee is part of the price of a job.'
          : 'The fee begins when nine tenths of the supply exist.'}{' '}
        Trades mint nothing: they move TRM.
      </p>
    </Card>
  )
}
