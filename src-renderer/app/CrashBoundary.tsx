import { Component, type ReactNode } from 'react'
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
        <h1>This window has a defect.</h1>
        <p>The host is a separate program and was not touched. Reload the window to go on.</p>
        <Button look="accent" onClick={() => location.reload()}>
          Reload the window
        </Button>
      </main>
    )
  }
}
