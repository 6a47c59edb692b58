export { createReasoning, type Reasoning } from './reasoning.ts'
export { serveReason } from './serve.ts'
