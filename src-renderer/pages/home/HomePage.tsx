import { useEffect } from 'react'
import { useMoney } from '../../stores/context.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { AskPanel } from './AskPanel.tsx'
import { ConnectPanel } from './ConnectPanel.tsx'
import { EarnedPanel } from './EarnedPanel.tsx'
import { Hero } from './Hero.tsx'
import { LedgerFooter } from './LedgerFooter.tsx'
import { MachinePanel } from './MachinePanel.tsx'
import { ReturnPanel } from './ReturnPanel.tsx'
import { SafetyPanel } from './SafetyPanel.tsx'
import { TradesPanel } from './TradesPanel.tsx'
import './home.css'

export function HomePage() {
  const load = useMoney((state) => state.load)
  // The windows move on, and the energy of a job is known seconds after its trade.
  useEffect(() => readNowAndThen(() => void load(), document), [load])
  return (
    <div className="home">
      <Hero />
      <div className="home__columns">
        <div className="home__column">
          <EarnedPanel />
          <TradesPanel />
          <ConnectPanel />
        </div>
        <div className="home__column">
          <ReturnPanel />
          <AskPanel />
          <SafetyPanel />
          <MachinePanel />
        </div>
      </div>
      <LedgerFooter />
    </div>
  )
}
