import { lazy, type ReactNode, Suspense, useEffect } from 'react'
import { useTranslation } from '../i18n/index.ts'
import { useConnection, useSettings } from '../stores/context.tsx'
import { Skeleton } from '../widgets/index.ts'
import { ConnectionBanner } from './ConnectionBanner.tsx'
import { PageMissing } from './PageMissing.tsx'

const FirstRunPage = lazy(() =>
  import('../pages/first-run/FirstRunPage.tsx').then(
    (module) => ({ default: module.FirstRunPage }),
    () => ({ default: PageMissing }),
  ),
)

/** The first-run guide in place of everything else, until the owner has gone through it or skipped it. */
export function FirstRunGate({ children }: { children: ReactNode }) {
  const { t } = useTranslation(['shell', 'common'])
  const open = useSettings((state) => state.view?.guide.state === 'open')
  const load = useSettings((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])

  if (!open) return children
  return (
    <main>
      <ConnectionBanner />
      <Suspense fallback={<Skeleton label={t('common:loading', { what: t('page') })} />}>
        <FirstRunPage />
      </Suspense>
    </main>
  )
}
