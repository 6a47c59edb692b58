import type {
  HostClient,
  HostEvent,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  TiramiBridge,
} from '../../src-preload/contract/index.ts'
import { unreachable } from './host-call-error.ts'
import { parseAnswer, parseEvent } from './parse.ts'

/** The host over the preload bridge. */
export class BridgeClient implements HostClient {
  readonly #bridge: TiramiBridge

  constructor(bridge: TiramiBridge) {
    this.#bridge = bridge
  }

  async call<P extends ProcedureName>(procedure: P, input: ProcedureInput<P>): Promise<ProcedureOutput<P>> {
    let envelope: unknown
    try {
      envelope = await this.#bridge.calls[procedure](input)
    } catch (cause) {
      throw unreachable(cause)
    }
    return parseAnswer(procedure, envelope)
  }

  subscribe(listener: (event: HostEvent) => void): () => void {
    return this.#bridge.onEvent((raw) => {
      const event = parseEvent(raw.seq, raw.name, raw.data)
      if (event === null) console.warn(`Dropped a ${raw.name} event that is off contract`)
      else listener(event)
    })
  }

  /** The bridge lives as long as the window: a host process that is gone is told by main, as a status. */
  onConnection(listener: (connected: boolean) => void): () => void {
    listener(true)
    return () => undefined
  }
}
