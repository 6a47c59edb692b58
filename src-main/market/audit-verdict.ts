/** A token of an answer with its natural log-probability, and the most probable ones at its place, best first. */
export interface ProbedToken {
  /** UTF-8 bytes as hex: how two hosts know that they mean the same token. */
  bytes: string
  logprob: number
  top: { bytes: string; logprob: number }[]
}

export interface AuditTolerance {
  /** Mean difference of log-probabilities, in nats, that other hardware, threads, batches and caches may make. */
  meanDeltaNats: number
  /** How much less probable a token may be, in nats, that the other host chose in place of the best one. */
  tieNats: number
  /** Tokens that have to be comparable. */
  tokensMin: number
}

/** From `npm run bench:audits`; docs/audits.md has the measurement. */
export const AUDIT_TOLERANCE: AuditTolerance = { meanDeltaNats: 0.07, tieNats: 0.1, tokensMin: 4 }

/** Less probable tokens are compared by nobody: rounding makes too much of them. */
const LOGPROB_MIN = -12

export interface Comparison {
  verdict: 'passed' | 'failed' | 'inconclusive'
  /** Places that were compared; both had the same tokens before them. */
  tokens: number
  /** Over the expected host's most probable tokens at these places; null: no log-probabilities were asked for. */
  meanDeltaNats: number | null
  /** Where the answers part: how much less probable the other token was at least; null: they do not. */
  partedNats: number | null
}

/**
 * Compares a greedy answer with the one that the same weights should give. Both were computed from the same tokens up
 * to the place where they part; there the distributions are compared once more, and after it nothing is.
 * @param observed without log-probabilities only the text
 */
export function compareAnswers(
  expected: readonly ProbedToken[],
  observed: { tokens: readonly ProbedToken[] } | { text: Uint8Array },
  tolerance: AuditTolerance = AUDIT_TOLERANCE,
): Comparison {
  return 'tokens' in observed
    ? compareTokens(expected, observed.tokens, tolerance)
    : compareText(expected, Buffer.from(observed.text), tolerance)
}

function compareTokens(
  expected: readonly ProbedToken[],
  observed: readonly ProbedToken[],
  tolerance: AuditTolerance,
): Comparison {
  let sumNats = 0
  let cells = 0
  let places = 0
  let partedNats: number | null = null
  for (const [index, own] of expected.entries()) {
    const other = observed[index]
    if (other) {
      for (const delta of deltas(own, other)) {
        sumNats += delta
        cells++
      }
      places++
    }
    if (other?.bytes === own.bytes) continue
    partedNats = other ? gapTo(own, other.bytes) : gapToAny(own)
    break
  }
  const meanDeltaNats = cells === 0 ? null : sumNats / cells
  const differs = (meanDeltaNats ?? 0) > tolerance.meanDeltaNats
  return { ...verdictOf(places, differs, partedNats, tolerance), meanDeltaNats }
}

/** Only what is read: the first token that does not stand in the text was not chosen. */
function compareText(expected: readonly ProbedToken[], text: Buffer, tolerance: AuditTolerance): Comparison {
  let at = 0
  let places = 0
  let partedNats: number | null = null
  for (const own of expected) {
    const bytes = Buffer.from(own.bytes, 'hex')
    places++
    if (text.subarray(at, at + bytes.length).equals(bytes)) {
      at += bytes.length
      continue
    }
    const rest = text.subarray(at)
    const read = own.top.filter(({ bytes: hex }) => isStartOf(Buffer.from(hex, 'hex'), rest))
    // Which token it was the text does not say: the most probable that it can have been.
    partedNats = Math.min(...read.map(({ bytes: hex }) => gapTo(own, hex)), gapToOthers(own, rest))
    break
  }
  return { ...verdictOf(places, false, partedNats, tolerance), meanDeltaNats: null }
}

function verdictOf(
  tokens: number,
  differs: boolean,
  partedNats: number | null,
  { tieNats, tokensMin }: AuditTolerance,
): Omit<Comparison, 'meanDeltaNats'> {
  const parted = (partedNats ?? 0) > tieNats
  // One token that the model never chooses says enough; a mean needs several.
  const verdict = parted ? 'failed' : tokens < tokensMin ? 'inconclusive' : differs ? 'failed' : 'passed'
  return { verdict, tokens, partedNats }
}

function* deltas(own: ProbedToken, other: ProbedToken): Generator<number> {
  const known = new Map(other.top.map(({ bytes, logprob }) => [bytes, logprob]))
  known.set(other.bytes, other.logprob)
  const least = Math.min(...known.values())
  for (const { bytes, logprob } of own.top) {
    if (logprob < LOGPROB_MIN) continue
    const reported = known.get(bytes)
    // What is not among the other's best is at most as probable as the last of them.
    yield reported === undefined ? Math.max(0, logprob - least) : Math.abs(logprob - reported)
  }
}

/** How much less probable this token is than the chosen one; at least, where it is not among the best. */
function gapTo(own: ProbedToken, bytes: string): number {
  const listed = own.top.find((token) => token.bytes === bytes)
  return own.logprob - (listed?.logprob ?? Math.min(own.logprob, ...own.top.map(({ logprob }) => logprob)))
}

/** The answer ends: what ends it may be any of the others. */
function gapToAny(own: ProbedToken): number {
  const others = own.top.filter(({ bytes }) => bytes !== own.bytes).map(({ logprob }) => logprob)
  return own.logprob - Math.max(...others, Number.NEGATIVE_INFINITY)
}

function gapToOthers(own: ProbedToken, rest: Buffer): number {
  return rest.length === 0 ? gapToAny(own) : gapTo(own, '')
}

const isStartOf = (part: Buffer, text: Buffer): boolean =>
  part.length > 0 && text.subarray(0, part.length).equals(part)
