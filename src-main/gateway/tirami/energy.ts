import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { Hex32 } from '../../../src-preload/contract/index.ts'
import type { HostServices } from '../../host/index.ts'
import { type Authorise, parseBody } from '../requests.ts'
import { snakeCase } from '../snake-case.ts'

const EnergyQuery = z.strictObject({ trade_id: Hex32.optional() })

/** What jobs drew and what it cost, and how that is known: by a sensor, by what the owner declared, or not. */
export function registerEnergy(
  app: FastifyInstance,
  { energy, stewardship }: Pick<HostServices, 'energy' | 'stewardship'>,
  authorise: Authorise,
): void {
  app.get('/v1/tirami/energy', async (request) => {
    authorise(request, 'ledger.read')
    const { trade_id: tradeId } = parseBody(EnergyQuery, request.query)
    if (tradeId !== undefined) {
      const known = energy.of(tradeId)
      return { trade_id: tradeId, source: known?.label ?? 'unknown', joules: known?.energyJ ?? null }
    }
    const { measuredJ, declaredJ, unknownJobs } = energy.totals()
    return { measured_joules: measuredJ, declared_joules: declaredJ, unknown_jobs: unknownJobs }
  })

  app.get('/v1/tirami/money', async (request) => {
    authorise(request, 'ledger.read')
    return snakeCase(stewardship.money(energy.power()))
  })
}
