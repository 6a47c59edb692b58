// The language leaves Math.cos, Math.log and the like to each engine. These use only IEEE-754 + - * /, which are
// exact to the bit everywhere, so a recipe's schedule, rotations and starting weights are the same on every machine.

const TERMS = 24

/** e^x for |x| <= 64 (Taylor series after halving, then repeated squaring). */
export function exactExp(x: number): number {
  let halvings = 0
  let reduced = x
  while (Math.abs(reduced) > 0.5) {
    reduced /= 2
    halvings++
  }
  let term = 1
  let sum = 1
  for (let n = 1; n < TERMS; n++) {
    term = (term * reduced) / n
    sum += term
  }
  for (let i = 0; i < halvings; i++) sum *= sum
  return sum
}

/** Sine and cosine of x for |x| <= 1e5 (Taylor series after removing whole turns). */
export function exactSineCosine(x: number): { sine: number; cosine: number } {
  const turn = 2 * Math.PI
  const reduced = x - Math.round(x / turn) * turn
  let term = 1
  let sine = 0
  let cosine = 1
  for (let n = 1; n < 2 * TERMS; n++) {
    term = (term * reduced) / n
    const signed = n % 4 < 2 ? term : -term
    if (n % 2 === 1) sine += signed
    else cosine += signed
  }
  return { sine, cosine }
}

/** The pairwise-rotation table of TensorOps.rotate: [positions, 2, headLength] with base 10000 (Su et al. 2021). */
export function rotationTable(positions: number, headLength: number): Float32Array {
  const naturalLogOfBase = 9.210340371976184
  const table = new Float32Array(positions * 2 * headLength)
  for (let i = 0; i < headLength; i += 2) {
    const frequency = exactExp((-i / headLength) * naturalLogOfBase)
    for (let position = 0; position < positions; position++) {
      const { sine, cosine } = exactSineCosine(position * frequency)
      const at = position * 2 * headLength + i
      table.set([cosine, cosine], at)
      table.set([-sine, sine], at + headLength)
    }
  }
  return table
}

/** A seeded generator of uniform numbers in [0, 1): `mulberry32`. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** An approximately normal number, mean 0 and variance 1: the sum of twelve uniforms (Irwin-Hall). */
export function seededNormal(random: () => number): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += random()
  return sum
}
