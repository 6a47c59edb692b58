import type { FastifyInstance } from 'fastify'
import { Gauge, Registry } from 'prom-client'
import type { HostServices } from '../host/index.ts'
import type { Authorise } from './requests.ts'
import { PROTOCOL_VERSION } from './tirami/routes.ts'

/** Name, help, value, and whether the value is of this node rather than of the ledger. */
type Sample = [name: string, help: string, value: number | bigint, ofNode?: boolean]

/** One scrape. Each source is asked once: judging the recent trades is the most expensive of them. */
function samples({ ledger, economy, energy, nodeId, status }: HostServices): Sample[] {
  const own = ledger.balance(nodeId)
  const pool = economy.lending.pool()
  const supply = economy.staking.supply()
  const collusion = economy.reputation.collusion(nodeId)
  const income = economy.income()
  const proposals = economy.governance.proposals()
  const votes = proposals.reduce((sum, [id]) => sum + economy.governance.tally(id).voters, 0)
  const host = status()
  const energyUsed = energy.totals()
  return [
    [
      'tirami_cu_contributed_total',
      'TRM this node has earned.',
      own.contributedTrm - income.passedOnTrm,
      true,
    ],
    ['tirami_cu_consumed_total', 'TRM this node has spent.', own.consumedTrm - income.passedOnTrm, true],
    ['tirami_income_from_others', 'TRM that strangers paid this node.', income.fromOthersTrm, true],
    ['tirami_income_on_credit', 'The part of it that they still owe.', income.onCreditTrm, true],
    ['tirami_passed_on_total', 'TRM of guests paid on to other hosts.', income.passedOnTrm, true],
    ['tirami_trade_count_total', 'Trades in the ledger.', host.ledger.trades],
    ['tirami_reputation', 'Standing of this node, 0 to 1.', economy.reputation.of(nodeId), true],
    ['tirami_active_loan_count', 'Loans that are not repaid.', pool.activeLoans],
    ['tirami_pool_total_trm', 'Lent and lendable TRM of the pool.', pool.totalTrm],
    ['tirami_pool_reserve_ratio', 'Share of the pool that is not lent.', pool.reserveRatio],
    [
      'tirami_collusion_tight_cluster_score',
      'Trades with one counterparty.',
      collusion.tightClusterScore,
      true,
    ],
    ['tirami_collusion_volume_spike_score', 'Sudden volume.', collusion.volumeSpikeScore, true],
    ['tirami_collusion_round_robin_score', 'Trades in a circle.', collusion.roundRobinScore, true],
    ['tirami_collusion_trust_penalty', 'What that costs in reputation.', collusion.trustPenalty, true],
    ['tirami_active_proposals', 'Proposals that are open.', proposals.length],
    ['tirami_total_votes', 'Votes cast on open proposals.', votes],
    ['tirami_total_minted', 'TRM that came into being.', supply.mintedTrm],
    ['tirami_supply_factor', 'Share of the cap still to be minted.', supply.supplyFactor],
    ['tirami_current_epoch', 'Halving epoch.', supply.epoch],
    ['tirami_yield_rate', 'Yield per hour before multipliers.', supply.yieldRatePerHour],
    ['tirami_total_staked', 'TRM that all nodes have staked.', supply.stakedTrm],
    ['tirami_referral_bonus_minted', 'TRM minted to sponsors.', supply.referralBonusTrm],
    ['tirami_staked', 'TRM this node has staked.', economy.staking.view(nodeId).stakedTrm, true],
    ['tirami_total_burned', 'TRM that were destroyed.', ledger.accountTrm('system:burn')],
    ['tirami_journal_bytes', 'Size of the journal.', host.ledger.journalBytes],
    ['tirami_jobs_running', 'Answers being written.', host.jobs.running],
    ['tirami_jobs_queued', 'Requests waiting for a slot.', host.jobs.queued],
    ['tirami_engine_ready', '1 while the model answers.', host.engine.state === 'ready' ? 1 : 0],
    ['tirami_engine_restarts_total', 'Starts after a crash.', host.engine.restarts],
    [
      'tirami_energy_measured_joules_total',
      'Energy of jobs by a sensor, since the start.',
      energyUsed.measuredJ,
    ],
    [
      'tirami_energy_declared_joules_total',
      'Energy of jobs by what the owner declared.',
      energyUsed.declaredJ,
    ],
    ['tirami_energy_unknown_jobs_total', 'Jobs of which no energy is known.', energyUsed.unknownJobs],
    ['tirami_kill_switch_active', '1 while nothing may be spent.', host.safety.killSwitch === null ? 0 : 1],
    ['tirami_approvals_pending', 'Questions waiting for the owner.', host.safety.approvals.length],
    ['tirami_process_started_at_secs', 'Start of the host, Unix time.', Math.floor(host.startedAtMs / 1000)],
    ['tirami_process_uptime_secs', 'Time since the host started.', Math.floor(process.uptime())],
    ['tirami_protocol_version', 'Protocol version.', PROTOCOL_VERSION],
  ]
}

/** `GET /metrics` in Prometheus' text format (spec section 1.13). It tells who earned what, so it needs a key. */
export function registerMetrics(app: FastifyInstance, services: HostServices, authorise: Authorise): void {
  app.get('/metrics', async (request, reply) => {
    authorise(request, 'ledger.read')
    const registry = new Registry()
    for (const [name, help, value, ofNode] of samples(services)) {
      const gauge = new Gauge({ name, help, labelNames: ['node_id'], registers: [registry] })
      gauge.set(ofNode ? { node_id: services.nodeId } : {}, Number(value))
    }
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}
