import { useTranslation } from '../i18n/index.ts'
import { ErrorState } from '../widgets/index.ts'

/** Stands in for a page whose code did not come. */
export function PageMissing() {
  const { t } = useTranslation('shell')
  const error = {
    code: 'PAGE_MISSING',
    message: t('pageMissing.message'),
    nextStep: t('pageMissing.nextStep'),
  }
  return <ErrorState error={error} onRetry={() => location.reload()} />
}
