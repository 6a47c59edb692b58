import { useConnection, useStatus } from '../stores/context.tsx'
import { Notice } from '../widgets/index.ts'

/** On every page: the engine computes with less than the machine has. */
export function ComputeNotice() {
  const offline = useConnection((state) => state.phase === 'offline')
  const compute = useStatus((state) => state.status?.hardware?.compute)
  return (
    <div role="status" className="compute-notice">
      {compute?.degraded && !offline ? <Notice title={compute.sentence}>{compute.nextStep}</Notice> : null}
    </div>
  )
}
