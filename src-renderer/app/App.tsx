import { type ComponentType, lazy, Suspense } from 'react'
import { I18nProvider } from 'react-aria-components'
import { useStore } from 'zustand'
import { useTranslation } from '../i18n/index.ts'
import { HomePage } from '../pages/home/HomePage.tsx'
import { type Look, LookProvider, StoresProvider } from '../stores/context.tsx'
import type { Stores } from '../stores/index.ts'
import { Skeleton } from '../widgets/index.ts'
import { CrashBoundary } from './CrashBoundary.tsx'
import { FirstRunGate } from './FirstRunGate.tsx'
import { PageMissing } from './PageMissing.tsx'
import type { PageName } from './pages.ts'
import { Shell } from './Shell.tsx'
import { usePage } from './usePage.ts'

type LazyPage = Exclude<PageName, 'home'>

/** The code of each page; all but Home's is fetched when the window stands. */
const loaders: Record<LazyPage, () => Promise<ComponentType>> = {
  activity: () => import('../pages/activity/ActivityPage.tsx').then(({ ActivityPage }) => ActivityPage),
  models: () => import('../pages/models/ModelsPage.tsx').then(({ ModelsPage }) => ModelsPage),
  chat: () => import('../pages/chat/ChatPage.tsx').then(({ ChatPage }) => ChatPage),
  playground: () =>
    import('../pages/playground/PlaygroundPage.tsx').then(({ PlaygroundPage }) => PlaygroundPage),
  market: () => import('../pages/market/MarketPage.tsx').then(({ MarketPage }) => MarketPage),
  wallet: () => import('../pages/wallet/WalletPage.tsx').then(({ WalletPage }) => WalletPage),
  keys: () => import('../pages/keys/KeysPage.tsx').then(({ KeysPage }) => KeysPage),
  safety: () => import('../pages/safety/SafetyPage.tsx').then(({ SafetyPage }) => SafetyPage),
  settings: () => import('../pages/settings/SettingsPage.tsx').then(({ SettingsPage }) => SettingsPage),
}

const load = (name: LazyPage): Promise<{ default: ComponentType }> =>
  loaders[name]().then(
    (page) => ({ default: page }),
    () => ({ default: PageMissing }),
  )
const lazyNames = Object.keys(loaders) as LazyPage[]
const lazyPages = new Map(lazyNames.map((name) => [name, lazy(() => load(name))]))

const PREFETCH_DELAY_MS = 300
const PREFETCH_WAIT_MS = 3_000

/**
 * Fetches the other pages once the first one stands, so that they are there even when the host is gone; one after the
 * other, whenever nothing else is to do, so that none holds up what the person does.
 */
export function prefetchPages(names: readonly LazyPage[] = lazyNames): void {
  const [name, ...others] = names
  if (name === undefined) return
  setTimeout(
    () =>
      requestIdleCallback(() => void load(name).then(() => prefetchPages(others)), {
        timeout: PREFETCH_WAIT_MS,
      }),
    PREFETCH_DELAY_MS,
  )
}

export function App({ stores, look }: { stores: Stores; look: Look }) {
  // Figures and dates change with the language too, so everything is drawn anew.
  const locale = useStore(look.language, (state) => state.language)
  const page = usePage(locale)
  return (
    <CrashBoundary>
      <I18nProvider locale={locale}>
        <LookProvider look={look}>
          <StoresProvider stores={stores}>
            <FirstRunGate>
              <Shell page={page}>{page === 'home' ? <HomePage /> : <OtherPage page={page} />}</Shell>
            </FirstRunGate>
          </StoresProvider>
        </LookProvider>
      </I18nProvider>
    </CrashBoundary>
  )
}

function OtherPage({ page }: { page: LazyPage }) {
  const { t } = useTranslation(['shell', 'common'])
  const Page = lazyPages.get(page) ?? PageMissing
  return (
    <Suspense fallback={<Skeleton label={t('common:loading', { what: t('page') })} />}>
      <Page />
    </Suspense>
  )
}
