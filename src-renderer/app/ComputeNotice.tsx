import { computeWords } from '../pages/compute-words.ts'
import { useConnection, useStatus } from '../stores/context.tsx'
import { Notice } from '../widgets/index.ts'

/** On every page: the engine computes with less than the machine has. */
export function ComputeNotice() {
  const offline = useConnection((state) => state.phase === 'offline')
  const compute = useStatus((state) => state.status?.hardware?.compute)
  const words = compute?.degraded && !offline ? computeWords(compute) : null
  return (
    <div role="status" className="compute-notice">
      {words === null ? null : <Notice title={words.sentence}>{words.nextStep}</Notice>}
    </div>
  )
}
