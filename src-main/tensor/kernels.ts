import { KERNELS_BASE64 } from './kernels/kernels.generated.ts'

type Kernel<Argument = number> = (...operands: Argument[]) => void

/** The raw WebAssembly functions; operands as documented in kernels/assembly, pointers as byte offsets. */
export interface KernelExports {
  gemmScratchBytes(): number
  gemm: Kernel
  rmsNormForward: Kernel
  rmsNormBackward: Kernel
  swigluForward: Kernel
  swigluBackward: Kernel
  softmaxCrossEntropy: Kernel
  gatherRows: Kernel
  scatterAddRows: Kernel
  copyFloats: Kernel
  zeroFloats: Kernel
  addInPlace: Kernel
  dropout: Kernel
  rotate: Kernel
  attentionForward: Kernel
  attentionBackward: Kernel
  sumOfSquares(x: number, count: number): number
  adamW: Kernel
  movingAverage: Kernel
  sumOfTwo: Kernel
  sumOfThree: Kernel
  residualNormForward: Kernel
  residualNormBackward: Kernel
  tokenNormForward: Kernel
  tokenNormBackward: Kernel
  sigmoid: Kernel
  gatedForward: Kernel
  gatedBackward: Kernel
  groupSum: Kernel
  groupSpread: Kernel
  depthwiseConvolution: Kernel
  depthwiseWeightGradient: Kernel
  gatherScaledRows: Kernel
  scatterAddScaledRows: Kernel
  argMaxRows: Kernel
  stableMaxCrossEntropy: Kernel
  softMaxClassCrossEntropy: Kernel
}

const PAGE_BYTES = 65_536
/** The largest memory that 32-bit WebAssembly addresses; the kernels import is compiled with this maximum. */
const MAXIMUM_PAGES = 65_536

let compiled: WebAssembly.Module | undefined

/** A WebAssembly memory of at least `bytes` bytes that threads may share. */
export function createSharedMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE_BYTES) + 1
  if (pages > MAXIMUM_PAGES) throw new RangeError(`${bytes} bytes are more than a WebAssembly memory holds`)
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}

/** Binds the kernels to `memory`. Each thread makes its own instance over the one shared memory. */
export function instantiateKernels(memory: WebAssembly.Memory): KernelExports {
  compiled ??= new WebAssembly.Module(Buffer.from(KERNELS_BASE64, 'base64'))
  const instance = new WebAssembly.Instance(compiled, { env: { memory } })
  return instance.exports as unknown as KernelExports
}
