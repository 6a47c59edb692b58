/** A law of the economy was broken. The message says which, in one sentence. */
export class BrokenLaw extends Error {}

export function law(holds: boolean, sentence: string | (() => string)): asserts holds {
  if (!holds) throw new BrokenLaw(typeof sentence === 'string' ? sentence : sentence())
}

/** Short enough to read, long enough to tell nodes apart. */
export const short = (text: string): string => text.replace(/[0-9a-f]{64}/g, (id) => id.slice(0, 8))
