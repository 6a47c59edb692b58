import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  formatCompact,
  formatFlop,
  formatMemory,
  formatTrm,
  groupDigits,
  withSiPrefix,
} from './amounts.ts'
import { shortHex } from './hex.ts'
import { formatBucket, formatDuration, formatMoment, formatRelative, withReadableTimes } from './time.ts'

const decimal = fc.bigInt({ min: -(10n ** 40n) + 1n, max: 10n ** 40n - 1n }).map(String)

describe('amounts', () => {
  it('groups any ledger amount without losing a digit', () => {
    fc.assert(
      fc.property(decimal, (amount) => {
        const grouped = groupDigits(amount)
        expect(grouped.replaceAll(',', '')).toBe(amount)
        expect(grouped).toMatch(/^-?\d{1,3}(,\d{3})*$/)
      }),
    )
  })

  it('keeps the first three digits of any figure and never makes it larger', () => {
    const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y', 'R', 'Q']
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 33n - 1n }), (figure) => {
        const { value, prefix } = withSiPrefix(figure.toString())
        const [whole = '', fraction = ''] = value.split('.')
        const unit = 10n ** BigInt(prefixes.indexOf(prefix) * 3)
        const shown = BigInt(whole) * unit + (BigInt(fraction || 0) * unit) / 10n ** BigInt(fraction.length)
        expect(shown <= figure).toBe(true)
        // Three significant digits: what is cut off is less than a hundredth.
        expect((figure - shown) * 100n <= figure).toBe(true)
        expect(BigInt(whole) < 1000n).toBe(true)
      }),
    )
  })

  it('writes the units an owner reads', () => {
    expect(formatTrm('1234567')).toBe('1,234,567 TRM')
    expect(formatTrm('-12')).toBe('-12 TRM')
    expect(formatFlop('1200000000')).toBe('1.2 GFLOP')
    expect(formatFlop('0')).toBe('0 FLOP')
    expect(formatFlop(`1${'0'.repeat(36)}`)).toBe('1,000,000 QFLOP')
    expect(formatBytes(398_400_000)).toBe('398 MB')
    expect(formatMemory(16 * 2 ** 30)).toBe('16.0 GiB')
    expect(formatMemory(2 ** 30 - 1)).toBe('1023 MiB')
    expect(formatCompact(8_000)).toBe('8k')
  })
})

describe('time', () => {
  it('never reads as a longer time than it was', () => {
    const units = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
        const parts = formatDuration(ms).matchAll(/([\d.]+) (ms|s|min|h|d)\b/g)
        const shown = [...parts].reduce((sum, [, count, unit]) => {
          return sum + Number(count) * units[unit as keyof typeof units]
        }, 0)
        expect(shown).toBeLessThanOrEqual(ms + 1e-6)
        expect(shown).toBeGreaterThanOrEqual(ms < 1_000 ? ms - 1 : ms * 0.95)
      }),
    )
  })

  it('changes unit at the right place', () => {
    expect(formatDuration(999.9)).toBe('999 ms')
    expect(formatDuration(1_000)).toBe('1 s')
    expect(formatDuration(59_999)).toBe('59.99 s')
    expect(formatDuration(60_000)).toBe('1 min')
    expect(formatDuration(7_805_000)).toBe('2 h 10 min')
    expect(formatDuration(356_400_000)).toBe('4 d 3 h')
  })

  it('tells how long ago, and takes a clock that runs ahead as now', () => {
    const now = Date.UTC(2026, 10, 21, 12)
    expect(formatRelative(now + 90_000, now)).toBe('just now')
    expect(formatRelative(now - 40_000, now)).toBe('40 s ago')
    expect(formatRelative(now - 3_600_000, now)).toBe('1 h ago')
    expect(formatRelative(now - 30 * 86_400_000, now)).toContain('2026')
  })

  it('names a bar of a day by its date and a shorter one by its time', () => {
    const start = new Date(2026, 10, 21, 18).getTime()
    expect(formatBucket(start, 86_400_000)).toBe('21 Nov')
    expect(formatBucket(start, 3_600_000)).toBe('18:00')
    expect(formatBucket(start, 6 * 3_600_000)).toBe('Sat 18:00')
  })
})

describe('sentences of the host', () => {
  it('have their times written for people, and nothing else changed', () => {
    const time = '2026-11-29T15:10:51.236Z'
    const shown = formatMoment(Date.parse(time))
    expect(withReadableTimes(`Stake before ${time}: then it ends.`)).toBe(
      `Stake before ${shown}: then it ends.`,
    )
    expect(withReadableTimes('qwen2.5:3b on 2026-11-29')).toBe('qwen2.5:3b on 2026-11-29')
  })
})

describe('hex', () => {
  it('shortens long digests and leaves short ones alone', () => {
    expect(shortHex('0123456789ab'.repeat(5))).toBe('012345…89ab')
    expect(shortHex('0123456789ab')).toBe('0123456789ab')
  })
})
