import type { ReactNode } from 'react'
import { useTranslation } from '../i18n/index.ts'
import { useConnection, useStatus } from '../stores/context.tsx'
import { describeHost } from '../stores/host-state.ts'
import { BrandMark } from './BrandMark.tsx'
import { ComputeNotice } from './ComputeNotice.tsx'
import { ConnectionBanner } from './ConnectionBanner.tsx'
import { LanguageSwitch } from './LanguageSwitch.tsx'
import { type PageName, pageNames, pages } from './pages.ts'
import './shell.css'
import { ThemeSwitch } from './ThemeSwitch.tsx'

export function Shell({ page, children }: { page: PageName; children: ReactNode }) {
  const { t } = useTranslation(['shell', 'common'])
  return (
    <div className="shell">
      <button type="button" className="skip" onClick={skipToContent}>
        {t('skip')}
      </button>
      <header className="rail">
        <p className="rail__brand">
          <BrandMark />
          <span className="rail__name">{t('common:app')}</span>
        </p>
        <nav className="rail__nav" aria-label={t('nav')}>
          <ul>
            {pageNames.map((name) => (
              <PageEntry key={name} name={name} current={name === page} />
            ))}
          </ul>
        </nav>
        <NodeState />
        <div className="rail__look">
          <ThemeSwitch />
          <LanguageSwitch />
        </div>
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
  const { t } = useTranslation('shell')
  const { href, icon: Icon } = pages[name]
  return (
    <li>
      <a className="rail__page" href={href} aria-current={current ? 'page' : undefined}>
        <Icon size={17} aria-hidden="true" />
        <span>{t(`pages.${name}`)}</span>
      </a>
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
