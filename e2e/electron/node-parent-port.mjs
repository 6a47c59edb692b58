// Loaded before out/main/host.js by host-in-node.test.ts: gives it the `process.parentPort` that Electron gives a
// utility process. Node cannot send a message port to another process, so each one is a tunnel through the parent.
import { EventEmitter } from 'node:events'

const parentPort = new EventEmitter()
const tunnels = new Map()

class Tunnel extends EventEmitter {
  #id
  #started = false
  #waiting = []
  constructor(id) {
    super()
    this.#id = id
  }
  postMessage(data) {
    process.send({ tunnel: this.#id, data })
  }
  start() {
    this.#started = true
    for (const data of this.#waiting.splice(0)) this.emit('message', { data, ports: [] })
  }
  receive(data) {
    if (this.#started) this.emit('message', { data, ports: [] })
    else this.#waiting.push(data)
  }
  close() {}
}

parentPort.postMessage = (data) => process.send({ data })
process.parentPort = parentPort
process.on('message', ({ tunnel, closed, data, port }) => {
  if (tunnel === undefined) {
    const ports = port === undefined ? [] : [new Tunnel(port)]
    if (port !== undefined) tunnels.set(port, ports[0])
    parentPort.emit('message', { data, ports })
  } else if (closed) tunnels.get(tunnel)?.emit('close')
  else tunnels.get(tunnel)?.receive(data)
})
