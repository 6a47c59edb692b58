import { randomBytes } from 'node:crypto'
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
  eventually(async () => (await peersOf(host)).peers.some(({ models }) => models.includes(model)))

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
