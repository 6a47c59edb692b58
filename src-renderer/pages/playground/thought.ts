import type { ThoughtView } from '../../../src-preload/contract/index.ts'
import { formatPercent } from '../../format/index.ts'
import type { Answer } from './questions.ts'
import type { Words } from './words.ts'

type Step = ThoughtView['steps'][number]

/** Index of the first step whose halting probability is above `threshold`; null where none is. */
export function stopAt(steps: readonly Pick<Step, 'haltProbability'>[], threshold: number): number | null {
  const index = steps.findIndex(({ haltProbability }) => haltProbability > threshold)
  return index < 0 ? null : index
}

const FLOP_PER_TRM = 1_000_000_000n

const trmOf = (flop: bigint): bigint => (flop + FLOP_PER_TRM - 1n) / FLOP_PER_TRM

export interface Saving {
  flop: string
  amountTrm: string
}

/**
 * What ending after step `index` would have saved. Every step costs the same; null where the steps that are shown are
 * not all that was computed (a council of several ways, or several candidates), so that no share of them is known.
 */
export function savingOf(
  thought: Pick<ThoughtView, 'flop' | 'amountTrm' | 'councilSteps'> & { steps: readonly unknown[] },
  index: number,
  { several }: { several: boolean },
): Saving | null {
  if (thought.councilSteps > 0 || several || thought.steps.length === 0) return null
  const flop = BigInt(thought.flop)
  const spent = (flop * BigInt(index + 1)) / BigInt(thought.steps.length)
  const saved = BigInt(thought.amountTrm) - trmOf(spent)
  return { flop: String(flop - spent), amountTrm: String(saved > 0n ? saved : 0n) }
}

/** The cells that differ between two answers; none where there is nothing to compare. */
export function changedCells(answer: Answer, before: Answer | null): Set<number> {
  if (answer.kind === 'cells' && before?.kind === 'cells') {
    return new Set(answer.cells.flatMap((value, cell) => (value === before.cells[cell] ? [] : [cell])))
  }
  if (answer.kind === 'path' && before?.kind === 'path') {
    const [now, then] = [new Set(answer.path), new Set(before.path)]
    return new Set([...answer.path, ...before.path].filter((cell) => now.has(cell) !== then.has(cell)))
  }
  return new Set()
}

export const sameAnswer = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** `0.034` → `3 %`; what is not certain is never shown as 0 % or 100 %. */
export function percent(t: Words, probability: number): string {
  const rounded = Math.round(probability * 100)
  if (rounded === 0 && probability > 0) return t('share.underOne')
  if (rounded === 100 && probability < 1) return t('share.overNinetyNine')
  return formatPercent(rounded / 100, { maximumFractionDigits: 0 })
}

/**
 * How much of a step's latent movement a cell has: 0 for none up to 5. The first step moves every cell far, from where all
 * start; the scale is therefore that of the steps after it, where there are any.
 */
export const HEAT_LEVELS = 5

export function heatOf(steps: readonly Pick<Step, 'latentChange'>[], step: number): number[] {
  const scale = steps.length > 1 ? steps.slice(1) : steps
  const most = Math.max(0, ...scale.flatMap(({ latentChange }) => latentChange))
  const now = steps[step]?.latentChange ?? []
  return now.map((change) =>
    most > 0 ? Math.min(HEAT_LEVELS, Math.round((HEAT_LEVELS * change) / most)) : 0,
  )
}

/** Mean movement of each step, as a share of the first one's. */
export function movements(steps: readonly Pick<Step, 'latentChange'>[]): number[] {
  const means = steps.map(({ latentChange }) =>
    latentChange.length === 0 ? 0 : latentChange.reduce((sum, value) => sum + value, 0) / latentChange.length,
  )
  const most = Math.max(...means)
  return means.map((mean) => (most > 0 ? mean / most : 0))
}
