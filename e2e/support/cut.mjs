// Preloaded into a host: a network that can be cut. A host makes and keeps no connection to the ports that stand in the
// file of its own name in TIRAMI_CUT. Each connection has one end that opened it, so two such files part two groups.
import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { basename, join } from 'node:path'
import { isMainThread } from 'node:worker_threads'

const LOOK_EVERY_MS = 100

const directory = process.argv[process.argv.indexOf('--data-dir') + 1]
if (isMainThread && process.env.TIRAMI_CUT && process.argv.includes('--data-dir')) cutAsTold()

function cutAsTold() {
  const path = join(process.env.TIRAMI_CUT, basename(directory))
  const open = new Map()
  let cut = []
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (...args) {
    const port = Number((Array.isArray(args[0]) ? args[0][0] : args[0])?.port)
    if (cut.includes(port)) {
      process.nextTick(() => this.destroy(new Error('the network is cut')))
      return this
    }
    open.set(this, port)
    this.once('close', () => open.delete(this))
    return connect.apply(this, args)
  }
  const look = () => {
    try {
      cut = JSON.parse(readFileSync(path, 'utf8'))
    } catch {
      cut = []
    }
    for (const [socket, port] of open) if (cut.includes(port)) socket.destroy(new Error('the network is cut'))
  }
  setInterval(look, LOOK_EVERY_MS).unref()
}
