import { useEffect } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useWallet } from '../../stores/context.tsx'
import { Card, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { BalancePanel } from './BalancePanel.tsx'
import { NextStepPanel } from './NextStepPanel.tsx'
import { PoolPanel } from './PoolPanel.tsx'
import { ReferralsPanel } from './ReferralsPanel.tsx'
import { StakePanel } from './StakePanel.tsx'
import { StatementPanel } from './StatementPanel.tsx'
import { SupplyPanel } from './SupplyPanel.tsx'
import './wallet.css'

export function WalletPage() {
  const { t } = useTranslation('wallet')
  const view = useWallet((state) => state.view)
  const loadError = useWallet((state) => state.loadError)
  const load = useWallet((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) return readNowAndThen(() => void load(), document)
  }, [load, offline])

  return (
    <div className="wallet">
      <header className="page__head">
        <h1>{t('title')}</h1>
        <p>{t('intro')}</p>
      </header>
      {view === null ? (
        <Card id="wallet" title={t('this')}>
          <Pending what={t('what')} error={loadError} onRetry={() => void load()} />
        </Card>
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <Panels view={view} />
        </>
      )}
    </div>
  )
}

function Panels({ view }: { view: WalletView }) {
  return (
    <>
      <NextStepPanel view={view} />
      <BalancePanel view={view} />
      <SupplyPanel supply={view.supply} />
      <StatementPanel />
      <StakePanel stake={view.stake} availableTrm={view.availableTrm} />
      <PoolPanel view={view} />
      <ReferralsPanel referrals={view.referrals} />
    </>
  )
}
