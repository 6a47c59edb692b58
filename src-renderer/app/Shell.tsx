import { Cpu, Gauge, ListChecks, MessageSquareText, Plug, ShieldCheck, TrendingUp } from 'lucide-react'
import type { ReactNode } from 'react'
import type { StoreApi } from 'zustand'
import { useConnection, useStatus } from '../stores/context.tsx'
import { describeHost } from '../stores/host-state.ts'
import type { ThemeState } from '../stores/theme.ts'
import { BrandMark } from './BrandMark.tsx'
import { ComputeNotice } from './ComputeNotice.tsx'
import { ConnectionBanner } from './ConnectionBanner.tsx'
import { type PageName, pageNames, pages } from './pages.ts'
import './shell.css'
import { ThemeSwitch } from './ThemeSwitch.tsx'

const homeSections = [
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
  page: PageName
  children: ReactNode
}

export function Shell({ theme, page, children }: ShellProps) {
  return (
    <div className="shell">
      <button type="button" className="skip" onClick={skipToContent}>
        Skip to the content
      </button>
      <header className="rail">
        <p className="rail__brand">
          <BrandMark />
          Tirami Host
        </p>
        <nav className="rail__nav" aria-label="Pages">
          <ul>
            {pageNames.map((name) => (
              <PageEntry key={name} name={name} current={name === page} />
            ))}
          </ul>
        </nav>
        <NodeState />
        <ThemeSwitch store={theme} />
      </header>
      <div className="shell__content">
        <ConnectionBanner />
        <ComputeNotice />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  )
}

/** Not a link: the fragment of the address names the page. */
function skipToContent(): void {
  document.getElementById('main')?.focus()
}

function PageEntry({ name, current }: { name: PageName; current: boolean }) {
  const { name: label, href, icon: Icon } = pages[name]
  return (
    <li>
      <a className="rail__page" href={href} aria-current={current ? 'page' : undefined}>
        <Icon size={16} aria-hidden="true" />
        {label}
      </a>
      {current && name === 'home' ? (
        <ul className="rail__sections" aria-label="Parts of this page">
          {homeSections.map(({ id, name: section, icon: SectionIcon }) => (
            <li key={id}>
              <a href={`#${id}`}>
                <SectionIcon size={15} aria-hidden="true" />
                {section}
              </a>
            </li>
          ))}
        </ul>
      ) : null}
    </li>
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
