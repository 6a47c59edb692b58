import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { AccessAction } from '../../economy/index.ts'
import type { EconomyService, HostMarket } from '../../host/index.ts'

/** What the routes of the economy are given. */
export interface EconomyRoutes {
  economy: EconomyService
  /** Other hosts, which may be joined and left while the host runs; null or absent: none. */
  mesh?: () => Pick<HostMarket, 'loans' | 'statements'> | null
  /** This host's node: the commands act for it. */
  nodeId: string
  /**
   * @returns the account behind the key
   * @throws TiramiError 401 or 403 when the caller may not do this
   */
  authorise(request: FastifyRequest, action: AccessAction): { consumer: { publicKeyHex: string } }
}

export const NodeIdHex = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits')

/** Of calls that take nothing: no body, or an empty object. */
export const NoBody = z.strictObject({}).optional()
