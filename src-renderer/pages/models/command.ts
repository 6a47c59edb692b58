import type { ProcedureInput, PublicErrorData } from '../../../src-preload/contract/index.ts'
import { useConnection, useModels } from '../../stores/context.tsx'
import type { CommandState, ModelsState } from '../../stores/models.ts'

type ModelCommand = CommandState['command']

interface Command {
  /** The command that is under way. */
  running: ModelCommand | null
  error: PublicErrorData | null
  /** Nothing can be asked of a host that is out of reach. */
  offline: boolean
  run<P extends ModelCommand>(procedure: P, input: ProcedureInput<P>): Promise<boolean>
}

/** What can be asked about one subject, and how the last request went. */
export function useCommand(subject: string): Command {
  const state = useModels(({ commands }) => commands[subject])
  const command = useModels((models) => models.command)
  const offline = useConnection(({ phase }) => phase === 'offline')
  return {
    running: state?.phase === 'running' ? state.command : null,
    error: state?.phase === 'failed' ? state.error : null,
    offline,
    run: (procedure, input) => command(subject, procedure, input),
  }
}

/** One model is loaded at a time. */
export function isLoadingModel({ commands }: ModelsState): boolean {
  return Object.values(commands).some(
    ({ phase, command }) => phase === 'running' && command === 'models.load',
  )
}
