import { type ComponentType, lazy, Suspense } from 'react'
import type { StoreApi } from 'zustand'
import { HomePage } from '../pages/home/HomePage.tsx'
import { StoresProvider } from '../stores/context.tsx'
import type { Stores } from '../stores/index.ts'
import type { ThemeState } from '../stores/theme.ts'
import { Skeleton } from '../widgets/index.ts'
import { CrashBoundary } from './CrashBoundary.tsx'
import { PageMissing } from './PageMissing.tsx'
import type { PageName } from './pages.ts'
import { Shell } from './Shell.tsx'
import { usePage } from './usePage.ts'

type LazyPage = Exclude<PageName, 'home'>

const missing = () => ({ default: PageMissing })
const loaders: Record<LazyPage, () => Promise<{ default: ComponentType }>> = {
  models: () =>
    import('../pages/models/ModelsPage.tsx').then(({ ModelsPage }) => ({ default: ModelsPage }), missing),
  wallet: () =>
    import('../pages/wallet/WalletPage.tsx').then(({ WalletPage }) => ({ default: WalletPage }), missing),
  playground: () =>
    import('../pages/playground/PlaygroundPage.tsx').then(
      ({ PlaygroundPage }) => ({ default: PlaygroundPage }),
      missing,
    ),
  keys: () => import('../pages/keys/KeysPage.tsx').then(({ KeysPage }) => ({ default: KeysPage }), missing),
}
const lazyPages: Record<LazyPage, ComponentType> = {
  models: lazy(loaders.models),
  wallet: lazy(loaders.wallet),
  playground: lazy(loaders.playground),
  keys: lazy(loaders.keys),
}

const PREFETCH_DELAY_MS = 1_000

/** Fetches the other pages once the first one stands, so that they are there even when the host is gone. */
export function prefetchPages(): void {
  setTimeout(() => {
    for (const load of Object.values(loaders)) void load()
  }, PREFETCH_DELAY_MS)
}

export function App({ stores, theme }: { stores: Stores; theme: StoreApi<ThemeState> }) {
  const page = usePage()
  return (
    <CrashBoundary>
      <StoresProvider stores={stores}>
        <Shell theme={theme} page={page}>
          {page === 'home' ? <HomePage /> : <OtherPage page={page} />}
        </Shell>
      </StoresProvider>
    </CrashBoundary>
  )
}

function OtherPage({ page }: { page: LazyPage }) {
  const Page = lazyPages[page]
  return (
    <Suspense fallback={<Skeleton label="Loading the page" />}>
      <Page />
    </Suspense>
  )
}
