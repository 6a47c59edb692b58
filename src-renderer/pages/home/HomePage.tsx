import { ChatPanel } from './ChatPanel.tsx'
import { ConnectPanel } from './ConnectPanel.tsx'
import { EarningsPanel } from './EarningsPanel.tsx'
import { Hero } from './Hero.tsx'
import { LedgerFooter } from './LedgerFooter.tsx'
import { MachinePanel } from './MachinePanel.tsx'
import { SafetyPanel } from './SafetyPanel.tsx'
import { TradesPanel } from './TradesPanel.tsx'
import './home.css'

export function HomePage() {
  return (
    <div className="home">
      <Hero />
      <EarningsPanel />
      <ChatPanel />
      <TradesPanel />
      <SafetyPanel />
      <MachinePanel />
      <ConnectPanel />
      <LedgerFooter />
    </div>
  )
}
