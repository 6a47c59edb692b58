export type { CatalogueEntry } from './catalogue.ts'
export { memoryNeedBytes } from './catalogue.ts'
export type { Metering } from './download/manager.ts'
export type { Net } from './download/net.ts'
export { fitWords, gib } from './fit-sentences.ts'
export { type GgufModel, readGgufModel } from './gguf.ts'
export type { InstalledModel } from './library.ts'
export {
  adviseLoad,
  estimateLoad,
  type LoadAdvice,
  type LoadModel,
  type LoadSettings,
  type MachineMemory,
} from './load-estimate.ts'
export { type ModelStore, openModelStore } from './store.ts'
