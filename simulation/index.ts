export { type SeedReport, simulate } from './simulate.ts'
export type { WorldSize } from './world.ts'
