export { Arena, FLOAT_BYTES, firstRows, type Tensor } from './arena.ts'
export { exactExp, exactSineCosine, rotationTable, seededNormal, seededRandom } from './exact-math.ts'
export { createSharedMemory } from './kernels.ts'
export {
  type AdamWStep,
  type Grid,
  type HeadShape,
  type Packing,
  type Partition,
  TensorOps,
} from './ops.ts'
export { serveJobs, WorkerPool } from './workers.ts'
