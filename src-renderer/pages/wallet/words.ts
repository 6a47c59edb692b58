import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatNumber, formatPercent, groupDigits, withReadableTimes } from '../../format/index.ts'
import { hostWords, i18n } from '../../i18n/index.ts'

const HOURS_PER_YEAR = 8_760

/** Whether guests may pay this host, by the stake gate's verdict. */
const standings = {
  staked: true,
  'welcome-loan': true,
  'bootstrap-window': true,
  'stake-required': false,
  'previously-slashed': false,
} as const
type Standing = keyof typeof standings

const isStanding = (eligibility: string): eligibility is Standing => Object.hasOwn(standings, eligibility)

export function standingWords(eligibility: string) {
  if (!isStanding(eligibility)) {
    return { label: i18n.t('wallet:standing.unknown'), sentence: eligibility, open: false }
  }
  return {
    label: i18n.t(`wallet:standing.${eligibility}.label`),
    sentence: i18n.t(`wallet:standing.${eligibility}.sentence`),
    open: standings[eligibility],
  }
}

/** What the host suggests, in the person's language, with its figures and times as people read them. */
export function stepWords({ nextStep, next }: WalletView): string {
  const params = Object.entries(next?.params ?? {}).map(([name, value]) => {
    if (name.endsWith('Trm')) return [name, groupDigits(value)]
    return [name, typeof value === 'string' ? withReadableTimes(value) : value]
  })
  return withReadableTimes(
    hostWords(`wallet.nextStep.${next?.code}`, nextStep ?? '', Object.fromEntries(params)),
  )
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

const percent = (share: number): string => formatPercent(share, { maximumSignificantDigits: 3 })

/** A rate by the hour as people compare it; a year has 8,760 hours, without compound interest. */
export const ratePerHour = (rate: number): string => i18n.t('wallet:perHour', { rate: percent(rate) })
export const ratePerYear = (rate: number): string =>
  i18n.t('wallet:perYear', { rate: percent(rate * HOURS_PER_YEAR) })

export const formatMultiplier = (multiplier: number): string =>
  `×${formatNumber(multiplier, { maximumFractionDigits: 2 })}`

export const formatScore = (score: number): string =>
  i18n.t('wallet:score', { score: formatNumber(score, { maximumFractionDigits: 3 }) })

const PICO = 1_000_000_000_000n

/** What a loan costs over its whole term, in TRM: rounded down, the rate counted to 10⁻¹², as the host does. */
export function interestTrm(principalTrm: string, rate: number, termHours: number): string {
  const pico = BigInt(Math.round(rate * 1e12))
  return ((BigInt(principalTrm) * pico * BigInt(termHours)) / PICO).toString()
}
