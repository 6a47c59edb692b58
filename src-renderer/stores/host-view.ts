import type {
  HostClient,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  PublicErrorData,
} from '../../src-preload/contract/index.ts'
import { toPublicError } from '../client/index.ts'

/** Trades come in bursts; the view is asked for once per burst. */
const REFRESH_DELAY_MS = 400

/** The procedures that answer with the whole view. */
export type ProcedureOf<View> = {
  [P in ProcedureName]: ProcedureOutput<P> extends View ? P : never
}[ProcedureName]

export type SubjectState<View> =
  | { phase: 'running'; command: ProcedureOf<View> }
  | { phase: 'failed'; command: ProcedureOf<View>; error: PublicErrorData }

/** A view of the host that every answer replaces as a whole. */
export interface HostViewState<View> {
  /** Null until the first answer. */
  view: View | null
  loadError: PublicErrorData | null
  /** What was last asked about a subject: a form, a key, a loan. */
  commands: Readonly<Record<string, SubjectState<View>>>
  load(): Promise<void>
  /**
   * Asks for one thing at a time about each subject.
   * @returns the host's answer, or null: why not is in `commands`
   */
  command<P extends ProcedureOf<View>>(
    subject: string,
    procedure: P,
    input: ProcedureInput<P>,
  ): Promise<ProcedureOutput<P> | null>
  /** Takes away why the last command about a subject failed. */
  forgive(subject: string): void
  /** Asks again for a view that somebody looks at; nothing before that. */
  refresh(): void
}

type Change<View> = Partial<Pick<HostViewState<View>, 'view' | 'loadError' | 'commands'>>

/** @param viewOf what of an answer is kept */
export function hostView<View>(
  client: HostClient,
  loadProcedure: ProcedureOf<View>,
  viewOf: (answer: View) => View,
  set: (change: Change<View>) => void,
  get: () => HostViewState<View>,
): HostViewState<View> {
  let refresh: ReturnType<typeof setTimeout> | null = null
  let latestLoad = 0
  /** Commands that were asked; answers of loads and of other commands that they overtake may be older. */
  let asked = 0
  let underWay = 0
  let overlapped = false

  const put = (subject: string, state: SubjectState<View> | null) => {
    const { [subject]: _last, ...others } = get().commands
    set({ commands: state === null ? others : { ...others, [subject]: state } })
  }

  async function perform<P extends ProcedureOf<View>>(procedure: P, input: ProcedureInput<P>) {
    asked += 1
    underWay += 1
    overlapped ||= underWay > 1
    try {
      const answer = await client.call(procedure, input)
      set({ view: viewOf(answer as View), loadError: null })
      return answer
    } finally {
      underWay -= 1
      if (underWay === 0 && overlapped) {
        overlapped = false
        get().refresh()
      }
    }
  }

  return {
    view: null,
    loadError: null,
    commands: {},
    load: async () => {
      latestLoad += 1
      const load = latestLoad
      const askedBefore = asked
      const inOrder = underWay === 0
      try {
        const answer = await client.call(loadProcedure, {} as ProcedureInput<typeof loadProcedure>)
        if (load !== latestLoad) return
        if (inOrder && asked === askedBefore) set({ view: viewOf(answer as View), loadError: null })
        else get().refresh()
      } catch (error) {
        if (load === latestLoad) set({ loadError: toPublicError(error) })
      }
    },
    command: async (subject, procedure, input) => {
      if (get().commands[subject]?.phase === 'running') return null
      put(subject, { phase: 'running', command: procedure })
      try {
        const answer = await perform(procedure, input)
        put(subject, null)
        return answer
      } catch (error) {
        put(subject, { phase: 'failed', command: procedure, error: toPublicError(error) })
        return null
      }
    },
    forgive: (subject) => {
      if (get().commands[subject]?.phase === 'failed') put(subject, null)
    },
    refresh: () => {
      if (get().view === null || refresh !== null) return
      refresh = setTimeout(() => {
        refresh = null
        void get().load()
      }, REFRESH_DELAY_MS)
    },
  }
}
