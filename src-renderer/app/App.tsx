import { lazy, Suspense } from 'react'
import type { StoreApi } from 'zustand'
import { HomePage } from '../pages/home/HomePage.tsx'
import { StoresProvider } from '../stores/context.tsx'
import type { Stores } from '../stores/index.ts'
import type { ThemeState } from '../stores/theme.ts'
import { Skeleton } from '../widgets/index.ts'
import { CrashBoundary } from './CrashBoundary.tsx'
import { PageMissing } from './PageMissing.tsx'
import { Shell } from './Shell.tsx'
import { usePage } from './usePage.ts'

const loadModelsPage = () =>
  import('../pages/models/ModelsPage.tsx').then(
    ({ ModelsPage }) => ({ default: ModelsPage }),
    () => ({ default: PageMissing }),
  )
const ModelsPage = lazy(loadModelsPage)

const PREFETCH_DELAY_MS = 1_000

/** Fetches the other pages once the first one stands, so that they are there even when the host is gone. */
export function prefetchPages(): void {
  setTimeout(() => void loadModelsPage(), PREFETCH_DELAY_MS)
}

export function App({ stores, theme }: { stores: Stores; theme: StoreApi<ThemeState> }) {
  const page = usePage()
  return (
    <CrashBoundary>
      <StoresProvider stores={stores}>
        <Shell theme={theme} page={page}>
          {page === 'home' ? (
            <HomePage />
          ) : (
            <Suspense fallback={<Skeleton label="Loading the page" />}>
              <ModelsPage />
            </Suspense>
          )}
        </Shell>
      </StoresProvider>
    </CrashBoundary>
  )
}
