export { createReasoning } from './reasoning.ts'
export { serveReason } from './serve.ts'
