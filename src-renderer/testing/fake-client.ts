import type {
  EventData,
  EventName,
  HostClient,
  HostEvent,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
} from '../../src-preload/contract/index.ts'

interface PendingCall {
  procedure: ProcedureName
  input: unknown
  resolve(output: unknown): void
  reject(error: unknown): void
}

/** A host that answers when the test says so, to put answers and events in any order. */
export class FakeClient implements HostClient {
  readonly calls: PendingCall[] = []
  seq = 0
  #onEvent: (event: HostEvent) => void = () => undefined
  #connected: boolean | null = null
  #onConnection: (connected: boolean) => void = () => undefined

  call<P extends ProcedureName>(procedure: P, input: ProcedureInput<P>): Promise<ProcedureOutput<P>> {
    return new Promise((resolve, reject) => {
      this.calls.push({
        procedure,
        input,
        resolve: (output) => resolve(output as ProcedureOutput<P>),
        reject,
      })
    })
  }

  subscribe(listener: (event: HostEvent) => void): () => void {
    this.#onEvent = listener
    return () => {
      this.#onEvent = () => undefined
    }
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.#onConnection = listener
    if (this.#connected !== null) listener(this.#connected)
    return () => {
      this.#onConnection = () => undefined
    }
  }

  connect(connected: boolean): void {
    this.#connected = connected
    this.#onConnection(connected)
  }

  send<E extends EventName>(name: E, data: EventData<E>, seq = ++this.seq): void {
    this.#onEvent({ seq, name, data } as HostEvent)
  }

  /** The inputs of the unanswered calls of a procedure. */
  inputs<P extends ProcedureName>(procedure: P): ProcedureInput<P>[] {
    return this.calls
      .filter((call) => call.procedure === procedure)
      .map(({ input }) => input as ProcedureInput<P>)
  }

  /** Answers the oldest unanswered call of a procedure. */
  async answer<P extends ProcedureName>(procedure: P, output: ProcedureOutput<P>): Promise<void> {
    this.#take(procedure).resolve(output)
    await settled()
  }

  async fail(procedure: ProcedureName, error: unknown): Promise<void> {
    this.#take(procedure).reject(error)
    await settled()
  }

  #take(procedure: ProcedureName): PendingCall {
    const position = this.calls.findIndex((call) => call.procedure === procedure)
    const [call] = position < 0 ? [] : this.calls.splice(position, 1)
    if (call === undefined) throw new Error(`${procedure} was not called`)
    return call
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
