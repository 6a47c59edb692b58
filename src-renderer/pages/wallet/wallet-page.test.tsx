import fc from 'fast-check'
import type { ReactNode } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { StoresProvider } from '../../stores/context.tsx'
import { createStores } from '../../stores/index.ts'
import { FakeClient } from '../../testing/fake-client.ts'
import { richWallet, sampleWallet } from '../../testing/fake-economy.ts'
import { BalancePanel } from './BalancePanel.tsx'
import { NextStepPanel } from './NextStepPanel.tsx'
import { PoolPanel } from './PoolPanel.tsx'
import { StakePanel } from './StakePanel.tsx'
import { SupplyPanel } from './SupplyPanel.tsx'
import { interestTrm, nextActionOf, ratePerHour, ratePerYear } from './words.ts'

const markup = (children: ReactNode) =>
  renderToStaticMarkup(<StoresProvider stores={createStores(new FakeClient())}>{children}</StoresProvider>)
const words = (children: ReactNode) =>
  markup(children)
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')

describe('the next step', () => {
  it.each([
    [{ nextStep: null }, null],
    [{}, 'claim'],
    [{ availableTrm: '100' }, 'stake'],
    [{ availableTrm: '99' }, 'claim'],
    [{ welcomeLoan: 'used', eligibility: 'stake-required' }, 'guests'],
    [{ welcomeLoan: 'unavailable', eligibility: 'previously-slashed' }, 'stake'],
  ] as const)('of %o is to %s', (change, action) => {
    expect(nextActionOf(sampleWallet(change))).toBe(action)
  })

  it('is the host’s sentence with its button, and says when nothing is to be done', () => {
    expect(words(<NextStepPanel view={sampleWallet()} />)).toContain(
      'Claim the welcome loan: it opens this host',
    )
    expect(words(<NextStepPanel view={richWallet()} />)).toContain('Nothing is to be done.')
  })

  it('shows a standing that it does not know as it was said', () => {
    const view = sampleWallet({ eligibility: 'on-probation' })
    expect(words(<NextStepPanel view={view} />)).toContain('on-probation')
  })
})

describe('the balance', () => {
  it('sets own use apart from income, and credit apart from what is paid', () => {
    const seen = words(<BalancePanel view={richWallet()} />)
    expect(seen).toContain('12,345,678,901,234,567,890 TRM available')
    expect(seen).toContain('48,211,904 TRM paid by others')
    expect(seen).toContain('3,120 TRM of it stands on the credit you gave them')
    expect(seen).toContain('1,204,511 TRM paid by your own keys: use, not income')
  })

  it('says what a negative one is', () => {
    expect(words(<BalancePanel view={sampleWallet({ availableTrm: '-12' })} />)).toContain('-12 TRM owed')
  })
})

describe('the stake', () => {
  const { stake } = richWallet()

  it('names each term with its multiplier and least amount', () => {
    const seen = words(<StakePanel stake={sampleWallet().stake} availableTrm="0" />)
    for (const term of ['7 days ×1 on the yield from 100 TRM', '365 days ×3 on the yield from 100,000 TRM']) {
      expect(seen).toContain(term)
    }
  })

  it('cannot be taken back while it is locked, and the reason stands before the button', () => {
    const html = markup(<StakePanel stake={stake} availableTrm="0" />)
    expect(html).toMatch(/can be taken back from.*<button[^>]*disabled=""[^>]*>(?:(?!<\/button>).)*Unstake/)
  })

  it('that is over is taken back first: nothing can be added', () => {
    const seen = words(<StakePanel stake={{ ...stake, locked: false, multiplier: 1 }} availableTrm="0" />)
    expect(seen).toContain('Take it back, then stake again')
    expect(seen).not.toContain('Add to the stake')
  })
})

describe('pool and supply', () => {
  it('label a rate by its time', () => {
    expect(ratePerHour(0.001)).toBe('0.1 % per hour')
    expect(ratePerYear(0.001)).toBe('876 % per year')
    expect(words(<PoolPanel view={richWallet()} />)).toContain('0.104 % per hour 911 % per year, simple')
    expect(words(<SupplyPanel supply={richWallet().supply} />)).toContain(
      '0.1 % per hour 876 % per year, simple',
    )
  })

  it('lists what is owed with its due date', () => {
    expect(words(<PoolPanel view={richWallet()} />)).toMatch(/4,000 TRM due .*20\d\d.* against 12,000 TRM/)
    expect(words(<PoolPanel view={sampleWallet()} />)).toContain('No loan is open.')
  })

  it('reckons interest without losing a digit: never more than the rate gives, and less than one TRM below', () => {
    expect(interestTrm('1000', 0.001, 24)).toBe('24')
    expect(interestTrm('999', 0.001, 1)).toBe('0')
    const amount = fc.bigInt({ min: 1n, max: 10n ** 20n })
    fc.assert(
      fc.property(
        amount,
        fc.integer({ min: 0, max: 10 ** 6 }),
        fc.integer({ min: 1, max: 8_760 }),
        (p, ppm, h) => {
          const interest = BigInt(interestTrm(p.toString(), ppm / 1e6, h))
          const exactMicro = p * BigInt(ppm) * BigInt(h)
          expect(interest * 1_000_000n <= exactMicro).toBe(true)
          expect(exactMicro - interest * 1_000_000n < 1_000_000n).toBe(true)
        },
      ),
    )
  })
})
