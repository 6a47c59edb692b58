import type { Metering } from '../models/index.ts'
import type { Environment } from './earning-policy.ts'

/** Where the system does not say, a download the owner asked for goes on. */
export function isMetered(environment: Pick<Environment, 'snapshot'>): boolean {
  const { metered } = environment.snapshot()
  return metered.known && metered.value
}

/** Tells of changes when it is told to look: the reading it asks about has an interval of its own. */
export function meteringOf(ask: () => boolean): Metering & { look(): void } {
  const listeners = new Set<() => void>()
  let last = ask()
  return {
    isMetered: ask,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    look: () => {
      const now = ask()
      if (now === last) return
      last = now
      for (const listener of listeners) listener()
    },
  }
}
