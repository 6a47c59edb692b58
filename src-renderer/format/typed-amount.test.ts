import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { groupDigits } from './amounts.ts'
import { parseTypedAmount } from './typed-amount.ts'

const amount = fc.bigInt({ min: 1n, max: 10n ** 20n - 1n })

describe('a typed amount', () => {
  it('is read to the last digit, however it is grouped', () => {
    fc.assert(
      fc.property(
        amount,
        fc.constantFrom('', ',', ' ', '_', '’', ' '),
        fc.constantFrom('', ' TRM', 'trm', '  '),
        (value, sign, unit) => {
          const text = `${groupDigits(value.toString()).replaceAll(',', sign)}${unit}`
          expect(parseTypedAmount(text)).toEqual({ amountTrm: value.toString(), problem: null })
        },
      ),
    )
  })

  it('is an amount that the contract takes, or a problem in words, for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ \d,._'-]{0,30}$/)), (text) => {
        const { amountTrm, problem } = parseTypedAmount(text)
        if (amountTrm === null) {
          expect(problem).toMatch(/\.$/)
          return
        }
        expect(amountTrm).toMatch(/^[1-9]\d{0,19}$/)
        // No digit is added, dropped or moved.
        expect(text.replaceAll(/\D/g, '').replace(/^0+/, '')).toBe(amountTrm)
      }),
    )
  })

  it.each(['1.5', '1,5', '-3', '1e3', '0x10', '1,0000', '1,000 000', '12,34', 'ten', '１２', '1.000', '+7'])(
    'is refused rather than guessed: %s',
    (text) => {
      expect(parseTypedAmount(text).amountTrm).toBeNull()
    },
  )

  it('is at least the least, which may be zero', () => {
    expect(parseTypedAmount('0').problem).toBe('Give at least 1 TRM.')
    expect(parseTypedAmount('0', 0n).amountTrm).toBe('0')
    expect(parseTypedAmount('999', 1_000n).problem).toBe('Give at least 1,000 TRM.')
    expect(parseTypedAmount('').problem).toBe('Give an amount.')
    expect(parseTypedAmount('9'.repeat(21)).problem).toMatch(/more than TRM can exist/)
  })
})
