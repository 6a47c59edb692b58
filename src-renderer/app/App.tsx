import type { StoreApi } from 'zustand'
import { HomePage } from '../pages/home/HomePage.tsx'
import { StoresProvider } from '../stores/context.tsx'
import type { Stores } from '../stores/index.ts'
import type { ThemeState } from '../stores/theme.ts'
import { CrashBoundary } from './CrashBoundary.tsx'
import { Shell } from './Shell.tsx'

export function App({ stores, theme }: { stores: Stores; theme: StoreApi<ThemeState> }) {
  return (
    <CrashBoundary>
      <StoresProvider stores={stores}>
        <Shell theme={theme}>
          <HomePage />
        </Shell>
      </StoresProvider>
    </CrashBoundary>
  )
}
