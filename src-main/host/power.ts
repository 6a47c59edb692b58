import type { Engine } from '../inference/index.ts'
import { inOrder } from './in-order.ts'
import type { Stewardship } from './stewardship.ts'

/** Answers under way may take this long to end before a pause cancels them; with the kill, memory is free in 3 s. */
const PAUSE_GRACE_MS = 1_000

/**
 * Pausing gives the model's memory back; the choice is in the owner's file and outlives a restart. Calls run one after
 * the other.
 */
export function pauseAndResume(
  engine: Engine,
  stewardship: Pick<Stewardship, 'setPaused'>,
  announce: () => void,
) {
  const serially = inOrder()
  return {
    pause: () =>
      serially(async () => {
        stewardship.setPaused(true, 'window')
        announce()
        await idle(engine, PAUSE_GRACE_MS)
        await engine.stop()
      }),
    resume: () =>
      serially(async () => {
        stewardship.setPaused(false, 'window')
        announce()
        if (engine.status().state === 'stopped' || engine.status().state === 'failed') await engine.start()
      }),
  }
}

/** Resolves when no job runs, or after `graceMs`. */
export function idle(engine: Engine, graceMs: number): Promise<void> {
  const busy = () => engine.jobs().running + engine.jobs().queued > 0
  if (!busy()) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      end()
      resolve()
    }
    const timer = setTimeout(done, graceMs)
    const end = engine.onChange(() => {
      if (!busy()) done()
    })
  })
}
