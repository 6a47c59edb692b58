// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019), the same as llama.cpp does for
// tokenizer.ggml.model = "gpt2" with tokenizer.ggml.pre = "gpt-2".

/** A trained vocabulary. Ids: special tokens first, then the 256 bytes, then one token per merge. */
export interface Vocabulary {
  readonly specialTokens: readonly string[]
  /** Pairs in order of rank, written in the byte alphabet: "Ġt he". */
  readonly merges: readonly string[]
}

/** GPT-2's pre-tokenisation: contractions, words, numbers, punctuation, white space. */
const PRE_TOKENS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/** GPT-2's printable stand-ins for the 256 bytes: printable Latin-1 stays, the others move to U+0100 and up. */
const BYTE_ALPHABET: readonly string[] = (() => {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let moved = 0
  return Array.from({ length: 256 }, (_, byte) => {
    return String.fromCharCode(isPrintable(byte) ? byte : 0x100 + moved++)
  })
})()

const BYTE_OF_LETTER = new Map(BYTE_ALPHABET.map((letter, byte) => [letter, byte]))
const encoder = new TextEncoder()
const decoder = new TextDecoder()

function preTokens(text: string): string[][] {
  return (text.match(PRE_TOKENS) ?? []).map((piece) => {
    return Array.from(encoder.encode(piece), (byte) => BYTE_ALPHABET[byte] as string)
  })
}

function mergePair(symbols: readonly string[], left: string, right: string): string[] {
  const merged: string[] = []
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      merged.push(left + right)
      i++
    } else {
      merged.push(symbols[i] as string)
    }
  }
  return merged
}

/** Learns merges from texts with multiplicities until the vocabulary has `size` tokens; ties go by code unit order. */
export function trainVocabulary(
  texts: ReadonlyMap<string, number>,
  specialTokens: readonly string[],
  size: number,
): Vocabulary {
  const counts = new Map<string, number>()
  for (const [text, times] of texts) {
    for (const symbols of preTokens(text)) {
      const key = symbols.join(' ')
      counts.set(key, (counts.get(key) ?? 0) + times)
    }
  }
  let words = [...counts].map(([key, times]) => ({ symbols: key.split(' '), times }))
  const merges: string[] = []
  while (specialTokens.length + 256 + merges.length < size) {
    const best = mostFrequentPair(words)
    if (best === undefined) break
    merges.push(best)
    const [left = '', right = ''] = best.split(' ')
    words = words.map(({ symbols, times }) => ({ symbols: mergePair(symbols, left, right), times }))
  }
  return { specialTokens, merges }
}

function mostFrequentPair(words: readonly { symbols: string[]; times: number }[]): string | undefined {
  const pairs = new Map<string, number>()
  for (const { symbols, times } of words) {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = `${symbols[i]} ${symbols[i + 1]}`
      pairs.set(pair, (pairs.get(pair) ?? 0) + times)
    }
  }
  let best: string | undefined
  let bestTimes = 1
  for (const [pair, times] of pairs) {
    if (times > bestTimes || (times === bestTimes && best !== undefined && pair < best)) {
      best = pair
      bestTimes = times
    }
  }
  return best
}

export class Tokenizer {
  readonly vocabulary: Vocabulary
  /** Token texts by id; bytes in the byte alphabet, as GGUF's `tokenizer.ggml.tokens` holds them. */
  readonly tokens: readonly string[]
  readonly #ids: ReadonlyMap<string, number>
  readonly #ranks: ReadonlyMap<string, number>

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary
    const merged = vocabulary.merges.map((pair) => pair.replace(' ', ''))
    this.tokens = [...vocabulary.specialTokens, ...BYTE_ALPHABET, ...merged]
    this.#ids = new Map(this.tokens.map((token, id) => [token, id]))
    this.#ranks = new Map(vocabulary.merges.map((pair, rank) => [pair, rank]))
  }

  special(token: string): number {
    const id = this.vocabulary.specialTokens.indexOf(token)
    if (id < 0) throw new Error(`no special token ${token}`)
    return id
  }

  /**
   * The ids of plain text; special tokens in it are not recognised. With `skipMerge`, each possible merge is left
   * out when it returns true (BPE-dropout, Provilkov et al. 2020).
   */
  encode(text: string, skipMerge?: () => boolean): number[] {
    return preTokens(text).flatMap((symbols) => {
      return this.#mergeAll(symbols, skipMerge).map((symbol) => this.#ids.get(symbol) as number)
    })
  }

  #mergeAll(symbols: string[], skipMerge: (() => boolean) | undefined): string[] {
    let merged = symbols
    for (;;) {
      let best = -1
      let bestRank = Number.POSITIVE_INFINITY
      for (let i = 0; i + 1 < merged.length; i++) {
        const rank = this.#ranks.get(`${merged[i]} ${merged[i + 1]}`)
        if (rank !== undefined && rank < bestRank && !skipMerge?.()) {
          best = i
          bestRank = rank
        }
      }
      if (best < 0) return merged
      merged = [...merged.slice(0, best), `${merged[best]}${merged[best + 1]}`, ...merged.slice(best + 2)]
    }
  }

  /** The text of `ids`; special tokens give nothing. */
  decode(ids: readonly number[]): string {
    const letters = ids
      .filter((id) => id >= this.vocabulary.specialTokens.length)
      .flatMap((id) => Array.from(this.tokens[id] ?? ''))
    return decoder.decode(Uint8Array.from(letters, (letter) => BYTE_OF_LETTER.get(letter) ?? 0))
  }
}
