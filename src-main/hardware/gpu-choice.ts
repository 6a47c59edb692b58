import { canCompute } from './compute-state.ts'
import type { Gpu, Hardware, Sensors } from './types.ts'

/** What the owner lets the engine do with one GPU. */
export interface GpuRule {
  id: string
  use: boolean
  maxMemoryGib: number | null
}

/** What the engine is told: all GPUs, none, or these of NVIDIA's and no others. */
export type GpuDevice = 'auto' | 'cpu' | { cuda: string[] }

export interface GpuChoice {
  device: GpuDevice
  /** Of the GPU that a model is planned for; null: none. */
  memory: { freeVramBytes: number; isUnified: boolean } | null
  /** The owner limits the memory of a GPU: layers are to be counted, not what is free. */
  capped: boolean
  /** Why no GPU is used though there are some; null where one is, or there is none. */
  why: 'kept-off' | 'not-addressable' | null
}

const GIB = 2 ** 30
/** A name by which CUDA knows one GPU; others are known by numbers that change. */
const CUDA_NAME = /^GPU-[\w-]{1,64}$/

/**
 * Which GPUs the engine may use, and how much of their memory. With a limit on memory a model is put on one GPU only, the
 * one with the most room: llama.cpp alone decides how it divides a model among several. Only CUDA can be told which GPUs
 * to leave alone; where another backend would have to be, none is used rather than one that the owner keeps for himself.
 *
 * @param givenBackBytes memory that the model in use would free
 */
export function chooseGpus(
  hardware: Hardware,
  sensors: Pick<Sensors, 'gpus'>,
  rules: readonly GpuRule[],
  { freeRamBytes, givenBackBytes }: { freeRamBytes: number; givenBackBytes: number },
): GpuChoice {
  const able = hardware.gpus.filter((gpu) => canCompute(gpu, hardware))
  const ruleOf = ({ id }: Gpu) => rules.find((rule) => rule.id === id)
  const allowed = able.filter((gpu) => ruleOf(gpu)?.use !== false)
  const none = { device: 'cpu', memory: null, capped: false } as const
  if (able.length === 0) return { ...none, device: 'auto', why: null }
  if (allowed.length === 0) return { ...none, why: 'kept-off' }

  const room = allowed
    .flatMap((gpu) => {
      const freeVramBytes = freeBytesOf(gpu, sensors, freeRamBytes, givenBackBytes)
      const capGib = ruleOf(gpu)?.maxMemoryGib ?? null
      if (freeVramBytes === null && capGib === null) return []
      const capBytes = capGib === null ? Number.POSITIVE_INFINITY : capGib * GIB
      return [{ gpu, bytes: Math.min(freeVramBytes ?? Number.POSITIVE_INFINITY, capBytes) }]
    })
    .sort((left, right) => right.bytes - left.bytes)
  const [best] = room
  const capped = allowed.some((gpu) => (ruleOf(gpu)?.maxMemoryGib ?? null) !== null)
  const chosen = capped && best ? [best.gpu] : allowed
  const memory = best ? { freeVramBytes: best.bytes, isUnified: best.gpu.isUnified } : null
  if (chosen.length === able.length) return { device: 'auto', memory, capped, why: null }
  const cuda = chosen.map(({ id }) => id)
  if (!cuda.every((id) => CUDA_NAME.test(id))) return { ...none, why: 'not-addressable' }
  return { device: { cuda }, memory, capped, why: null }
}

/** Null: it does not say how much it has. */
function freeBytesOf(
  { id, vramTotalBytes, isUnified }: Gpu,
  { gpus }: Pick<Sensors, 'gpus'>,
  freeRamBytes: number,
  givenBackBytes: number,
): number | null {
  if (vramTotalBytes === null) return null
  if (isUnified) return Math.min(vramTotalBytes, freeRamBytes)
  const usedBytes = gpus.find((live) => live.id === id)?.vramUsedBytes ?? 0
  return Math.min(vramTotalBytes, vramTotalBytes - usedBytes + givenBackBytes)
}
