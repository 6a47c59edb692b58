import { describe, expect, it } from 'vitest'
import { defaultParameters, withParameter } from './parameters.ts'
import { providerEligibility, requireEligibleProvider } from './stake-gate.ts'
import { codeOf } from './testing/bank.ts'

const p = defaultParameters()
const fresh = { lockedStakeTrm: 0n, hasFault: false, hasActiveWelcomeLoan: false, contributedTrm: 0n }

describe('stake gate (spec section 2.11)', () => {
  it('decides in the order of the spec', () => {
    expect(providerEligibility({ ...fresh, lockedStakeTrm: 100n, hasFault: true }, p)).toBe('staked')
    expect(providerEligibility({ ...fresh, hasFault: true, hasActiveWelcomeLoan: true }, p)).toBe(
      'previously-slashed',
    )
    expect(providerEligibility({ ...fresh, hasActiveWelcomeLoan: true, contributedTrm: 99n }, p)).toBe(
      'welcome-loan',
    )
    expect(providerEligibility({ ...fresh, lockedStakeTrm: 99n, contributedTrm: 9n }, p)).toBe(
      'bootstrap-window',
    )
    expect(providerEligibility({ ...fresh, contributedTrm: 10n }, p)).toBe('stake-required')
  })

  it('says why it refuses', () => {
    expect(requireEligibleProvider(fresh, p)).toBe('bootstrap-window')
    expect(codeOf(() => requireEligibleProvider({ ...fresh, hasFault: true }, p))).toBe('PREVIOUSLY_SLASHED')
    const atCap = () => requireEligibleProvider({ ...fresh, contributedTrm: 10n }, p)
    expect(codeOf(atCap)).toBe('STAKE_REQUIRED')
    expect(atCap).toThrow(/10 TRM in all while it has neither a stake nor a welcome loan/)
    const lower = withParameter(p, 'STAKELESS_EARN_CAP_TRM', 5)
    expect(() => requireEligibleProvider({ ...fresh, contributedTrm: 10n }, lower)).toThrow(
      /pay this host 5 TRM/,
    )
  })

  it('follows what was voted', () => {
    const closed = withParameter(p, 'STAKELESS_EARN_CAP_TRM', 0)
    expect(providerEligibility(fresh, closed)).toBe('stake-required')
    const low = withParameter(p, 'MIN_PROVIDER_STAKE_TRM', 10)
    expect(providerEligibility({ ...fresh, lockedStakeTrm: 10n }, low)).toBe('staked')
  })
})
