// The tensor kernels against plain C loops of the same sizes, compiled with -O3, both timed in this run.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AdamWStep,
  Arena,
  createSharedMemory,
  FLOAT_BYTES,
  seededRandom,
  type Tensor,
  TensorOps,
} from '../src-main/tensor/index.ts'

/** The sizes of recursion-kernels.c. */
const [ROWS, WIDTH, INNER, CLASSES, SIDE, PARAMETERS] = [1024, 64, 128, 12, 32, 75_000]
const ROUNDS = 15
const ROUND_MS = 20

export interface KernelFigure {
  readonly name: string
  /** Operations per call, counted the same way for both. */
  readonly flop: number
  readonly gigaflops: number
  /** Of the plain C loop; null where no C compiler was found. */
  readonly plainCGigaflops: number | null
}

interface Kernel {
  readonly name: string
  readonly what: string
  readonly flop: number
  readonly call: () => void
}

const ADAM_W: AdamWStep = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  beta1Power: 0.5,
  beta2Power: 0.5,
  gradientScale: 1,
}

function kernels(): Kernel[] {
  const memory = createSharedMemory(32 << 20)
  const arena = new Arena()
  const ops = new TensorOps(memory, arena)
  const random = seededRandom(1)
  const filled = (rows: number, columns: number): Tensor => {
    const tensor = arena.tensor(rows, columns)
    const values = new Float32Array(memory.buffer, tensor.offset, rows * columns)
    for (let i = 0; i < values.length; i++) values[i] = random() - 0.5
    return tensor
  }
  const integers = (limit: number): number => {
    const offset = arena.bytes(ROWS * FLOAT_BYTES)
    const values = new Int32Array(memory.buffer, offset, ROWS)
    for (let i = 0; i < ROWS; i++) values[i] = i % limit
    return offset
  }
  const [x, branch, y] = [filled(ROWS, WIDTH), filled(ROWS, WIDTH), filled(ROWS, WIDTH)]
  const [w, wide, active] = [filled(2 * INNER, WIDTH), filled(ROWS, 2 * INNER), filled(ROWS, INNER)]
  const [dw, taps, scales] = [filled(2 * INNER, WIDTH), filled(9, WIDTH), filled(ROWS, 1)]
  const logits = filled(ROWS, CLASSES)
  const wanted = {
    classes: CLASSES,
    targets: integers(CLASSES),
    weights: filled(ROWS, 1),
    probabilities: filled(ROWS, 1),
  }
  const partition = { index: integers(SIDE), tokens: ROWS, groups: SIDE }
  const means = filled(SIDE, WIDTH)
  const sets = [1, 2, 3, 4].map(() => filled(1, PARAMETERS)) as [Tensor, Tensor, Tensor, Tensor]
  const grid = { samples: 1, height: SIDE, width: SIDE }
  const product = 2 * ROWS * WIDTH * 2 * INNER
  const elements = ROWS * WIDTH
  return [
    {
      name: 'linearForward',
      what: `matrix product x·wᵀ, ${ROWS}×${WIDTH}×${2 * INNER}`,
      flop: product,
      call: () => ops.linearForward(x, w, wide),
    },
    {
      name: 'linearBackward',
      what: 'its gradients dy·w and dyᵀ·x',
      flop: 2 * product,
      call: () => ops.linearBackward(x, w, wide, y, dw, false),
    },
    {
      name: 'residualNorm',
      what: `RMS norm of a sum, ${ROWS}×${WIDTH}`,
      flop: 4 * elements,
      call: () => ops.residualNormForward(x, branch, y, scales, 1e-5),
    },
    {
      name: 'gated',
      what: `SwiGLU gate, ${ROWS}×${INNER}`,
      flop: 6 * ROWS * INNER,
      call: () => ops.gatedForward(wide, active),
    },
    {
      name: 'softmaxLoss',
      what: `softmax cross-entropy with gradient, ${ROWS}×${CLASSES}`,
      flop: 6 * ROWS * CLASSES,
      call: () => ops.classCrossEntropy(logits, wanted),
    },
    {
      name: 'stableMaxLoss',
      what: `stable-max cross-entropy with gradient, ${ROWS}×${CLASSES}`,
      flop: 6 * ROWS * CLASSES,
      call: () => ops.stableMaxCrossEntropy(logits, wanted),
    },
    {
      name: 'depthwise',
      what: `depthwise 3×3 convolution, ${SIDE}×${SIDE}×${WIDTH}`,
      flop: 18 * elements,
      call: () => ops.depthwiseForward(x, taps, y, grid),
    },
    {
      name: 'groupMeans',
      what: `means of ${SIDE} groups of ${ROWS} tokens`,
      flop: 2 * elements,
      call: () => ops.groupSum(x, means, partition, 1 / SIDE),
    },
    {
      name: 'adamW',
      what: `AdamW step of ${PARAMETERS} weights`,
      flop: 14 * PARAMETERS,
      call: () => ops.adamW(...sets, ADAM_W),
    },
  ]
}

/** Milliseconds of processor time per call, the shortest of many rounds, so that a busy machine matters little. */
function millisecondsPerCall(call: () => void): number {
  const spent = (since: NodeJS.CpuUsage): number => {
    const { user, system } = process.cpuUsage(since)
    return (user + system) / 1000
  }
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const started = process.cpuUsage()
    let calls = 0
    do {
      for (let i = 0; i < 10; i++) call()
      calls += 10
    } while (spent(started) < ROUND_MS)
    best = Math.min(best, spent(started) / calls)
  }
  return best
}

/** Nanoseconds per call of the plain C loops by name; nothing where they cannot be compiled. */
function plainC(): ReadonlyMap<string, number> | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tirami-bench-'))
  const program = join(folder, 'kernels')
  try {
    execFileSync('cc', ['-O3', '-o', program, join(import.meta.dirname, 'recursion-kernels.c'), '-lm'], {
      stdio: 'ignore',
    })
    const lines = execFileSync(program, { encoding: 'utf8' }).trim().split('\n')
    return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])] as const))
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function measureKernels(): KernelFigure[] {
  const reference = plainC()
  if (!reference)
    console.log('There is no C compiler here (cc), so the kernels are not compared with plain C.\n')
  return kernels().map(({ name, what, flop, call }) => {
    const gigaflops = flop / millisecondsPerCall(call) / 1e6
    const nanoseconds = reference?.get(name)
    const plainCGigaflops = nanoseconds === undefined ? null : flop / nanoseconds
    console.log(
      `${what}: ${gigaflops.toFixed(2)} GFLOP/s, plain C ${plainCGigaflops?.toFixed(2) ?? 'not measured'}`,
    )
    return { name: what, flop, gigaflops, plainCGigaflops }
  })
}
