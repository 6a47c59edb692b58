import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { EngineProcess, EngineReport, SpawnEngine } from './types.ts'

/** An engine process whose last words can be read. */
export interface TalkingEngineProcess extends EngineProcess {
  /** The last 4 KiB that the process wrote to stderr. */
  lastWords(): string
}

const LAST_WORDS_BYTES = 4096

/** How long the last of stderr is waited for once the process is gone. */
const CLOSE_AFTER_EXIT_MS = 1_000

/** What drivers and the dynamic linker need; nothing else of the host's environment reaches the engine. */
const PASSED_VARIABLES =
  /^(PATH|HOME|USERPROFILE|TMPDIR|TEMP|TMP|LANG|SYSTEMROOT|WINDIR|LOCALAPPDATA|APPDATA|PROGRAMDATA|XDG_RUNTIME_DIR|LD_LIBRARY_PATH|DYLD_.*|CUDA_.*|NVIDIA_.*|VK_.*|GGML_.*|ELECTRON_RUN_AS_NODE)$/i

/**
 * Starts engine processes with `child_process.fork`, for the headless host and for tests.
 * @param entryUrl `engine/entry.ts`, or what it was built into.
 */
export function forkEngine(entryUrl: URL): SpawnEngine {
  return () =>
    wrap(
      fork(fileURLToPath(entryUrl), [], {
        execArgv: [],
        env: Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_VARIABLES.test(name))),
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      }),
    )
}

function wrap(child: ChildProcess): TalkingEngineProcess {
  let lastWords = Buffer.alloc(0)
  child.stderr?.on('data', (chunk: Buffer) => {
    lastWords = Buffer.concat([lastWords, chunk]).subarray(-LAST_WORDS_BYTES)
  })
  let killed = false
  return {
    get pid() {
      return child.pid
    },
    // A process that died in between is reported by its exit; the failed write needs no second report.
    send: (message) => {
      if (child.connected) child.send(message, () => undefined)
    },
    onMessage: (listener) => void child.on('message', (message) => listener(message as EngineReport)),
    onExit: (listener) => {
      let told = false
      const tell = (code: number | null): void => {
        if (!told) listener(code)
        told = true
      }
      // `close` comes when stderr has been read to its end too. It does not come while a grandchild holds the
      // pipe, so that `exit` has the last word. `error` alone comes when there never was a process.
      child.on('close', tell)
      child.on('exit', (code) => setTimeout(tell, CLOSE_AFTER_EXIT_MS, code).unref())
      child.on('error', () => {
        if (child.pid === undefined) tell(null)
      })
    },
    /** Asks the first time (SIGTERM), forces from then on (SIGKILL). */
    kill: () => {
      child.kill(killed ? 'SIGKILL' : 'SIGTERM')
      killed = true
    },
    lastWords: () => lastWords.toString('utf8'),
  }
}
