import { isIPv4 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { parseBody, WholeTrm } from '../requests.ts'
import { type EconomyRoutes, NoBody, NodeIdHex } from './economy-http.ts'

const Days = z.enum(['7d', '30d', '90d', '365d']).transform((text) => DAYS[text])
const DAYS = { '7d': 7, '30d': 30, '90d': 90, '365d': 365 } as const

const StakeBody = z.strictObject({ amount: WholeTrm, duration: Days })
const ReferBody = z.strictObject({ referred_hex: NodeIdHex })
/** `bucket` is read and not believed: the network of origin is what this host sees. */
const ClaimBody = z.strictObject({ bucket: z.string().max(64).optional() }).optional()

/** Supply, staking, referrals and the welcome loan (spec sections 1.10, 1.11). */
export function registerStaking(app: FastifyInstance, routes: EconomyRoutes): void {
  const { economy, nodeId, authorise } = routes
  const { staking } = economy

  app.get('/v1/tirami/su/supply', async (request) => {
    authorise(request, 'ledger.read')
    const supply = staking.supply()
    return {
      total_supply: Number(supply.capTrm),
      total_minted: Number(supply.mintedTrm),
      supply_factor: supply.supplyFactor,
      current_epoch: supply.epoch,
      yield_rate: supply.yieldRatePerHour,
      transaction_fee_active: supply.feeActive,
      transaction_fee_rate: supply.feeRate,
    }
  })

  app.get('/v1/tirami/su/stake', async (request) => {
    authorise(request, 'ledger.read')
    const { stake, stakedTrm, locked, multiplier } = staking.view(nodeId)
    const { eligibility, welcomeLoan, nextStep } = economy.standing()
    const standing = { eligibility, welcome_loan: welcomeLoan, next_step: nextStep }
    const staked = Number(stakedTrm)
    if (!stake) return { staked, ...standing }
    const terms = { duration: `${stake.days}d`, multiplier, locked, unlocks_at_ms: stake.unlocksAtMs }
    return { staked, ...terms, ...standing }
  })

  app.post('/v1/tirami/su/stake', async (request) => {
    authorise(request, 'economy.write')
    const { amount, duration } = parseBody(StakeBody, request.body)
    const event = await staking.stake({ node: nodeId, amountTrm: amount, days: duration })
    return { ok: true, multiplier: event.multiplier, unlocks_at_ms: event.unlocksAtMs }
  })

  app.post('/v1/tirami/su/extend', async (request) => {
    authorise(request, 'economy.write')
    const { amount, duration } = parseBody(StakeBody, request.body)
    const event = await staking.extend({ node: nodeId, addTrm: amount, days: duration })
    return { ok: true, multiplier: event.multiplier, unlocks_at_ms: event.unlocksAtMs }
  })

  app.post('/v1/tirami/su/unstake', async (request) => {
    authorise(request, 'economy.write')
    parseBody(NoBody, request.body)
    const event = await staking.unstake(nodeId)
    return { ok: true, returned: Number(event.amountTrm) }
  })

  registerReferrals(app, routes)

  app.post('/v1/tirami/agent/claim-welcome', async (request) => {
    const { consumer } = authorise(request, 'economy.write')
    // The header may only name the caller's own account: the edge has seen to that.
    const node = request.headers['x-tirami-node-id'] === undefined ? nodeId : consumer.publicKeyHex
    parseBody(ClaimBody, request.body)
    const loan = await staking.claimWelcome(node, networkOf(request.ip))
    return {
      node_id: node,
      principal_trm: Number(loan.principalTrm),
      granted_at_ms: loan.atMs,
      expires_at_ms: loan.expiresAtMs,
    }
  })
}

function registerReferrals(app: FastifyInstance, { economy, authorise }: EconomyRoutes): void {
  const { staking } = economy

  app.post('/v1/tirami/su/refer', async (request) => {
    authorise(request, 'economy.write')
    await staking.refer(parseBody(ReferBody, request.body).referred_hex)
    return { ok: true, referral_count: staking.referrals().length }
  })

  app.get('/v1/tirami/su/referrals', async (request) => {
    authorise(request, 'ledger.read')
    const referrals = staking.referrals()
    const earnedTrm = referrals.reduce((sum, { referral }) => sum + (referral.bonusTrm ?? 0n), 0n)
    return {
      count: referrals.length,
      total_bonus_earned: Number(earnedTrm),
      referrals: referrals.map(({ referred, referral }) => ({
        referred,
        sponsored_at_ms: referral.sponsoredAtMs,
        loan_repaid: referral.loanRepaid,
        earn_threshold_met: referral.thresholdMet,
        bonus_paid: referral.bonusTrm !== null,
      })),
    }
  })
}

/** The network that an address belongs to: /24 or /48, as providers hand them out to one customer. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  if (isIPv4(plain)) return plain.split('.').slice(0, 3).join('.')
  return plain.toLowerCase().split('%')[0]?.split(':').slice(0, 3).join(':') || 'unknown'
}
