import { Component, type ReactNode } from 'react'
import { i18n } from '../i18n/index.ts'
import { Button } from '../widgets/index.ts'

/** A defect in the window must not leave it blank: the host runs on, and the owner has to know that. */
export class CrashBoundary extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override state = { crashed: false }

  static getDerivedStateFromError() {
    return { crashed: true }
  }

  override render() {
    if (!this.state.crashed) return this.props.children
    return (
      <main className="crash" role="alert">
        <h1>{i18n.t('shell:crash.title')}</h1>
        <p>{i18n.t('shell:crash.text')}</p>
        <Button look="accent" onClick={() => location.reload()}>
          {i18n.t('shell:crash.reload')}
        </Button>
      </main>
    )
  }
}
