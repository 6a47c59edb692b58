import { createStore } from 'zustand/vanilla'
import type { HostClient, PublicErrorData, SensorReading } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

const READ_EVERY_MS = 2_000

export interface SensorsState {
  /** Null while there is none that is true now. */
  reading: SensorReading | null
  error: PublicErrorData | null
  read(): Promise<void>
}

export const createSensorsStore = (client: HostClient) =>
  createStore<SensorsState>()((set) => {
    let reading = false
    return {
      reading: null,
      error: null,
      read: async () => {
        if (reading) return
        reading = true
        try {
          set({ reading: await client.call('hardware.sensors', {}), error: null })
        } catch (error) {
          set({ reading: null, error: toPublicError(error) })
        } finally {
          reading = false
        }
      },
    }
  })

export type VisiblePage = Pick<Document, 'visibilityState' | 'addEventListener' | 'removeEventListener'>

/** Calls `read` now and every two seconds, but only while somebody can see the page. @returns a function that ends it. */
export function readWhileVisible(read: () => void, page: VisiblePage): () => void {
  let timer: ReturnType<typeof setInterval> | undefined
  function follow(): void {
    clearInterval(timer)
    timer = undefined
    if (page.visibilityState !== 'visible') return
    read()
    timer = setInterval(read, READ_EVERY_MS)
  }
  page.addEventListener('visibilitychange', follow)
  follow()
  return () => {
    clearInterval(timer)
    page.removeEventListener('visibilitychange', follow)
  }
}
