import type { EngineStatus } from '../../src-preload/contract/index.ts'
import { i18n } from '../i18n/index.ts'

const tones = {
  starting: 'warn',
  ready: 'earning',
  restarting: 'warn',
  unloaded: 'plain',
  stopped: 'plain',
  failed: 'bad',
} as const

export const engineState = (state: EngineStatus['state']) => ({
  tone: tones[state],
  label: i18n.t(`engine.states.${state}`),
})

export function computesOn({ backend, state }: EngineStatus): string {
  if (backend !== null) return i18n.t(`engine.backends.${backend}`)
  return state === 'stopped' || state === 'unloaded'
    ? i18n.t('engine.nothingNow')
    : i18n.t('engine.notReported')
}
