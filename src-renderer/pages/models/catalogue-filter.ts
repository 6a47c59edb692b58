import type { OfferedModel } from '../../../src-preload/contract/index.ts'

export interface CatalogueFilter {
  /** Words that must all occur, in any order and case. */
  text: string
  fittingOnly: boolean
}

export function matching(
  offered: readonly OfferedModel[],
  { text, fittingOnly }: CatalogueFilter,
): OfferedModel[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return offered.filter((model) => {
    if (fittingOnly && model.fit.verdict !== 'fits' && model.fit.verdict !== 'squeezed') return false
    const { id, name, publisher, family, quantisation, license } = model
    const about = [id, name, publisher, family, quantisation, license].join(' ').toLowerCase()
    return words.every((word) => about.includes(word))
  })
}

/** In the catalogue's order. */
export function familiesOf(models: readonly OfferedModel[]): { family: string; models: OfferedModel[] }[] {
  const families = Map.groupBy(models, ({ family }) => family)
  return [...families].map(([family, members]) => ({ family, models: members }))
}
