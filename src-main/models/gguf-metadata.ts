import { GgufProblem, type GgufValue } from './gguf-header.ts'

/** Far above any model; keeps a forged count out of the arithmetic that follows. */
const MAX_COUNT = 1 << 28

/** The entries of one architecture (`<architecture>.<key>`), each checked as it is read. */
export class Metadata {
  readonly architecture: string
  readonly #values: ReadonlyMap<string, GgufValue>

  /** @throws GgufProblem when the file names no architecture */
  constructor(values: ReadonlyMap<string, GgufValue>) {
    const architecture = values.get('general.architecture')
    if (typeof architecture !== 'string' || !/^[\w.-]{1,64}$/.test(architecture)) {
      throw new GgufProblem('it does not say which architecture it has')
    }
    this.architecture = architecture
    this.#values = values
  }

  /** A scalar, or a list of numbers; undefined where the file has neither. */
  value(key: string): GgufValue | undefined {
    return this.#values.get(`${this.architecture}.${key}`)
  }

  /**
   * A whole number from `least` up; the largest one where the file has a list per layer.
   * @throws GgufProblem when it is missing and has no `fallback`, or out of range
   */
  count(key: string, fallback?: number, least = 1): number {
    const value = this.value(key)
    const number = Array.isArray(value) ? Math.max(...value) : Number(value ?? fallback)
    if (Number.isInteger(number) && number >= least && number <= MAX_COUNT) return number
    throw new GgufProblem(`its ${key} is missing or out of range`)
  }

  /**
   * One whole number from 0 up per layer: a list as it is, a single number for each layer.
   * @param fallback per layer, where the file says nothing
   * @throws GgufProblem when a number is out of range or the list is not as long as the model is deep
   */
  perLayer(key: string, layers: number, fallback: readonly number[]): readonly number[] {
    const value = this.value(key)
    if (value === undefined) return fallback
    const list = Array.isArray(value) ? value : Array.from({ length: layers }, () => Number(value))
    const isCount = (number: number): boolean =>
      Number.isInteger(number) && number >= 0 && number <= MAX_COUNT
    if (list.length >= layers && list.every(isCount)) return list
    throw new GgufProblem(`its ${key} does not fit its ${layers} layers`)
  }
}
