import fc from 'fast-check'
import type { ReactNode } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { procedures } from '../../../src-preload/contract/index.ts'
import { StoresProvider } from '../../stores/context.tsx'
import { createStores } from '../../stores/index.ts'
import { FakeClient } from '../../testing/fake-client.ts'
import { sampleKey, severalKeys } from '../../testing/fake-economy.ts'
import { sampleStatus } from '../../testing/samples.ts'
import { KeysPanel } from './KeysPanel.tsx'
import { checkLimits, typedLimits } from './limits.ts'
import { snippet } from './snippet.ts'
import { balanceWords } from './words.ts'

const words = (children: ReactNode) =>
  renderToStaticMarkup(<StoresProvider stores={createStores(new FakeClient())}>{children}</StoresProvider>)
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')

describe('limits', () => {
  const trm = fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }).map(String)
  const limits = fc.record({
    requestLimitTrm: trm,
    hourLimitTrm: trm,
    lifetimeLimitTrm: trm,
    approvalThresholdTrm: fc.option(trm),
    attemptsPerMinute: fc.option(fc.integer({ min: 0, max: 6_000 })),
  })

  it('come out of the form as they went in, and only those that the host takes', () => {
    fc.assert(
      fc.property(limits, (given) => {
        const checked = checkLimits(typedLimits(given))
        const { approvalThresholdTrm: threshold, requestLimitTrm: request } = given
        if (threshold !== null && BigInt(threshold) >= BigInt(request)) {
          expect(checked.limits).toBeNull()
          expect(checked.problems.threshold).toContain('below the limit per request')
          return
        }
        expect(checked).toEqual({ limits: given, problems: {} })
      }),
    )
  })

  it('are in the contract’s words, or refused in words, whatever was typed', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[\d,. ]{0,8}$/))
    const typed = fc.record({
      ...{ request: text, hour: text, lifetime: text, threshold: text, attempts: text },
      ...{ asks: fc.boolean(), counts: fc.boolean() },
    })
    fc.assert(
      fc.property(typed, (form) => {
        const { limits: checked, problems } = checkLimits(form)
        if (checked === null) {
          expect(Object.keys(problems)).not.toEqual([])
          return
        }
        const input = { tokenHash: 'ab'.repeat(32), limits: checked }
        expect(procedures['keys.limit'].input.safeParse(input).success).toBe(true)
      }),
    )
  })
})

describe('the list of keys', () => {
  it('says what each may do, owes and has used up, and why one was stopped', () => {
    const seen = words(<KeysPanel keys={severalKeys()} />)
    expect(seen).toContain('412 TRM on the credit you gave')
    expect(seen).toContain('2,210 TRM of its own')
    expect(seen).toContain('10,000 of 10,000 TRM used up')
    expect(seen).toContain('Stopped: it asked too often within a minute.')
    expect(seen).toContain('never ends')
    expect(seen).toContain('replaced; ends')
    expect(seen).toContain('Ask for answers')
  })

  it('offers to go on only to one that was stopped', () => {
    expect(words(<KeysPanel keys={[sampleKey()]} />)).not.toContain('Let it go on')
  })

  it('says what to do when there is none', () => {
    expect(words(<KeysPanel keys={[]} />)).toContain('Make one above.')
  })

  it('tells credit, nothing and money of one’s own apart', () => {
    expect(balanceWords('-12345')).toBe('12,345 TRM on the credit you gave')
    expect(balanceWords('0')).toBe('nothing owed')
    expect(balanceWords('7')).toBe('7 TRM of its own')
  })
})

describe('the example', () => {
  it.each(['python', 'node', 'curl'] as const)(
    'has the host’s address and model in %s, and no key',
    (language) => {
      const code = snippet(language, sampleStatus())
      expect(code).toContain('http://127.0.0.1:8347/v1')
      expect(code).toContain('tirami-concierge-q8')
      expect(code).toContain('TIRAMI_KEY')
    },
  )
})
