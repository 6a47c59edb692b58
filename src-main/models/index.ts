export { type GgufModel, readGgufModel } from './gguf.ts'
