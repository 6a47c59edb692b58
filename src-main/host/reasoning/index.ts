export { createReasoning, type Reasoning } from './reasoning.ts'
export { type ReasonQuestion, serveReason } from './serve.ts'
