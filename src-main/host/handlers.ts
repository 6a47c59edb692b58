import type { ProcedureInput, ProcedureName, ProcedureOutput } from '../../src-preload/contract/index.ts'

/** One function per procedure of the contract; inputs are parsed before it is called. */
export type Handlers = { [P in ProcedureName]: (input: ProcedureInput<P>) => Promise<ProcedureOutput<P>> }
