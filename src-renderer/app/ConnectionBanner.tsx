import { useTranslation } from '../i18n/index.ts'
import { useConnection } from '../stores/context.tsx'
import { Spinner } from '../widgets/index.ts'

/** The live region stays in the page, so that its coming and going is announced. */
export function ConnectionBanner() {
  const { t } = useTranslation('shell')
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <div role="status" className="connection">
      {offline ? (
        <p className="offline-banner">
          <Spinner />
          <span>
            <strong>{t('offline.title')}</strong> {t('offline.text')}
          </span>
        </p>
      ) : null}
    </div>
  )
}
