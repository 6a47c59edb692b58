import { describe, expect, it } from 'vitest'
import { defaultParameters, IMMUTABLE_PARAMETERS, MUTABLE_PARAMETERS, withParameter } from './parameters.ts'
import { codeOf } from './testing/bank.ts'

const p = defaultParameters()

describe('parameters (spec section 3.5)', () => {
  it('has 26 mutable and 23 immutable names, and every default within its bounds', () => {
    expect(Object.keys(MUTABLE_PARAMETERS)).toHaveLength(26)
    expect(Object.keys(IMMUTABLE_PARAMETERS)).toHaveLength(23)
    for (const [name, spec] of Object.entries(MUTABLE_PARAMETERS)) {
      expect(withParameter(p, name, spec.default)).toEqual(p)
      for (const outside of [spec.min - 1, spec.max + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(codeOf(() => withParameter(p, name, outside))).toBe('PARAMETER_OUT_OF_BOUNDS')
      }
      const half = spec.min + 0.5
      if (spec.integer) expect(codeOf(() => withParameter(p, name, half))).toBe('PARAMETER_OUT_OF_BOUNDS')
    }
  })

  it('refuses constitutional and unknown names', () => {
    for (const name of Object.keys(IMMUTABLE_PARAMETERS)) {
      expect(codeOf(() => withParameter(p, name, 1))).toBe('PARAMETER_IMMUTABLE')
    }
    for (const name of ['EMA_ALPHA', '__proto__', 'toString', '']) {
      expect(codeOf(() => withParameter(p, name, 1))).toBe('PARAMETER_UNKNOWN')
    }
  })

  it('changes one value and leaves the old table alone', () => {
    expect(withParameter(p, 'MIN_PROVIDER_STAKE_TRM', 200).MIN_PROVIDER_STAKE_TRM).toBe(200)
    expect(p.MIN_PROVIDER_STAKE_TRM).toBe(100)
  })

  it('lets the proof policy only rise', () => {
    const required = withParameter(p, 'PROOF_POLICY', 3)
    expect(codeOf(() => withParameter(required, 'PROOF_POLICY', 2))).toBe('PROOF_POLICY_RATCHET')
    expect(codeOf(() => withParameter(p, 'PROOF_POLICY', 0))).toBe('PROOF_POLICY_RATCHET')
  })
})
