import type { EngineCommand, EngineProcess, EngineReport } from '../types.ts'

/** An engine process that does what the test says. */
export class FakeEngineProcess implements EngineProcess {
  readonly pid = 1
  readonly sent: EngineCommand[] = []
  kills = 0
  #onMessage: (message: EngineReport) => void = () => undefined
  #onExit: (code: number | null) => void = () => undefined

  send(message: EngineCommand): void {
    this.sent.push(message)
  }

  onMessage(listener: (message: EngineReport) => void): void {
    this.#onMessage = listener
  }

  onExit(listener: (code: number | null) => void): void {
    this.#onExit = listener
  }

  kill(): void {
    this.kills++
  }

  report(message: EngineReport): void {
    this.#onMessage(message)
  }

  exit(code: number | null): void {
    this.#onExit(code)
  }

  load(slots: number): void {
    const model = {
      contextTokens: 64,
      backend: 'cpu',
      deviceName: null,
      threads: 1,
      slots,
      loadMs: 1,
      vocabularySize: 256,
      toolCallFormat: null,
    } as const
    this.report({ type: 'loaded', model })
  }

  /** Ids of the jobs it was given, in order. */
  jobIds(): number[] {
    return this.sent.flatMap((command) => (command.type === 'generate' ? [command.jobId] : []))
  }
}
