import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { type MoneyView, procedures } from '../../../src-preload/contract/index.ts'
import { StoresProvider } from '../../stores/context.tsx'
import { createStores } from '../../stores/index.ts'
import { FakeClient } from '../../testing/fake-client.ts'
import { sampleMoney } from '../../testing/money-samples.ts'
import { Earned } from './EarnedPanel.tsx'
import { Return } from './ReturnPanel.tsx'

function words(given: MoneyView): string {
  const view = procedures['money.get'].output.parse(given)
  return renderToStaticMarkup(
    <StoresProvider stores={createStores(new FakeClient())}>
      <Earned view={view} />
      <Return view={view} />
    </StoresProvider>,
  )
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')
}

const priced = sampleMoney({ priced: true, nowMs: Date.UTC(2026, 10, 21, 3) })
const withThermometer = (change: Partial<MoneyView['thermometer']>): MoneyView => ({
  ...priced,
  thermometer: { ...priced.thermometer, ...change },
})

describe('what was earned', () => {
  it('is said for the last hour, tonight, a week and a month, net of electricity', () => {
    const seen = words(priced)
    for (const name of ['Last hour', 'Tonight', '7 days', '30 days']) expect(seen).toContain(name)
    expect(seen).toContain('net of electricity')
    expect(seen).toContain('draws 84 W now (measured)')
  })

  it('is at most so much where the energy of some jobs is not known', () => {
    const windows = priced.windows.map((window) => ({
      ...window,
      energy: { ...window.energy, unknownJobs: 2 },
    }))
    expect(words({ ...priced, windows })).toContain('at most €')
  })

  it('has no sum in money without prices, and says what to do', () => {
    const seen = words(sampleMoney({ priced: false }))
    expect(seen).not.toContain('€')
    expect(seen).toContain('no price per TRM set')
    expect(seen).toContain('Say what one TRM is worth to you')
    expect(seen).toContain('Set prices')
  })
})

describe('the thermometer', () => {
  it.each([
    [2, 'Above the target'],
    [1, 'On target'],
    [0.4, 'Below the target'],
    [-0.5, 'Below the floor'],
  ])('of a return of %d says: %s', (amount, verdict) => {
    expect(words(withThermometer({ now: { amount, missing: null } }))).toContain(verdict)
  })

  it.each([
    ['no-energy', 'Declare what it draws'],
    ['no-jobs', 'Nobody else has paid'],
    ['few-jobs', 'Judged from 10 jobs on; 3 so far'],
  ] as const)('without a return for %s says what it takes', (missing, help) => {
    const seen = words(withThermometer({ now: { amount: null, missing }, samples: 3 }))
    expect(seen).toContain('Not known yet')
    expect(seen).toContain(help)
  })
})
