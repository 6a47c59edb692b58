import { fillSentence, type SentenceParams } from '../kernel/index.ts'
import type { Backend, Gpu, Hardware } from './types.ts'

export interface ComputeState {
  /** What the engine computes with; null until it has reported. */
  backend: Backend | null
  /** The best that this machine's hardware can do. */
  expectedBackend: Backend
  /** The engine computes with less than the machine has. */
  degraded: boolean
  /** For a person, in English. */
  sentence: string
  /** Null when there is nothing to do. */
  nextStep: string | null
  /** The same for a program: `params` are what both mention. */
  code: ComputeCode
  params: SentenceParams
}

/** Stable: the window has sentences for each. */
export type ComputeCode = keyof typeof COMPUTE_SENTENCES

/** English. `backend` and `expected` are backends, `gpu` is a name, `vendor` in capitals. */
export const COMPUTE_SENTENCES = {
  unreported: { sentence: 'The engine has not yet said what it computes with.', nextStep: null },
  cpu: {
    sentence: 'The engine computes on the CPU: this machine has no GPU that it can use.',
    nextStep: null,
  },
  backend: { sentence: 'The engine computes with {backend}.', nextStep: null },
  gpu: { sentence: 'The engine computes with {backend} on {gpu}.', nextStep: null },
  'kept-off': { sentence: 'The engine computes on the CPU: you keep its GPUs for yourself.', nextStep: null },
  'not-addressable': {
    sentence:
      'The engine computes on the CPU: one GPU is to be left alone, and only NVIDIA’s driver can be told which.',
    nextStep: 'Allow every GPU of this computer, or take the limit of memory away.',
  },
  elsewhere: { sentence: 'The server at {server} computes.', nextStep: null },
  'no-driver': {
    sentence:
      "This machine has {gpu}, but the engine computes on {backend}: the GPU's driver is missing or does not answer.",
    nextStep: 'Install or update the {vendor} driver, restart the computer, then restart the engine.',
  },
  'cpu-instead': {
    sentence: 'This machine has {gpu}, but the engine computes on the CPU instead of {expected}.',
    nextStep:
      'Check that the engine is allowed to use the GPU and that other programs leave it memory, then restart the engine.',
  },
  'backend-instead': {
    sentence: 'This machine has {gpu}, but the engine computes with {backend} instead of {expected}.',
    nextStep: 'Update the driver so that {expected} can be used, then restart the engine.',
  },
} as const satisfies Record<string, { sentence: string; nextStep: string | null }>

/** A sentence about what computes, with its code. */
export function computeWords(
  code: ComputeCode,
  params: SentenceParams = {},
): Pick<ComputeState, 'code' | 'params' | 'sentence' | 'nextStep'> {
  const named = Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, NAMES[value as Backend] ?? value]),
  )
  const { sentence, nextStep } = COMPUTE_SENTENCES[code]
  return {
    code,
    params,
    sentence: fillSentence(sentence, named),
    nextStep: nextStep && fillSentence(nextStep, named),
  }
}

const NAMES: Record<Backend, string> = { metal: 'Metal', cuda: 'CUDA', vulkan: 'Vulkan', cpu: 'the CPU' }

/** Backends that a GPU could be used with, best first, were its driver there. */
function backendsOf(
  gpu: Gpu,
  { platform, architecture }: Pick<Hardware, 'platform' | 'architecture'>,
): Backend[] {
  if (platform === 'darwin') return gpu.vendor === 'apple' && architecture === 'arm64' ? ['metal'] : []
  if (gpu.vendor === 'nvidia') return ['cuda', 'vulkan']
  // Intel's integrated graphics are no faster than the CPU beside them.
  return gpu.vendor === 'amd' || (gpu.vendor === 'intel' && !gpu.isUnified) ? ['vulkan'] : []
}

/** Whether the engine could use it, were its driver there. */
export const canCompute = (gpu: Gpu, machine: Pick<Hardware, 'platform' | 'architecture'>): boolean =>
  backendsOf(gpu, machine).length > 0

const RANKING: readonly Backend[] = ['metal', 'cuda', 'vulkan', 'cpu']

/** Best first; always ends with `cpu`. A GPU counts even while its driver is missing. */
export function candidateBackends(machine: Pick<Hardware, 'platform' | 'architecture' | 'gpus'>): Backend[] {
  const found = new Set<Backend>(['cpu', ...machine.gpus.flatMap((gpu) => backendsOf(gpu, machine))])
  return RANKING.filter((backend) => found.has(backend))
}

/** Compares what the engine computes with to what the machine has: a fall to the CPU is never silent. */
export function computeState(
  hardware: Pick<Hardware, 'platform' | 'architecture' | 'gpus'>,
  engine: { backend: Backend | null },
): ComputeState {
  const expectedBackend = candidateBackends(hardware)[0] ?? 'cpu'
  const gpu = hardware.gpus.find((candidate) => backendsOf(candidate, hardware)[0] === expectedBackend)
  const { backend } = engine
  if (backend === null) return { backend, expectedBackend, degraded: false, ...computeWords('unreported') }
  const degraded = RANKING.indexOf(backend) > RANKING.indexOf(expectedBackend)
  if (degraded && gpu)
    return { backend, expectedBackend, degraded, ...complaint(gpu, backend, expectedBackend) }
  const words =
    backend === 'cpu'
      ? computeWords('cpu')
      : gpu
        ? computeWords('gpu', { backend, gpu: gpu.name })
        : computeWords('backend', { backend })
  return { backend, expectedBackend, degraded: false, ...words }
}

function complaint(gpu: Gpu, backend: Backend, expected: Backend): ReturnType<typeof computeWords> {
  const { name, vendor } = gpu
  if (gpu.driverVersion === null && vendor !== 'apple')
    return computeWords('no-driver', { gpu: name, backend, vendor: vendor.toUpperCase() })
  const code = backend === 'cpu' ? 'cpu-instead' : 'backend-instead'
  return computeWords(code, { gpu: name, backend, expected })
}
