import { createHash } from 'node:crypto'
import { seededRandom } from '../../tensor/index.ts'
import type { Example, TrainingSet } from './task.ts'

/** Keeps the items' seeds apart from one another and from those of other training sets. */
const SEED_STRIDE = 0x9e3779b1

/** The item at `index` of a training set of `count`: always the same one for the same seed. */
function itemAt<Item>(
  index: number,
  count: number,
  seed: number,
  make: (random: () => number) => Item,
): Item {
  return make(seededRandom(Math.imul(seed * count + index + 1, SEED_STRIDE)))
}

/** All items of {@link trainingSetOf} with the same arguments, as they are before they are varied. */
export function trainingItems<Item>(
  count: number,
  seed: number,
  make: (random: () => number) => Item,
): Item[] {
  return Array.from({ length: count }, (_, index) => itemAt(index, count, seed, make))
}

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
    const made = itemAt(index, count, seed, make)
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
