import { createHash } from 'node:crypto'
import type { Table } from './csv.ts'
import { booleanOf, dayOf, type FeatureColumn, isMissing, numberOf, type Schema } from './schema.ts'

/** What a cell says: a number, a label, or nothing. */
export type Value = number | string | null

export interface LabelledRow {
  /** In the order of the schema's features. */
  readonly values: readonly Value[]
  readonly class: number
}

export interface DatasetSplit {
  readonly train: readonly LabelledRow[]
  readonly test: readonly LabelledRow[]
  /** Rows whose features equal those of an earlier one. */
  readonly duplicates: number
}

const TEST_SHARE = 0.25

export function valueIn(cell: string, { kind }: Pick<FeatureColumn, 'kind'>): Value {
  if (isMissing(cell)) return null
  switch (kind) {
    case 'numeric':
      return numberOf(cell)
    case 'boolean':
      return booleanOf(cell)
    case 'date':
      return dayOf(cell)
    case 'categorical':
      return cell
  }
}

export function labelledRows(table: Table, { features, target }: Schema): LabelledRow[] {
  return table.rows.flatMap((row) => {
    const label = target.classes.indexOf(row[target.index] ?? '')
    if (label < 0) return []
    return [{ values: features.map((feature) => valueIn(row[feature.index] ?? '', feature)), class: label }]
  })
}

/**
 * A quarter of the rows for testing, of every class alike. Rows with the same features go together, whatever their class
 * and however they are written, so that no test row has been trained on.
 */
export function splitRows(rows: readonly LabelledRow[], seed: number): DatasetSplit {
  const groups = new Map<string, LabelledRow[]>()
  for (const row of rows) {
    const key = createHash('sha256')
      .update(`${seed} ${JSON.stringify(row.values)}`)
      .digest('hex')
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const byClass = Map.groupBy(groups, ([, [first]]) => first?.class)
  const train: LabelledRow[] = []
  const test: LabelledRow[] = []
  for (const ofClass of byClass.values()) {
    const sorted = ofClass.sort(([a], [b]) => (a < b ? -1 : 1))
    // A class with one group is for training: what was never seen cannot be told.
    const count = sorted.length === 1 ? 0 : Math.max(1, Math.round(TEST_SHARE * sorted.length))
    for (const [place, [, group]] of sorted.entries()) (place < count ? test : train).push(...group)
  }
  return { train, test, duplicates: rows.length - groups.size }
}
