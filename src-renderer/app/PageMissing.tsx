import { ErrorState } from '../widgets/index.ts'

const error = {
  code: 'PAGE_MISSING',
  message: 'This page could not be loaded.',
  nextStep: 'The host may be gone, or was updated since this window was opened. Load the window again.',
}

/** Stands in for a page whose code did not come. */
export function PageMissing() {
  return <ErrorState error={error} onRetry={() => location.reload()} />
}
