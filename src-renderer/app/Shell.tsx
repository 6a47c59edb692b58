import { Cpu, Gauge, ListChecks, MessageSquareText, Plug, ShieldCheck, TrendingUp } from 'lucide-react'
import type { ReactNode } from 'react'
import type { StoreApi } from 'zustand'
import { useConnection, useStatus } from '../stores/context.tsx'
import { describeHost } from '../stores/host-state.ts'
import type { ThemeState } from '../stores/theme.ts'
import { BrandMark } from './BrandMark.tsx'
import { ConnectionBanner } from './ConnectionBanner.tsx'
import './shell.css'
import { ThemeSwitch } from './ThemeSwitch.tsx'

const sections = [
  { id: 'now', name: 'Now', icon: Gauge },
  { id: 'earnings', name: 'Earnings', icon: TrendingUp },
  { id: 'ask', name: 'Ask the model', icon: MessageSquareText },
  { id: 'trades', name: 'Trades', icon: ListChecks },
  { id: 'safety', name: 'Safety', icon: ShieldCheck },
  { id: 'machine', name: 'Model and machine', icon: Cpu },
  { id: 'connect', name: 'Connect', icon: Plug },
]

interface ShellProps {
  theme: StoreApi<ThemeState>
  children: ReactNode
}

export function Shell({ theme, children }: ShellProps) {
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="rail">
        <p className="rail__brand">
          <BrandMark />
          Tirami Host
        </p>
        <nav className="rail__nav" aria-label="Sections">
          <ul>
            {sections.map(({ id, name, icon: Icon }) => (
              <li key={id}>
                <a href={`#${id}`}>
                  <Icon size={16} aria-hidden="true" />
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <NodeState />
        <ThemeSwitch store={theme} />
      </header>
      <div className="shell__content">
        <ConnectionBanner />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  )
}

function NodeState() {
  const phase = useConnection((state) => state.phase)
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const { label, tone } = describeHost(phase, { status, loadError })
  return (
    <p className="rail__state">
      <span className="lamp" data-tone={tone} aria-hidden="true" />
      <span className="rail__label">{label}</span>
      {status === null ? null : <span className="rail__version">v{status.version}</span>}
    </p>
  )
}
