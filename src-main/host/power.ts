import type { Engine } from '../inference/index.ts'

/** Resolves when no job runs, or after `graceMs`. */
export function idle(engine: Pick<Engine, 'jobs' | 'onChange'>, graceMs: number): Promise<void> {
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
