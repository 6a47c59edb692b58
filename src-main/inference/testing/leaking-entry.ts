import { type Lease, SlotPool } from '../engine/slots.ts'

/** An engine that is broken on purpose: it hands sequences from one tenant to the next without wiping them. */
const used: Lease['sequence'][] = []
const take = SlotPool.prototype.take

SlotPool.prototype.take = async function (this: SlotPool, ...request): Promise<Lease> {
  const sequence = used.shift()
  return sequence ? { sequence, cachedTokens: 0 } : take.apply(this, request)
}

SlotPool.prototype.give = async ({ sequence }) => {
  used.push(sequence)
}

await import('../engine/entry.ts')
