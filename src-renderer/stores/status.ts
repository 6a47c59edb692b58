import { createStore } from 'zustand/vanilla'
import type { HostClient, HostStatus, PublicErrorData } from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

export interface StatusState {
  status: HostStatus | null
  loadError: PublicErrorData | null
  /** The pause or resume that is under way. */
  switching: 'pausing' | 'resuming' | null
  switchError: PublicErrorData | null
  load(): Promise<void>
  /** The kill switch or an answer that is under way. */
  deciding: boolean
  decideError: PublicErrorData | null
  setKillSwitch(active: boolean): Promise<void>
  answerApproval(approvalId: string, approved: boolean): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  onStatusChanged(status: HostStatus): void
}

export const createStatusStore = (client: HostClient) =>
  createStore<StatusState>()((set) => {
    let changes = 0

    /**
     * An answer has no place in the order of events. Every change is sent as an event, so an answer that an event
     * has overtaken is either older than it or will be followed by one: it is dropped.
     */
    async function ask(procedure: 'status.get' | 'host.pause' | 'host.resume'): Promise<void> {
      const changesBefore = changes
      const status = await client.call(procedure, {})
      if (changes === changesBefore) set({ status })
    }

    async function switchTo(
      procedure: 'host.pause' | 'host.resume',
      switching: 'pausing' | 'resuming',
    ): Promise<void> {
      set({ switching, switchError: null })
      try {
        await ask(procedure)
      } catch (error) {
        set({ switchError: toPublicError(error) })
      } finally {
        set({ switching: null })
      }
    }

    async function decide(call: () => Promise<HostStatus>): Promise<void> {
      set({ deciding: true, decideError: null })
      const changesBefore = changes
      try {
        const status = await call()
        if (changes === changesBefore) set({ status })
      } catch (error) {
        set({ decideError: toPublicError(error) })
      } finally {
        set({ deciding: false })
      }
    }

    return {
      deciding: false,
      decideError: null,
      setKillSwitch: (active) => decide(() => client.call('safety.kill', { active })),
      answerApproval: (approvalId, approved) =>
        decide(() => client.call('safety.answer', { approvalId, approved })),
      status: null,
      loadError: null,
      switching: null,
      switchError: null,
      load: async () => {
        try {
          await ask('status.get')
          set({ loadError: null })
        } catch (error) {
          set({ loadError: toPublicError(error) })
        }
      },
      pause: () => switchTo('host.pause', 'pausing'),
      resume: () => switchTo('host.resume', 'resuming'),
      onStatusChanged: (status) => {
        changes += 1
        set({ status, loadError: null, switchError: null })
      },
    }
  })
