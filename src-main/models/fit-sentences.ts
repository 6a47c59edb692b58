import type { FitCode } from '../../src-preload/contract/index.ts'
import { fillSentence, type SentenceParams } from '../kernel/index.ts'

/**
 * Whether, and how, a model fits: English. `size` says slots and tokens, which are there as figures too; `needGib` and
 * `freeGib` are in GiB with one decimal. Stable codes: the window has sentences for each.
 */
export const FIT_SENTENCES: Readonly<Record<FitCode, string>> = {
  cpu: 'The model fits on the CPU, with {size}.',
  gpu: 'The model fits on the GPU, with {size}.',
  split:
    'The model fits with {gpuLayers} of {layers} layers on the GPU and the rest on the CPU, with {size}.',
  'cpu-only-with': 'The model fits on the CPU only with {size}.',
  'gpu-only-with': 'The model fits on the GPU only with {size}.',
  'split-only-with':
    'The model fits with {gpuLayers} of {layers} layers on the GPU and the rest on the CPU only with {size}.',
  'too-large':
    'The model needs about {needGib} GiB even with one slot and a short context, and {freeGib} GiB are free: ' +
    'choose a smaller model or a smaller quantisation.',
  'offered-fits': 'It needs about {needGib} GiB; {freeGib} GiB are free for it.',
  'offered-squeezed':
    'It needs about {needGib} GiB with one conversation at a time; {freeGib} GiB are free for it.',
  'offered-too-large': 'It needs about {needGib} GiB; {freeGib} GiB are free for it.',
  'offered-unknown': 'How large the file is only its server knows.',
  unusable: 'The file cannot be used as it is.',
  elsewhere: 'It runs on {server}, not on this machine.',
}

export interface FitWords {
  sentence: string
  code: FitCode
  params: SentenceParams
}

export const fitWords = (code: FitCode, params: SentenceParams = {}): FitWords => ({
  sentence: fillSentence(FIT_SENTENCES[code], params),
  code,
  params,
})

/** `19.7`. */
export const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1)
