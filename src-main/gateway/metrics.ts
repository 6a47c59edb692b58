import type { FastifyInstance } from 'fastify'
import { Gauge, Registry } from 'prom-client'
import type { HostServices } from '../host/index.ts'
import type { Authorise } from './requests.ts'
import { PROTOCOL_VERSION } from './tirami/routes.ts'

interface Sample {
  value: number
  nodeId?: string
}

type Reading = [name: string, help: string, read: () => Sample | Sample[]]

function readings(services: HostServices): Reading[] {
  const { ledger, safety, economy, nodeId } = services
  const { staking, lending, reputation } = economy
  const own = () => ledger.balance(nodeId)
  const engine = () => services.status().engine
  const of = (value: number | bigint): Sample => ({ value: Number(value) })
  const ofNode = (value: number | bigint): Sample => ({ value: Number(value), nodeId })
  return [
    ['tirami_cu_contributed_total', 'TRM this node has earned.', () => ofNode(own().contributedTrm)],
    ['tirami_cu_consumed_total', 'TRM this node has spent.', () => ofNode(own().consumedTrm)],
    ['tirami_trade_count_total', 'Trades in the ledger.', () => of(ledger.tradeCount())],
    ['tirami_reputation', 'Standing of this node, 0 to 1.', () => ofNode(reputation.of(nodeId))],
    ['tirami_active_loan_count', 'Loans that are not repaid.', () => of(lending.pool().activeLoans)],
    ['tirami_pool_total_trm', 'Lent and lendable TRM of the pool.', () => of(lending.pool().totalTrm)],
    [
      'tirami_pool_reserve_ratio',
      'Share of the pool that is not lent.',
      () => of(lending.pool().reserveRatio),
    ],
    [
      'tirami_collusion_tight_cluster_score',
      'Trades with one counterparty.',
      () => ofNode(reputation.collusion(nodeId).tightClusterScore),
    ],
    [
      'tirami_collusion_volume_spike_score',
      'Sudden volume.',
      () => ofNode(reputation.collusion(nodeId).volumeSpikeScore),
    ],
    [
      'tirami_collusion_round_robin_score',
      'Trades in a circle.',
      () => ofNode(reputation.collusion(nodeId).roundRobinScore),
    ],
    [
      'tirami_collusion_trust_penalty',
      'What that costs in reputation.',
      () => ofNode(reputation.collusion(nodeId).trustPenalty),
    ],
    ['tirami_active_proposals', 'Votes that are open.', () => of(economy.governance.proposals().length)],
    ['tirami_total_minted', 'TRM that came into being.', () => of(staking.supply().mintedTrm)],
    ['tirami_supply_factor', 'Share of the cap still to be minted.', () => of(staking.supply().supplyFactor)],
    ['tirami_current_epoch', 'Halving epoch.', () => of(staking.supply().epoch)],
    ['tirami_yield_rate', 'Yield per hour before multipliers.', () => of(staking.supply().yieldRatePerHour)],
    ['tirami_staked', 'TRM this node has staked.', () => ofNode(staking.view(nodeId).stakedTrm)],
    ['tirami_total_burned', 'TRM that were destroyed.', () => of(ledger.accountTrm('system:burn'))],
    ['tirami_journal_bytes', 'Size of the journal.', () => of(services.status().ledger.journalBytes)],
    ['tirami_jobs_running', 'Answers being written.', () => of(services.status().jobs.running)],
    ['tirami_jobs_queued', 'Requests waiting for a slot.', () => of(services.status().jobs.queued)],
    ['tirami_engine_ready', '1 while the model answers.', () => of(engine().state === 'ready' ? 1 : 0)],
    ['tirami_engine_restarts_total', 'Starts after a crash.', () => of(engine().restarts)],
    [
      'tirami_kill_switch_active',
      '1 while nothing may be spent.',
      () => of(safety.gauges(nodeId).killSwitch.active ? 1 : 0),
    ],
    ['tirami_approvals_pending', 'Questions waiting for the owner.', () => of(safety.approvals().length)],
    [
      'tirami_process_started_at_secs',
      'Start of the host, Unix time.',
      () => of(Math.floor(services.status().startedAtMs / 1000)),
    ],
    ['tirami_process_uptime_secs', 'Time since the host started.', () => of(Math.floor(process.uptime()))],
    ['tirami_protocol_version', 'Protocol version.', () => of(PROTOCOL_VERSION)],
  ]
}

/** `GET /metrics` in Prometheus' text format (spec section 1.13). It tells who earned what, so it needs a key. */
export function registerMetrics(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  const registry = new Registry()
  for (const [name, help, read] of readings(services)) {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['node_id'],
        registers: [],
        collect() {
          this.reset()
          for (const { value, nodeId } of [read()].flat()) this.set(nodeId ? { node_id: nodeId } : {}, value)
        },
      }),
    )
  }
  app.get('/metrics', async (request, reply) => {
    authorise(request, 'ledger.read')
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}
