import type { ProcedureName } from './schemas.ts'

/** Does not compile when a procedure of the contract is missing, or one is named that it does not have. */
const names: Record<ProcedureName, true> = {
  'status.get': true,
  'host.pause': true,
  'host.resume': true,
  'safety.kill': true,
  'safety.answer': true,
  'hardware.sensors': true,
  'models.get': true,
  'models.load': true,
  'models.delete': true,
  'models.add': true,
  'models.configure': true,
  'downloads.pause': true,
  'downloads.resume': true,
  'downloads.cancel': true,
  'wallet.get': true,
  'wallet.stake': true,
  'wallet.unstake': true,
  'wallet.claimWelcome': true,
  'wallet.refer': true,
  'wallet.deposit': true,
  'wallet.withdraw': true,
  'wallet.borrow': true,
  'wallet.repay': true,
  'keys.list': true,
  'keys.issue': true,
  'keys.revoke': true,
  'keys.limit': true,
  'keys.reset': true,
  'reason.tasks': true,
  'reason.example': true,
  'reason.run': true,
  'earnings.get': true,
  'trades.list': true,
  'trades.prove': true,
  'chat.start': true,
  'chat.cancel': true,
}

/** The names of all procedures without their schemas: preload is one small file and cannot carry zod. */
export const bridgeProcedureNames = Object.keys(names)
