export {
  type Checkpoint,
  decodeWeights,
  describeWeights,
  encodeWeights,
  loadCheckpoint,
  type Manifest,
} from './checkpoint.ts'
export { InferenceEngine } from './inference.ts'
export { deliberate, type Policy } from './policy.ts'
export { createReasoner, EFFORT_POLICIES, type Effort, type ReasonRequest } from './reasoner.ts'
export type { Cycles, NetworkShape } from './shape.ts'
export {
  CANDIDATE_FEATURES,
  candidateFeatures,
  conversionProbability,
  loggedOutcomes,
  type Opportunity,
} from './tasks/funnel-choice.ts'
export { type Lead, trainingLeads } from './tasks/funnel-classification.ts'
export { type AnyTask, SIZES, TASKS } from './tasks/index.ts'
export type { ReasoningStep } from './tasks/task.ts'
export { RecursionTrainer, type TrainedModel, type TrainingRecipe, type TrainingReport } from './trainer.ts'
