export { EngineBusyError } from './errors.ts'
export { FairQueue } from './fair-queue.ts'
export { forkEngine, type TalkingEngineProcess } from './fork.ts'
export { type FlopCost, generationFlop, jobFlop, maxJobFlop, prefillFlop } from './meter.ts'
export { createEngine, type EngineOptions } from './supervisor.ts'
export { createSwitchingEngine } from './switching.ts'
export { chooseThreads } from './threads.ts'
export {
  type AnswerPiece,
  createToolCallParser,
  FORCED_TOOL_CALL_FORMAT,
  forcedToolFormat,
  type ToolCallParser,
} from './tool-calls.ts'
export type {
  ChatTurn,
  EmbedEvent,
  Engine,
  EngineCommand,
  EngineProcess,
  EngineReport,
  GenerateEvent,
  GenerateRequest,
  JobRequest,
  LoadedModel,
  LoadPlan,
  OutputFormat,
  SpawnEngine,
  TokenLogprob,
  TokenLogprobs,
  ToolCall,
  ToolCallFormat,
  ToolDefinition,
} from './types.ts'
export { createUpstreamEngine, listUpstreamModels } from './upstream/engine.ts'
