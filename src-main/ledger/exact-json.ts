/** A decimal number that JSON carries digit for digit, such as 0.1 or 18446744073709551615. */
export class Decimal {
  readonly #units: bigint
  readonly #scale: number

  /** `units` × 10^-`scale`. */
  constructor(units: bigint, scale = 0) {
    this.#units = units
    this.#scale = scale
  }

  /** @returns null unless `text` is a plain decimal number of at most 18 digits on each side */
  static parse(text: string): Decimal | null {
    const [, whole, fraction = ''] = /^(\d{1,18})(?:\.(\d{1,18}))?$/.exec(text) ?? []
    return whole === undefined ? null : new Decimal(BigInt(whole + fraction), fraction.length)
  }

  times(factor: bigint): Decimal {
    return new Decimal(this.#units * factor, this.#scale)
  }

  toString(): string {
    const digits = (this.#units < 0n ? -this.#units : this.#units).toString().padStart(this.#scale + 1, '0')
    const point = digits.length - this.#scale
    const fraction = digits.slice(point).replace(/0+$/, '')
    const sign = this.#units < 0n ? '-' : ''
    return `${sign}${digits.slice(0, point)}${fraction === '' ? '' : `.${fraction}`}`
  }
}

export type ExactJson =
  | string
  | number
  | bigint
  | boolean
  | null
  | Decimal
  | ExactJson[]
  | { [name: string]: ExactJson }

/** JSON text in which bigint and Decimal are numbers with all their digits; one line per item of a list. */
export function exactJson(value: ExactJson): string {
  if (typeof value === 'bigint' || value instanceof Decimal) return value.toString()
  if (Array.isArray(value)) return `[${value.map((item) => `\n${exactJson(item)}`).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${exactJson(item)}`)
  return `{${members.join(',')}}`
}

/** `JSON.parse` that keeps whole numbers too large for a double as bigint. @throws SyntaxError */
export function parseExactJson(text: string): unknown {
  // ES2026 gives the reviver the source text; TypeScript's library does not know it yet.
  const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? '')
      : value
  return JSON.parse(text, reviver)
}
