import { setTimeout as sleep } from 'node:timers/promises'

/** Of a Node process, right after a full collection: what is left is held, not waiting to be thrown away. */
export interface HeldMemory {
  residentBytes: number
  heapBytes: number
}

const INSPECTOR = 'http://127.0.0.1:9229/json/list'
const ASKS = 100
const EXPRESSION = `(() => {
  const { rss, heapUsed, external } = process.memoryUsage()
  const inspector = process.getBuiltinModule('node:inspector')
  setTimeout(() => inspector.close(), 50)
  return JSON.stringify({ residentBytes: rss, heapBytes: heapUsed + external })
})()`

/**
 * Has a Node process on this machine collect its garbage, and says what it holds. V8 collects when it likes: without
 * this, resident memory rises and falls by tens of MiB however little is held. The process opens its inspector for
 * the moment (SIGUSR1) and closes it again; one process at a time.
 */
export async function heldMemory(pid: number): Promise<HeldMemory> {
  process.kill(pid, 'SIGUSR1')
  const socket = new WebSocket(await inspectorUrl(pid))
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  let lastId = 0
  const ask = (method: string, params: object = {}): Promise<{ result?: { value?: string } }> => {
    const id = ++lastId
    const answer = new Promise<{ result?: { value?: string } }>((resolve) => {
      socket.addEventListener('message', function listen({ data }) {
        const message = JSON.parse(String(data))
        if (message.id !== id) return
        socket.removeEventListener('message', listen)
        resolve(message.result ?? {})
      })
    })
    socket.send(JSON.stringify({ id, method, params }))
    return answer
  }
  // Finalisers of native objects run after the first collection and free more for the second.
  for (let round = 0; round < 2; round++) {
    await ask('HeapProfiler.collectGarbage')
    await sleep(200)
  }
  const { result } = await ask('Runtime.evaluate', { expression: EXPRESSION })
  socket.close()
  await gone()
  return JSON.parse(result?.value ?? 'null')
}

async function inspectorUrl(pid: number): Promise<string> {
  for (let turn = 0; turn < ASKS; turn++) {
    try {
      const [target] = (await (await fetch(INSPECTOR)).json()) as { webSocketDebuggerUrl: string }[]
      if (target) return target.webSocketDebuggerUrl
    } catch {
      // Not open yet.
    }
    await sleep(50)
  }
  throw new Error(`process ${pid} did not open its inspector`)
}

/** Until the port is free for the next process. */
async function gone(): Promise<void> {
  for (let turn = 0; turn < ASKS; turn++) {
    try {
      await fetch(INSPECTOR)
    } catch {
      return
    }
    await sleep(50)
  }
  throw new Error('the inspector did not close')
}
