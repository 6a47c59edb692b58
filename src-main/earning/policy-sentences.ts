import type { EarningReasonCode, ReasonParams } from '../../src-preload/contract/index.ts'
import { fillSentence } from '../kernel/index.ts'

/** English sentences. Times are left to the reader's clock: the window and the tray say them from the parameters. */
export const REASON_SENTENCES: Readonly<Record<EarningReasonCode, string>> = {
  earning: 'Earning: guests are served.',
  paused: 'Paused by you. Press Resume to earn again.',
  finishing: 'Finishing: running answers end, then the host pauses. New ones are refused.',
  snoozed: 'Snoozed by you; earning goes on by itself.',
  'schedule-closed': 'Not earning: outside your hours.',
  'schedule-empty': 'Not earning: your schedule has no hours. Add some, or choose another mode.',
  'in-use': 'Not earning: you are using this computer. It starts after {limitSeconds} seconds without input.',
  'in-use-unknown':
    'Not earning: this system does not tell whether you are using it ({problem}). Choose the mode “now” or a schedule.',
  'on-battery': 'Not earning: this computer runs on battery.',
  'battery-low': 'Not earning: the battery is at {percent} %; you want at least {limit} %.',
  'battery-unknown':
    'Not earning: it cannot be told whether this computer runs on battery, or at what charge. Allow earning on battery at any charge if you do not mind.',
  'too-hot': 'Not earning: the system reports {state} heat.',
  'heat-unknown': 'This system does not report heat; the processor protects itself.',
  'gpu-too-hot': 'Not earning: a GPU is at {celsius} °C; your limit is {limit} °C.',
  'gpu-temperature-unknown':
    'Not earning: you set a limit of {limit} °C for the GPU, but its temperature cannot be read. Take the limit away to earn.',
  'cpu-too-hot': 'Not earning: the processor is at {celsius} °C; your limit is {limit} °C.',
  'cpu-temperature-unknown':
    'Not earning: you set a limit of {limit} °C for the processor, but its temperature cannot be read. Take the limit away to earn.',
  'exclusive-app': 'Not earning: {app} is running; the memory is free for it.',
  'exclusive-apps-unknown':
    'Not earning: it cannot be told whether one of your exclusive apps is running. Empty their list to earn.',
  'full-screen': 'Not earning: a program fills the screen; the memory is free for it.',
  'full-screen-unknown':
    'This system does not tell whether a program fills the screen; name such programs instead.',
  metered: 'Not earning: this network charges by volume.',
  'metered-unknown': 'This system does not tell whether the network charges by volume.',
  'cpu-busy': 'Not earning: other programs use {percent} % of the processor; your limit is {limit} %.',
  'cpu-busy-unknown':
    'Not earning: you set a limit for other programs’ use of the processor, but it cannot be read. Take the limit away to earn.',
  'memory-short':
    'Not earning: {freeGib} GiB of memory are free; you want {limitGib} GiB left for other programs.',
  'memory-unknown':
    'Not earning: you want {limitGib} GiB of memory left free, but it cannot be read how much is. Take the limit away to earn.',
  'profit-too-low': 'Not earning: a kWh would bring {profit}; you want at least {limit}.',
  'profit-no-price':
    'Not earning: your least profit cannot be compared without prices. Set prices.per_trm and prices.per_kwh, or take the limit away.',
  'profit-no-energy':
    'Not earning: your least profit cannot be compared, for nothing tells how much power the work takes. Declare the power of this computer, or take the limit away.',
  settling: 'Nearly earning: all is clear, but not yet for long enough.',
}

/** One sentence for a person: why the host is, or is not, earning. */
export function reasonSentence(code: EarningReasonCode, params: ReasonParams): string {
  return fillSentence(REASON_SENTENCES[code], params)
}
