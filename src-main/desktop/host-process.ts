import { MessageChannelMain, type MessagePortMain, type UtilityProcess, utilityProcess } from 'electron'
import { childEnvironment } from './child-environment.ts'
import type { ProcessFactory } from './host-supervisor.ts'

/** Forks the host and its engines as utility processes. Only after Electron's `ready`. */
export function utilityProcesses(modules: {
  hostModule: string
  engineModule: string
}): ProcessFactory<MessagePortMain> {
  const fork = (module: string, serviceName: string): UtilityProcess =>
    utilityProcess.fork(module, [], { serviceName, env: childEnvironment(process.env) })
  return {
    forkHost: () => {
      const child = fork(modules.hostModule, 'Tirami host')
      return {
        post: (message, port) => child.postMessage(message, port === undefined ? [] : [port]),
        onMessage: (listener) => void child.on('message', listener),
        onExit: (listener) => void child.once('exit', listener),
        kill: killer(child),
      }
    },
    forkEngine: () => {
      const child = fork(modules.engineModule, 'Tirami engine')
      const { port1, port2 } = new MessageChannelMain()
      // The engine talks over this port from now on.
      child.postMessage({ type: 'connect' }, [port1])
      return {
        port: port2,
        onExit: (listener) => void child.once('exit', listener),
        kill: killer(child),
      }
    },
  }
}

/** Asks the first time (SIGTERM), forces from then on (SIGKILL). */
function killer(child: UtilityProcess): () => void {
  let asked = false
  return () => {
    const { pid } = child
    if (!asked || pid === undefined) child.kill()
    else {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended in between; its exit tells.
      }
    }
    asked = true
  }
}
