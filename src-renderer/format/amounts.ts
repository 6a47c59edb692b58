import { numberFormat, percentSign } from './locale.ts'

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y', 'R', 'Q'] as const

/** Groups the digits of a decimal string, which may be longer than a JSON number can hold: 1234567 → 1,234,567. */
export function groupDigits(decimal: string | number): string {
  return numberFormat().format(BigInt(decimal))
}

/**
 * Three significant digits and an SI prefix: 1234567 → `1.23 M`. Rounds down, because a figure of the ledger must
 * never look larger than it is.
 */
export function withSiPrefix(decimal: string | number): { value: string; prefix: string } {
  const whole = BigInt(decimal)
  const digits = (whole < 0n ? -whole : whole).toString()
  const sign = whole < 0n ? '-' : ''
  const step = Math.min(Math.floor((digits.length - 1) / 3), PREFIXES.length - 1)
  const integerLength = digits.length - step * 3
  const integer = numberFormat().format(BigInt(digits.slice(0, integerLength)))
  const fraction = digits
    .slice(integerLength, integerLength + Math.max(0, 3 - integerLength))
    .replace(/0+$/, '')
  return { value: `${sign}${integer}${fraction === '' ? '' : `.${fraction}`}`, prefix: PREFIXES[step] ?? '' }
}

function withUnit(decimal: string | number, unit: string): string {
  const { value, prefix } = withSiPrefix(decimal)
  return `${value} ${prefix}${unit}`
}

export const formatTrm = (amount: string): string => `${groupDigits(amount)} TRM`
export const formatFlop = (flop: string): string => withUnit(flop, 'FLOP')
export const formatBytes = (bytes: number): string => withUnit(bytes, 'B')

const MIB = 2 ** 20
const GIB = 2 ** 30

/** Memory, which is built and sold in powers of two: `15.5 GiB`, `310 MiB`; cut and not rounded. */
export function formatMemory(bytes: number): string {
  if (bytes < GIB) return `${Math.floor(bytes / MIB)} MiB`
  return `${(Math.floor((bytes / GIB) * 10) / 10).toFixed(1)} GiB`
}

/** For the axis of a chart, where a full figure has no room. */
export function formatCompact(decimal: string | number): string {
  const { value, prefix } = withSiPrefix(decimal)
  return `${value}${prefix}`
}

/** A number that is not an amount of the ledger, rounded: `0.125`, `1,234.5`. */
export const formatNumber = (value: number, options?: Intl.NumberFormatOptions): string =>
  numberFormat(options).format(value)

/** A share of one: 0.125 → `12.5 %`, in Japanese `12.5%`. */
export const formatPercent = (
  share: number,
  options: Intl.NumberFormatOptions = { maximumFractionDigits: 1 },
): string => `${formatNumber(share * 100, options)}${percentSign()}`

/** Small sums keep two figures that say something: `€0.0042`; others have the decimals of their currency. */
export function formatMoney(amount: number, currency: string): string {
  const small = amount !== 0 && Math.abs(amount) < 0.1
  const digits = small ? { maximumSignificantDigits: 2 } : {}
  try {
    return formatNumber(amount, { style: 'currency', currency, currencyDisplay: 'narrowSymbol', ...digits })
  } catch {
    // Three letters need not be a currency that the browser knows how to write.
    return `${formatNumber(amount, digits)} ${currency}`
  }
}
