import type { VisiblePage } from '../stores/sensors.ts'

/** Limits refill and terms end without an event. */
const READ_EVERY_MS = 15_000

/** Calls `read` now and every quarter of a minute while somebody can see the page. @returns a function that ends it. */
export function readNowAndThen(read: () => void, page: VisiblePage): () => void {
  read()
  const timer = setInterval(() => {
    if (page.visibilityState === 'visible') read()
  }, READ_EVERY_MS)
  const onVisible = () => {
    if (page.visibilityState === 'visible') read()
  }
  page.addEventListener('visibilitychange', onVisible)
  return () => {
    clearInterval(timer)
    page.removeEventListener('visibilitychange', onVisible)
  }
}
