import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, type HostProcess, startHeadless } from './host.ts'

/** Hosts of one test find each other and nobody else. */
export const networkName = () => `test-${randomBytes(6).toString('hex')}`

/** A host on the loopback that joins the hosts at these addresses. */
export async function startMeshHost(
  directory: string,
  network: string,
  others: readonly HostProcess[],
  ...extra: string[]
): Promise<HostProcess> {
  const bootstrap = others.flatMap(({ ready }) => ['--bootstrap', ready.mesh?.[0] ?? ''])
  const mesh = ['--mesh-port', '0', '--mesh-loopback', '--mesh-network', network, ...bootstrap]
  return startHeadless(directory, ...mesh, ...extra)
}

/** A host that listens beyond this machine, and looks for others by multicast DNS. */
export const startLocalMeshHost = (directory: string, network: string, ...extra: string[]) =>
  startHeadless(directory, '--mesh-port', '0', '--mesh-network', network, ...extra)

export const meshPort = ({ ready }: HostProcess) => Number(/\/tcp\/(\d+)/.exec(ready.mesh?.[0] ?? '')?.[1])

export interface PeersView {
  count: number
  peers: { node_id: string; models: string[]; latency_ema_ms: number; verified_trades: number }[]
}

export interface SignedTradeView {
  trade_id: string
  provider: string
  consumer: string
  trm_amount: number
  tokens_processed: number
  model_id: string
}

export const peersOf = async (host: HostProcess) =>
  (await (await host.api('/tirami/peers')).json()) as PeersView

export const whenServing = (host: HostProcess, model: string) =>
  eventually(async () => (await peersOf(host)).peers.some(({ models }) => models.includes(model)), 60_000)

/** Trades with other hosts, in the host's own ledger. */
export const remoteTrades = async (host: HostProcess, other: string) => {
  const { trades } = (await (await host.api('/tirami/trades?limit=100')).json()) as {
    trades: SignedTradeView[]
  }
  return trades.filter(({ provider, consumer }) => provider === other || consumer === other)
}

/** A guest may be served: without a stake, that is what the welcome loan is for. */
export async function openToGuests(host: HostProcess): Promise<void> {
  const answer = await host.api('/tirami/agent/claim-welcome', { method: 'POST', body: '{}' })
  if (!answer.ok) throw new Error(await answer.text())
}

/** The owner lets his own questions leave the machine. */
export async function sendPrompts(host: HostProcess): Promise<void> {
  const body = JSON.stringify({ mesh: { send_prompts: true } })
  const answer = await host.api('/tirami/console', { method: 'PATCH', body })
  if (!answer.ok) throw new Error(await answer.text())
}

/** Trades of everybody that a host has heard of. */
export const observedTrades = async (host: HostProcess) => {
  const answer = await host.api('/tirami/mesh/trades?limit=100')
  return ((await answer.json()) as { trades: SignedTradeView[] }).trades
}

/** All trades with other hosts that a host has booked. */
export const tradesWithHosts = async (host: HostProcess, hosts: readonly HostProcess[]) => {
  const others = hosts.filter((other) => other !== host)
  const each = await Promise.all(others.map((other) => remoteTrades(host, other.ready.nodeId)))
  return each.flat()
}

/** Whether datagrams to a group come back on this machine: what multicast DNS needs. */
export function multicastWorks(): Promise<boolean> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  return new Promise((resolve) => {
    const done = (works: boolean) => {
      clearTimeout(timer)
      socket.close()
      resolve(works)
    }
    const timer = setTimeout(() => done(false), 2_000)
    socket.on('error', () => done(false))
    socket.on('message', () => done(true))
    socket.bind(0, () => {
      try {
        socket.addMembership(MDNS_GROUP)
        socket.send('is anybody there?', socket.address().port, MDNS_GROUP)
      } catch {
        done(false)
      }
    })
  })
}

const MDNS_GROUP = '224.0.0.251'

/** Nodes that a host has banned, as it keeps them for its next start. */
export function bannedBy(directory: string): string[] {
  const state = JSON.parse(readFileSync(join(directory, 'mesh.json'), 'utf8')) as {
    conduct: [nodeId: string, record: { bannedUntilMs: number }][]
  }
  return state.conduct.flatMap(([nodeId, { bannedUntilMs }]) => (bannedUntilMs > Date.now() ? [nodeId] : []))
}
