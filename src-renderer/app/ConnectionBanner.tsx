import { useConnection } from '../stores/context.tsx'
import { Spinner } from '../widgets/index.ts'

/** The live region stays in the page, so that its coming and going is announced. */
export function ConnectionBanner() {
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <div role="status" className="connection">
      {offline ? (
        <p className="offline-banner">
          <Spinner />
          <span>
            <strong>Connection to the host lost.</strong> Trying again by itself; what you see may be out of
            date.
          </span>
        </p>
      ) : null}
    </div>
  )
}
