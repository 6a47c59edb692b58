import { useEffect } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { useConnection, useWallet } from '../../stores/context.tsx'
import { Card, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { BalancePanel } from './BalancePanel.tsx'
import { NextStepPanel } from './NextStepPanel.tsx'
import { PoolPanel } from './PoolPanel.tsx'
import { ReferralsPanel } from './ReferralsPanel.tsx'
import { StakePanel } from './StakePanel.tsx'
import { SupplyPanel } from './SupplyPanel.tsx'
import './wallet.css'

export function WalletPage() {
  const view = useWallet((state) => state.view)
  const loadError = useWallet((state) => state.loadError)
  const load = useWallet((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) return readNowAndThen(() => void load(), document)
  }, [load, offline])

  return (
    <div className="wallet">
      <header className="wallet__head">
        <h1>Wallet</h1>
        <p className="muted">
          What this node has earned, staked, lent and owes. TRM is compute accounting: 1 TRM stands for 10
          <sup>9</sup> floating-point operations of work done. It is not money.
        </p>
      </header>
      {view === null ? (
        <Card id="wallet" title="This node’s wallet">
          <Pending what="the wallet" error={loadError} onRetry={() => void load()} />
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
      <StakePanel stake={view.stake} availableTrm={view.availableTrm} />
      <PoolPanel view={view} />
      <ReferralsPanel referrals={view.referrals} />
    </>
  )
}
