export type { CatalogueEntry } from './catalogue.ts'
export { memoryNeedBytes } from './catalogue.ts'
export type { Download, Metering } from './download/manager.ts'
export { type GgufModel, readGgufModel } from './gguf.ts'
export type { InstalledModel } from './library.ts'
export {
  adviseLoad,
  estimateLoad,
  type LoadAdvice,
  type LoadEstimate,
  type LoadModel,
  type LoadSettings,
  type MachineMemory,
} from './load-estimate.ts'
export { type ModelStore, openModelStore } from './store.ts'
