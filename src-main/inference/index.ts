export { forkEngine, type TalkingEngineProcess } from './fork.ts'
export { type FlopCost, generationFlop, jobFlop, maxJobFlop, prefillFlop } from './meter.ts'
export { createEngine, type EngineOptions } from './supervisor.ts'
export { chooseThreads } from './threads.ts'
export type {
  ChatTurn,
  Engine,
  EngineCommand,
  EngineProcess,
  EngineReport,
  GenerateEvent,
  GenerateRequest,
  LoadedModel,
  SpawnEngine,
} from './types.ts'
