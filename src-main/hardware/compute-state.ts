import type { Backend, Gpu, Hardware } from './types.ts'

export interface ComputeState {
  /** What the engine computes with; null until it has reported. */
  backend: Backend | null
  /** The best that this machine's hardware can do. */
  expectedBackend: Backend
  /** The engine computes with less than the machine has. */
  degraded: boolean
  /** For a person. */
  sentence: string
  /** Null when there is nothing to do. */
  nextStep: string | null
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
  if (backend === null) {
    const sentence = 'The engine has not yet said what it computes with.'
    return { backend, expectedBackend, degraded: false, sentence, nextStep: null }
  }
  const degraded = RANKING.indexOf(backend) > RANKING.indexOf(expectedBackend)
  if (degraded && gpu)
    return { backend, expectedBackend, degraded, ...complaint(gpu, backend, expectedBackend) }
  const sentence =
    backend === 'cpu'
      ? 'The engine computes on the CPU: this machine has no GPU that it can use.'
      : `The engine computes with ${NAMES[backend]}${gpu ? ` on ${gpu.name}` : ''}.`
  return { backend, expectedBackend, degraded: false, sentence, nextStep: null }
}

function complaint(gpu: Gpu, backend: Backend, expected: Backend): { sentence: string; nextStep: string } {
  const where = backend === 'cpu' ? 'on the CPU' : `with ${NAMES[backend]}`
  const fact = `This machine has ${gpu.name}, but the engine computes ${where}`
  if (gpu.driverVersion === null && gpu.vendor !== 'apple') {
    return {
      sentence: `${fact}: the GPU's driver is missing or does not answer.`,
      nextStep: `Install or update the ${gpu.vendor.toUpperCase()} driver, restart the computer, then restart the engine.`,
    }
  }
  const nextStep =
    backend === 'cpu'
      ? 'Check that the engine is allowed to use the GPU and that other programs leave it memory, then restart the engine.'
      : `Update the driver so that ${NAMES[expected]} can be used, then restart the engine.`
  return { sentence: `${fact} instead of ${NAMES[expected]}.`, nextStep }
}
