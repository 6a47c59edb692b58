export type { Control } from './control.ts'
export {
  type Edge,
  HOST_VERSION,
  type HostOptions,
  type HostServices,
  type RunningHost,
  startHost,
} from './host.ts'
export type { Consumer } from './keys.ts'
export type { Receipt, ServedModel, ServeEvent } from './serving.ts'
