import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexFromBytes, sha256, utf8 } from '../kernel/index.ts'
import { defaultParameters } from './parameters.ts'
import { tableGet } from './table.ts'
import { applyWelcome, bucketAllowance, INITIAL_WELCOME } from './welcome.ts'

const T0 = 1_700_000_000_000
const DAY = 86_400_000
const p = defaultParameters()

describe('the limiter of welcome loans', () => {
  it('lets a clock that is turned back and forth through no more often than its latest reading allows', () => {
    const readings = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 100, maxLength: 200 })
    fc.assert(
      fc.property(readings, (days) => {
        let state = INITIAL_WELCOME
        let [granted, latestDay] = [0, 0]
        for (const [number, day] of days.entries()) {
          const atMs = T0 + day * DAY
          if (bucketAllowance(tableGet(state.buckets, '10.0.0') ?? [], false, atMs, p) === 0) continue
          const node = hexFromBytes(sha256(utf8(`node ${number}`)))
          const terms = {
            bucketWindowMs: p.WELCOME_BUCKET_WINDOW_MS,
            principalTrm: '1000',
            expiresAtMs: atMs + DAY,
          }
          state = applyWelcome(state, { kind: 'welcome.granted', node, bucket: '10.0.0', ...terms, atMs })
          granted++
          latestDay = Math.max(latestDay, day)
          expect(granted).toBeLessThanOrEqual(p.WELCOME_LOAN_PER_BUCKET_CAP * (latestDay + 1))
        }
      }),
      { numRuns: 100 },
    )
  })
})
