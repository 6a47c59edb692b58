import type { FastifyInstance } from 'fastify'
import type { EconomyRoutes } from './economy-http.ts'
import { registerGovernance } from './governance.ts'
import { registerLending } from './lending.ts'
import { registerReputation } from './reputation.ts'
import { registerStaking } from './staking.ts'

/** The economy under `/v1/tirami/` (spec sections 1.4, 1.6, 1.10, 1.11), field names kept. */
export function registerEconomy(app: FastifyInstance, routes: EconomyRoutes): void {
  registerStaking(app, routes)
  registerLending(app, routes)
  registerGovernance(app, routes)
  registerReputation(app, routes)
}
