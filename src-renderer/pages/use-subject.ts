import type { ProcedureInput, ProcedureOutput, PublicErrorData } from '../../src-preload/contract/index.ts'
import { useConnection } from '../stores/context.tsx'
import type { HostViewState, ProcedureOf } from '../stores/host-view.ts'

interface Subject<View> {
  running: ProcedureOf<View> | null
  error: PublicErrorData | null
  /** Nothing can be asked of a host that is out of reach. */
  offline: boolean
  /** Nothing can be asked now. */
  blocked: boolean
  run<P extends ProcedureOf<View>>(procedure: P, input: ProcedureInput<P>): Promise<ProcedureOutput<P> | null>
  forgive(): void
}

/** What can be asked about one subject of a view, and how the last request went. */
export function useSubject<View>(
  useView: <T>(select: (state: HostViewState<View>) => T) => T,
  subject: string,
): Subject<View> {
  const state = useView(({ commands }) => commands[subject])
  const command = useView((view) => view.command)
  const forgive = useView((view) => view.forgive)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const running = state?.phase === 'running' ? state.command : null
  return {
    running,
    error: state?.phase === 'failed' ? state.error : null,
    offline,
    blocked: offline || running !== null,
    run: (procedure, input) => command(subject, procedure, input),
    forgive: () => forgive(subject),
  }
}
