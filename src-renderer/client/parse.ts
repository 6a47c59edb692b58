import './no-eval.ts'
import {
  type EventName,
  events,
  type HostEvent,
  type ProcedureName,
  type ProcedureOutput,
  PublicErrorSchema,
  procedures,
} from '../../src-preload/contract/index.ts'
import { HostCallError } from './host-call-error.ts'

export const eventNames = Object.keys(events) as EventName[]

function malformed(cause: unknown): HostCallError {
  return new HostCallError(
    {
      code: 'MALFORMED_ANSWER',
      message: 'The host sent an answer that this window does not understand.',
      nextStep: 'Reload the window. If it happens again, update Tirami Host.',
    },
    cause,
  )
}

/** Takes an answer out of its envelope; throws a `HostCallError` for a failure or an answer off contract. */
export function parseAnswer<P extends ProcedureName>(procedure: P, envelope: unknown): ProcedureOutput<P> {
  if (typeof envelope !== 'object' || envelope === null || !('ok' in envelope)) throw malformed(envelope)
  if (envelope.ok === true && 'result' in envelope) {
    const result = procedures[procedure].output.safeParse(envelope.result)
    if (!result.success) throw malformed(result.error)
    return result.data as ProcedureOutput<P>
  }
  if (envelope.ok === false && 'error' in envelope) {
    const error = PublicErrorSchema.safeParse(envelope.error)
    if (error.success) throw new HostCallError(error.data)
  }
  throw malformed(envelope)
}

/** @returns null for an event that is not in the contract: a newer host may send some. */
export function parseEvent(seq: number, name: string, data: unknown): HostEvent | null {
  if (!Number.isSafeInteger(seq) || !Object.hasOwn(events, name)) return null
  const parsed = events[name as EventName].safeParse(data)
  return parsed.success ? ({ seq, name, data: parsed.data } as HostEvent) : null
}
