import { Backend, type HardwareInfo } from '../../src-preload/contract/index.ts'
import { hostWords, i18n } from '../i18n/index.ts'

/** What computes, and what to do about it, in the person's language. */
export function computeWords({ code, params, sentence, nextStep }: HardwareInfo['compute']): {
  sentence: string
  nextStep: string | null
} {
  const named = Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const backend = Backend.safeParse(value).data
      return [name, backend === undefined ? value : i18n.t(`engine.backends.${backend}`)]
    }),
  )
  return {
    sentence: hostWords(`compute.${code}.sentence`, sentence, named),
    nextStep: nextStep === null ? null : hostWords(`compute.${code}.nextStep`, nextStep, named),
  }
}
