import { createStore } from 'zustand/vanilla'
import type {
  HostClient,
  ProcedureInput,
  ProcedureOutput,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

export type Effort = ProcedureInput<'reason.run'>['effort']

/** What the model thought, with the question that it was asked. */
export interface Thought extends ProcedureOutput<'reason.run'> {
  task: string
  input: unknown
  effort: Effort
}

export interface PlaygroundState {
  /** Null until the first answer; empty on a host without weights for it. */
  tasks: readonly string[] | null
  loadError: PublicErrorData | null
  task: string | null
  /** The question as the host drew it; null until it came. */
  example: unknown
  /** The question as the person left it. */
  input: unknown
  drawing: boolean
  drawError: PublicErrorData | null
  effort: Effort
  thinking: boolean
  thought: Thought | null
  /** The same question at full depth, for comparison; null until somebody asks. */
  full: Thought | null
  thinkError: PublicErrorData | null
  load(): Promise<void>
  choose(task: string): Promise<void>
  /** Asks for another question of the chosen task. */
  draw(): Promise<void>
  edit(input: unknown): void
  setEffort(effort: Effort): void
  /** One thought at a time; the question stays as it is until it ends. */
  think(): Promise<void>
  /** The last thought's question again, the whole way. */
  thinkFully(): Promise<void>
}

const FIRST_TASK = 'sudoku-6x6'

const randomSeed = (): number => Math.floor(Math.random() * 0x7fff_ffff)

export const createPlaygroundStore = (client: HostClient, drawSeed: () => number = randomSeed) =>
  createStore<PlaygroundState>()((set, get) => {
    let lastDraw = 0
    return {
      tasks: null,
      loadError: null,
      task: null,
      example: null,
      input: null,
      drawing: false,
      drawError: null,
      effort: 'medium',
      thinking: false,
      thought: null,
      full: null,
      thinkError: null,
      load: async () => {
        try {
          const { tasks } = await client.call('reason.tasks', {})
          set({ tasks, loadError: null })
        } catch (error) {
          set({ loadError: toPublicError(error) })
          return
        }
        const { tasks, task, example, drawing } = get()
        const first = tasks?.includes(FIRST_TASK) ? FIRST_TASK : tasks?.[0]
        if (first === undefined) set({ task: null, example: null, input: null, thought: null, full: null })
        else if (task === null || !tasks?.includes(task)) await get().choose(first)
        else if (example === null && !drawing) await get().draw()
      },
      choose: async (task) => {
        if (get().thinking || task === get().task) return
        set({ task, example: null, input: null })
        await get().draw()
      },
      draw: async () => {
        const { task, thinking } = get()
        if (task === null || thinking) return
        lastDraw += 1
        const draw = lastDraw
        set({ drawing: true, drawError: null, thought: null, full: null, thinkError: null })
        try {
          const { input } = await client.call('reason.example', { task, seed: drawSeed() })
          if (draw === lastDraw) set({ drawing: false, example: input, input })
        } catch (error) {
          if (draw === lastDraw) set({ drawing: false, drawError: toPublicError(error) })
        }
      },
      edit: (input) => {
        if (!get().thinking) set({ input })
      },
      setEffort: (effort) => set({ effort }),
      think: async () => {
        const { task, input, effort, thinking, drawing } = get()
        if (task === null || input === null || thinking || drawing) return
        set({ thinking: true, thinkError: null })
        try {
          const view = await client.call('reason.run', { task, input, effort, seed: drawSeed() })
          set({ thinking: false, thought: { ...view, task, input, effort }, full: null })
        } catch (error) {
          set({ thinking: false, thinkError: toPublicError(error) })
        }
      },
      thinkFully: async () => {
        const { thought, thinking, drawing } = get()
        if (thought === null || thinking || drawing) return
        const { task, input } = thought
        set({ thinking: true, thinkError: null })
        try {
          const view = await client.call('reason.run', { task, input, effort: 'full', seed: drawSeed() })
          const isStill = get().thought === thought
          set({ thinking: false, ...(isStill ? { full: { ...view, task, input, effort: 'full' } } : {}) })
        } catch (error) {
          set({ thinking: false, thinkError: toPublicError(error) })
        }
      },
    }
  })
