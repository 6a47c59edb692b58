import type { WalletView } from '../../../src-preload/contract/index.ts'

const HOURS_PER_YEAR = 8_760

/** Whether guests may pay this host, by the stake gate's verdict. */
const standings: Record<string, { label: string; sentence: string; open: boolean }> = {
  staked: {
    label: 'Open to guests',
    sentence: 'The stake is locked, so guests may pay this host without a cap.',
    open: true,
  },
  'welcome-loan': {
    label: 'Open to guests for now',
    sentence: 'The welcome loan opens this host to guests until it ends.',
    open: true,
  },
  'bootstrap-window': {
    label: 'Open to guests for a start',
    sentence: 'Without a stake guests may pay this host only a little.',
    open: true,
  },
  'stake-required': {
    label: 'Closed to guests',
    sentence: 'This host has earned all that it may without a stake. Your own keys still pass.',
    open: false,
  },
  'previously-slashed': {
    label: 'Closed to guests',
    sentence: 'This node was slashed and has no stake. Your own keys still pass.',
    open: false,
  },
}

export function standingWords(eligibility: string) {
  return standings[eligibility] ?? { label: 'Standing not known', sentence: eligibility, open: false }
}

export const welcomeWords: Record<WalletView['welcomeLoan'], string> = {
  available: 'can be claimed',
  active: 'running',
  used: 'had, and over',
  unavailable: 'not for this node',
}

export type NextAction = 'claim' | 'stake' | 'guests' | null

/** What does the step that the host suggests: the same facts decide that its sentence stands on. */
export function nextActionOf({
  nextStep,
  availableTrm,
  eligibility,
  welcomeLoan,
  stake,
}: WalletView): NextAction {
  if (nextStep === null) return null
  if (BigInt(availableTrm) >= BigInt(stake.minimumTrm) || eligibility === 'previously-slashed') return 'stake'
  return welcomeLoan === 'available' ? 'claim' : 'guests'
}

const percent = (share: number): string =>
  `${(share * 100).toLocaleString('en-US', { maximumSignificantDigits: 3 })} %`

/** A rate by the hour as people compare it; a year has 8,760 hours, without compound interest. */
export const ratePerHour = (rate: number): string => `${percent(rate)} per hour`
export const ratePerYear = (rate: number): string => `${percent(rate * HOURS_PER_YEAR)} per year`

export const formatMultiplier = (multiplier: number): string =>
  `×${multiplier.toLocaleString('en-US', { maximumFractionDigits: 2 })}`

export const formatScore = (score: number): string =>
  `${score.toLocaleString('en-US', { maximumFractionDigits: 3 })} of 1`

const PICO = 1_000_000_000_000n

/** What a loan costs over its whole term, in TRM: rounded down, the rate counted to 10⁻¹², as the host does. */
export function interestTrm(principalTrm: string, rate: number, termHours: number): string {
  const pico = BigInt(Math.round(rate * 1e12))
  return ((BigInt(principalTrm) * pico * BigInt(termHours)) / PICO).toString()
}
