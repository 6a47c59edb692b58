import type { ProcedureName } from './schemas.ts'

/**
 * The names of all procedures without their schemas: preload is one small file and cannot carry zod.
 * A test keeps this equal to the keys of `procedures`.
 */
export const bridgeProcedureNames = [
  'status.get',
  'host.pause',
  'host.resume',
  'earnings.get',
  'trades.list',
  'trades.prove',
  'chat.start',
  'chat.cancel',
] as const satisfies readonly ProcedureName[]

type Missing = Exclude<ProcedureName, (typeof bridgeProcedureNames)[number]>
/** Fails to compile when a procedure is missing above. */
export const allNamed: [Missing] extends [never] ? true : Missing = true
