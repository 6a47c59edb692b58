import { createHash } from 'node:crypto'
import { seededRandom } from '../../tensor/index.ts'
import type { Example, TrainingSet } from './task.ts'

/** Keeps the items' seeds apart from one another and from those of other training sets. */
const SEED_STRIDE = 0x9e3779b1

/**
 * A training set of `count` items, drawn uniformly. Each item has a random stream of its own and is made when it is
 * first needed; `example` may vary it at every draw.
 */
export function trainingSetOf<Item>(
  count: number,
  seed: number,
  make: (random: () => number) => Item,
  example: (item: Item, random: () => number) => Example,
): TrainingSet {
  const items = new Map<number, Item>()
  const item = (index: number): Item => {
    const known = items.get(index)
    if (known !== undefined) return known
    const made = make(seededRandom(Math.imul(seed * count + index + 1, SEED_STRIDE)))
    items.set(index, made)
    return made
  }
  const random = seededRandom(seed + 1)
  return {
    draw: () => example(item(Math.floor(random() * count)), random),
    sha256() {
      const hash = createHash('sha256')
      for (let index = 0; index < count; index++) hash.update(JSON.stringify(item(index)))
      return hash.digest('hex')
    },
  }
}
