export type { Control } from './control.ts'
export { type Edge, type HostServices, type RunningHost, startHost } from './host.ts'
export type { Consumer } from './keys.ts'
export type { Receipt, ServeEvent } from './serving.ts'
