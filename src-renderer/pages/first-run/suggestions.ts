import type { ModelsView, OfferedModel } from '../../../src-preload/contract/index.ts'

const SUGGESTIONS_MAX = 4

/** Of each family the largest model that fits, largest first, and what is on its way: a few to choose from. */
export function suggestions({ offered, downloads }: ModelsView): OfferedModel[] {
  const coming = new Set(downloads.map(({ modelId }) => modelId))
  const size = ({ sizeBytes }: OfferedModel) => sizeBytes ?? 0
  const fitting = offered
    .filter(({ fit, installed }) => !installed && fit.verdict === 'fits')
    .sort((a, b) => size(b) - size(a))
  const families = new Set<string>()
  const best = fitting.filter(({ family }) => {
    const isFirst = !families.has(family)
    families.add(family)
    return isFirst
  })
  const under = offered.filter(({ id, installed }) => coming.has(id) && !installed)
  const chosen = new Map([...under, ...best.slice(0, SUGGESTIONS_MAX)].map((offer) => [offer.id, offer]))
  return [...chosen.values()]
}
