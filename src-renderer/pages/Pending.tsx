import { Unplug } from 'lucide-react'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
import { useTranslation } from '../i18n/index.ts'
import { useConnection } from '../stores/context.tsx'
import { EmptyState, ErrorState, Skeleton } from '../widgets/index.ts'

interface PendingProps {
  /** What is being waited for, as in “Loading …”. */
  what: string
  error: PublicErrorData | null
  onRetry: () => void
}

/** Stands in for a section that has nothing to show yet, and says why it has not. */
export function Pending({ what, error, onRetry }: PendingProps) {
  const { t } = useTranslation()
  const offline = useConnection((state) => state.phase === 'offline')
  if (offline) {
    return (
      <EmptyState icon={Unplug} title={t('notConnected.title')}>
        {t('notConnected.text')}
      </EmptyState>
    )
  }
  if (error !== null) return <ErrorState error={error} onRetry={onRetry} />
  return <Skeleton label={t('loading', { what })} />
}
