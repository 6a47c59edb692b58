import type { EngineStatus } from '../../src-preload/contract/index.ts'

export const engineStates = {
  starting: { tone: 'warn', label: 'Starting' },
  ready: { tone: 'earning', label: 'Ready' },
  restarting: { tone: 'warn', label: 'Restarting' },
  unloaded: { tone: 'plain', label: 'Unloaded' },
  stopped: { tone: 'plain', label: 'Stopped' },
  failed: { tone: 'bad', label: 'Failed' },
} as const

const backends = { cpu: 'CPU, no GPU in use', metal: 'Metal', cuda: 'CUDA', vulkan: 'Vulkan' } as const

export function computesOn({ backend, state }: EngineStatus): string {
  if (backend !== null) return backends[backend]
  return state === 'stopped' || state === 'unloaded' ? 'Nothing now' : 'Not reported yet'
}
