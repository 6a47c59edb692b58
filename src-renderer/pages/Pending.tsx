import { Unplug } from 'lucide-react'
import type { PublicErrorData } from '../../src-preload/contract/index.ts'
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
  const offline = useConnection((state) => state.phase === 'offline')
  if (offline) {
    return (
      <EmptyState icon={Unplug} title="Not connected">
        This part fills in as soon as the host answers.
      </EmptyState>
    )
  }
  if (error !== null) return <ErrorState error={error} onRetry={onRetry} />
  return <Skeleton label={`Loading ${what}`} />
}
