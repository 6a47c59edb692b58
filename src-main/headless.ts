import { isIPv4 } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openApi, openDashboard } from './gateway/index.ts'
import { createKeepAwake } from './hardware/index.ts'
import { type MeshChoice, type RunningHost, startHost, UpstreamChoice } from './host/index.ts'
import { forkEngine } from './inference/index.ts'
import { TiramiError, toPublicError } from './kernel/index.ts'

const ANSWER_FIRST_MS = 100
const USAGE = `Usage: npm run headless -- [--data-dir DIR] [--port P] [--control-port C] [--model ID|PATH]
  --data-dir DIR      where keys and the ledger live (default ~/.tirami-host)
  --port P            inference API at port P (default: as chosen in the window, else 3000; 0 picks a free one)
  --bind ADDRESS      its address (default: as chosen in the window, else 127.0.0.1); 0.0.0.0 for every network
                      of this machine, once a key has been issued; it is not encrypted on the way
  --control-port C    dashboard on 127.0.0.1:C (default: a free one)
  --model ID|PATH     a GGUF file (default: the embedded concierge)
Instead of a model of its own, the host can serve one of an OpenAI-compatible server (docs/models.md):
  --upstream URL              where that API begins, such as http://127.0.0.1:8000/v1
  --upstream-model NAME       as the server lists it
  --upstream-params N         weights that one token meets, such as 7.6B; what is metered
  --upstream-gguf PATH        or a GGUF file of that model, whose header says it exactly
  --upstream-key-file PATH    the server's API key, if it wants one
  --upstream-slots N          answers that it is asked for at once (default 8)
The host can join others, to sell them answers and to buy (docs/mesh.md); without --mesh-port as chosen in the window:
  --mesh-port P               TCP port for other hosts (0 picks a free one)
  --bootstrap ADDRESS         a host to begin with, such as /ip4/10.0.0.5/tcp/4001/p2p/12D3…; may be given again
  --mesh-network NAME         hosts of one name find each other (default tirami)
  --mesh-loopback             listen on this machine only, and look for nobody on the local network
  --mesh-nat                  relays, hole punching and port mapping, for a home behind NAT; relays for others too`

interface Arguments {
  dataDirectory: string
  listen: { address?: string; port?: number }
  controlPort: number
  model: string | undefined
  upstream: UpstreamChoice | undefined
  mesh: MeshChoice | undefined
}

function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        'data-dir': { type: 'string' },
        port: { type: 'string' },
        bind: { type: 'string' },
        'control-port': { type: 'string' },
        model: { type: 'string' },
        upstream: { type: 'string' },
        'upstream-model': { type: 'string' },
        'upstream-params': { type: 'string' },
        'upstream-gguf': { type: 'string' },
        'upstream-key-file': { type: 'string' },
        'upstream-slots': { type: 'string' },
        'mesh-port': { type: 'string' },
        bootstrap: { type: 'string', multiple: true },
        'mesh-network': { type: 'string' },
        'mesh-loopback': { type: 'boolean' },
        'mesh-nat': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) {
      console.log(USAGE)
      process.exit(0)
    }
    return {
      dataDirectory: resolve(values['data-dir'] ?? join(homedir(), '.tirami-host')),
      listen: {
        ...(values.bind === undefined ? {} : { address: ipAddress(values.bind) }),
        ...(values.port === undefined ? {} : { port: portNumber(values.port, 0) }),
      },
      controlPort: portNumber(values['control-port'], 0),
      model: values.model,
      upstream: upstreamChoice(values),
      mesh: meshChoice(values),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

function portNumber(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new Error(`“${text}” is not a port number (0 to 65535).`)
  return Number(text)
}

function ipAddress(text: string): string {
  if (isIPv4(text)) return text
  throw new Error(`“${text}” is not an IPv4 address, such as 127.0.0.1.`)
}

type Values = { [name: string]: string | boolean | (string | boolean)[] | undefined }

function meshChoice(values: Values): MeshChoice | undefined {
  const { 'mesh-port': port, 'mesh-network': network = 'tirami', bootstrap = [] } = values
  if (typeof port !== 'string') {
    const alone = Object.keys(values).find((name) => name.startsWith('mesh-') || name === 'bootstrap')
    if (alone !== undefined) throw new Error(`“--${alone}” needs “--mesh-port P”.`)
    return undefined
  }
  if (typeof network !== 'string' || !/^[a-z0-9-]{1,32}$/.test(network)) {
    throw new Error('“--mesh-network” is a name of lower-case letters, digits and “-”.')
  }
  return {
    port: portNumber(port, 0),
    bootstrap: Array.isArray(bootstrap) ? bootstrap.map(String) : [],
    network,
    local: values['mesh-loopback'] !== true,
    natTraversal: values['mesh-nat'] === true,
  }
}

function upstreamChoice(values: Values): UpstreamChoice | undefined {
  const given = (name: string) => {
    const value = values[name]
    return typeof value === 'string' ? value : null
  }
  if (given('upstream') === null) {
    const alone = Object.keys(values).find((name) => name.startsWith('upstream-'))
    if (alone !== undefined) throw new Error(`“--${alone}” needs “--upstream URL”.`)
    return undefined
  }
  if (given('model') !== null) throw new Error('“--model” and “--upstream” exclude each other.')
  const slots = given('upstream-slots')
  const parsed = UpstreamChoice.safeParse({
    baseUrl: given('upstream'),
    model: given('upstream-model') ?? '',
    parameters: parameterCount(given('upstream-params')),
    ggufPath: given('upstream-gguf'),
    apiKeyFile: given('upstream-key-file'),
    ...(slots === null ? {} : { slots: Number(slots) }),
  })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new Error(`“--upstream”: ${issue?.path.join('.')}: ${issue?.message}.`)
}

const MAGNITUDES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['M', 1e6],
  ['B', 1e9],
  ['T', 1e12],
])

