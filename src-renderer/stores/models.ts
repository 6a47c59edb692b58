import { createStore } from 'zustand/vanilla'
import type {
  Download,
  HostClient,
  ModelsView,
  ProcedureInput,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

/** Changes come in bursts; the view is asked for once per burst. */
const REFRESH_DELAY_MS = 300
/** Progress comes as events; what it does to the disk is asked for now and then. */
const DISK_REFRESH_DELAY_MS = 10_000

type ModelCommand = Exclude<ViewProcedure, 'models.get'>
type ViewProcedure =
  | 'models.get'
  | 'models.load'
  | 'models.connect'
  | 'models.delete'
  | 'models.add'
  | 'models.configure'
  | 'downloads.pause'
  | 'downloads.resume'
  | 'downloads.cancel'

export type CommandState =
  | { phase: 'running'; command: ModelCommand }
  | { phase: 'failed'; command: ModelCommand; error: PublicErrorData }

export interface ModelsState {
  /** Null until the first answer. */
  view: ModelsView | null
  loadError: PublicErrorData | null
  /** What was last asked about a subject: the id of a model, an offer or a download, a form or a setting. */
  commands: Readonly<Record<string, CommandState>>
  load(): Promise<void>
  /**
   * Asks for one thing at a time about each subject.
   * @returns whether the host did it; why not is in `commands`
   */
  command<P extends ModelCommand>(subject: string, procedure: P, input: ProcedureInput<P>): Promise<boolean>
  /** Names of the models that another server has. @throws HostCallError */
  listUpstream(server: ProcedureInput<'models.listUpstream'>): Promise<string[]>
  /** Takes away why the last command about a subject failed. */
  forgive(subject: string): void
  /** Asks again for a view that somebody looks at; nothing before that. */
  refresh(): void
  onDownloadChanged(download: Download): void
}

export const createModelsStore = (client: HostClient) =>
  createStore<ModelsState>()((set, get) => {
    /**
     * An answer has no place in the order of events, and every change of a download is sent as an event: what was
     * heard about a download while an answer was on its way is either newer than the answer or followed by an event.
     */
    let heard: { order: number; download: Download }[] = []
    let order = 0
    let asking = 0
    let refresh: { timer: ReturnType<typeof setTimeout>; atMs: number } | null = null

    async function ask<P extends ViewProcedure>(procedure: P, input: ProcedureInput<P>): Promise<void> {
      const before = order
      asking += 1
      try {
        const view = (await client.call(procedure, input)) as ModelsView
        const newer = heard.filter((event) => event.order > before).map(({ download }) => download)
        set((state) => ({
          view: { ...view, downloads: patched(view.downloads, newer, state.view?.downloads ?? []) },
          loadError: null,
        }))
      } finally {
        asking -= 1
        if (asking === 0) heard = []
      }
    }

    function refreshWithin(delayMs: number): void {
      const atMs = Date.now() + delayMs
      if (refresh !== null && refresh.atMs <= atMs) return
      if (refresh !== null) clearTimeout(refresh.timer)
      const timer = setTimeout(() => {
        refresh = null
        void get().load()
      }, delayMs)
      refresh = { timer, atMs }
    }

    return {
      view: null,
      loadError: null,
      commands: {},
      load: async () => {
        try {
          await ask('models.get', {})
        } catch (error) {
          set({ loadError: toPublicError(error) })
        }
      },
      command: async (subject, procedure, input) => {
        if (get().commands[subject]?.phase === 'running') return false
        const put = (command: CommandState | null) =>
          set(({ commands }) => ({ commands: withCommand(commands, subject, command) }))
        put({ phase: 'running', command: procedure })
        try {
          await ask(procedure, input)
          put(null)
          return true
        } catch (error) {
          put({ phase: 'failed', command: procedure, error: toPublicError(error) })
          return false
        }
      },
      listUpstream: async (server) => (await client.call('models.listUpstream', server)).models,
      forgive: (subject) => {
        if (get().commands[subject]?.phase !== 'failed') return
        set(({ commands }) => ({ commands: withCommand(commands, subject, null) }))
      },
      refresh: () => {
        if (get().view !== null) refreshWithin(REFRESH_DELAY_MS)
      },
      onDownloadChanged: (download) => {
        order += 1
        if (asking > 0) heard.push({ order, download })
        const { view } = get()
        if (view === null) return
        const known = view.downloads.find(({ id }) => id === download.id)
        set({ view: { ...view, downloads: patched(view.downloads, [download], view.downloads) } })
        refreshWithin(known?.state === download.state ? DISK_REFRESH_DELAY_MS : REFRESH_DELAY_MS)
      },
    }
  })

function withCommand(
  commands: ModelsState['commands'],
  subject: string,
  command: CommandState | null,
): ModelsState['commands'] {
  const { [subject]: _last, ...others } = commands
  return command === null ? others : { ...others, [subject]: command }
}

const hasEnded = ({ state }: Download): boolean => state === 'done' || state === 'cancelled'

/** `downloads` with what events said since, oldest first, without those that ended. */
function patched(
  downloads: readonly Download[],
  newer: readonly Download[],
  shown: readonly Download[],
): Download[] {
  const byId = new Map([...downloads, ...newer].map((download) => [download.id, download]))
  return [...byId.values()]
    .filter((download) => !hasEnded(download))
    .map((download) => withoutFallingBack(download, shown))
    .sort((a, b) => a.createdAtMs - b.createdAtMs)
}

/** What is on the disk stays there for as long as the attempt lasts, whichever of two answers came first. */
function withoutFallingBack(download: Download, shown: readonly Download[]): Download {
  const before = shown.find(({ id, attempt }) => id === download.id && attempt === download.attempt)
  if (before === undefined || before.doneBytes <= download.doneBytes) return download
  return { ...download, doneBytes: before.doneBytes }
}