/** `7600000000`, `500M` or `7.6B`. */
function parameterCount(text: string | null): number | null {
  if (text === null) return null
  const [, number, magnitude = ''] = /^(\d+(?:\.\d+)?)([MBT]?)$/i.exec(text) ?? []
  const count = Math.round(Number(number) * (MAGNITUDES.get(magnitude.toUpperCase()) ?? Number.NaN))
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new Error(`“${text}” is not a number of parameters, such as 7.6B.`)
}

/** `out/main/headless.js` and its neighbours, or the repository when run from source. */
function installation() {
  const bundled = import.meta.url.endsWith('.js')
  const beside = (built: string, source: string) => new URL(bundled ? built : source, import.meta.url)
  const root = bundled ? '../../' : '../'
  return {
    engine: beside('./engine.js', './inference/engine/entry.ts'),
    reasoningWorker: beside('./reasoning.js', './host/reasoning/reasoning.worker.ts'),
    projectionWorker: beside('./projection.js', './ledger/projection.worker.ts'),
    bundleDirectory: new URL(`${root}out/renderer/`, import.meta.url),
    resourcesDirectory: new URL(`${root}resources/`, import.meta.url),
  }
}

async function main(): Promise<void> {
  const args = readArguments()
  const files = installation()
  /** The host that runs now; null while it starts anew. */
  let running: RunningHost | null = null
  let restarting: Promise<void> | null = null
  const keepAwake = createKeepAwake({ platform: process.platform })
  const start = () =>
    startHost({
      dataDirectory: args.dataDirectory,
      resourcesDirectory: pathOf(files.resourcesDirectory),
      ...(args.model === undefined ? {} : { model: args.model }),
      ...(args.upstream === undefined ? {} : { upstream: args.upstream }),
      ...(args.mesh === undefined ? {} : { mesh: args.mesh }),
      listen: args.listen,
      spawnEngine: forkEngine(files.engine),
      projectionWorkerUrl: files.projectionWorker,
      reasoningWorkerUrl: files.reasoningWorker,
      openApi,
      keepAwake,
      restart: () => {
        restarting ??= restart().catch(fail)
      },
    })
  const first = await start()
  running = first
  const dashboard = await openDashboard(
    () => {
      if (running === null) throw startingAnew()
      return running.control
    },
    { port: args.controlPort, bundleDirectory: pathOf(files.bundleDirectory) },
  )
  /** In this process, so that whoever started it need not know; the page keeps its address and its session. */
  const restart = async () => {
    // Whoever asked is answered first.
    await new Promise((resolve) => setTimeout(resolve, ANSWER_FIRST_MS))
    const before = running
    running = null
    dashboard.cut()
    await before?.stop()
    const host = await start()
    running = host
    restarting = null
    // A model that does not load is shown in the window, as it is after any failure of the engine.
    host.whenServing().then(
      () => announceReady(host, dashboard.url),
      () => undefined,
    )
  }
  const stop = async () => {
    await restarting
    await running?.stop()
    await dashboard.close()
    process.exit(0)
  }
  process.on('SIGTERM', () => void stop())
  process.on('SIGINT', () => void stop())
  try {
    await first.whenServing()
  } catch (error) {
    await first.stop()
    fail(error)
  }
  announceReady(first, dashboard.url)
  // Whoever started us with a pipe and went away wants us gone too.
  process.stdout.on('error', () => void stop())
}

function announceReady(host: RunningHost, dashboardUrl: string): void {
  const status = host.status()
  console.log(
    JSON.stringify({
      event: 'ready',
      api: status.apiBaseUrl,
      dashboard: dashboardUrl,
      apiKeyFile: status.apiKeyFile,
      nodeId: status.nodeId,
      model: status.model?.id ?? null,
      mesh: host.services.mesh?.addresses() ?? null,
    }),
  )
}

function startingAnew(): TiramiError {
  return new TiramiError('HOST_RESTARTING', 'The host is starting anew.', {
    nextStep: 'Try again in a moment.',
    httpStatus: 503,
  })
}

const pathOf = fileURLToPath

function fail(error: unknown): never {
  console.log(JSON.stringify({ event: 'failed', error: toPublicError(error) }))
  console.error(error instanceof TiramiError ? `${error.message} ${error.nextStep}` : error)
  process.exit(1)
}

main().catch(fail)
