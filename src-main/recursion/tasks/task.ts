/** What the network sees of one question: a grid of tokens (one row for sequences). */
export interface Instance {
  readonly height: number
  readonly width: number
  /** Token ids, row by row. */
  readonly tokens: Int32Array
  /** Factor on each token's embedding; 1 where absent. Carries real-valued features. */
  readonly values?: Float32Array
  /**
   * 1 for every token whose class the answer is made of, where the answer is right only if each of them is: then no
   * reading is surer of itself than of the least sure of them.
   */
  readonly asked?: Uint8Array
}

export interface Example {
  readonly instance: Instance
  /** Wanted class per token; -1 where none is asked for. */
  readonly targets: Int32Array
}

/** What the network thinks after one supervision step. */
export interface ReasoningStep {
  /** Class per token. */
  readonly answer: Int32Array
  /** Probability of each token's class. */
  readonly confidence: Float32Array
  /** The halting head's, bounded by the least sure token where {@link Instance.asked} names any. */
  readonly haltProbability: number
  /** How far each token's latent z moved in this step: root mean square over its width. */
  readonly latentChange: Float32Array
}

/** Which side of the train/test split examples are drawn from. The sides share no example, nor symmetric images. */
export type Split = 'train' | 'test'

export interface TestItem<Input, Answer> {
  readonly input: Input
  /** 1 for a right answer, 0 for a wrong one; for outcomes that chance decides, the outcome. */
  score(answer: Answer): 0 | 1
}

/** Examples that are drawn again and again, varied where the task allows it. */
export interface TrainingSet {
  draw(): Example
  /** Hash of the examples before they are varied. */
  sha256(): string
}

/** A kind of question that a network can be trained on. Pure: the same seed gives the same examples. */
export interface Task<Input, Answer> {
  readonly name: string
  /** Whether thinking wider can find what the first steps miss; not where the answer is a forecast. */
  readonly deliberates: boolean
  trainingSet(seed: number): TrainingSet
  /** Questions that no training set holds; `options.side` sizes a grid. */
  testItems(count: number, seed: number, options?: { readonly side?: number }): TestItem<Input, Answer>[]
  /** @throws TiramiError INVALID_INPUT. */
  parse(input: unknown): Input
  /** What the network is asked, in one or several instances. */
  encode(input: Input): Instance[]
  /** The answer that the instances' readings stand for. */
  decode(input: Input, readings: readonly ReasoningStep[]): Answer
  /** Whether the answer obeys the question's rules; nothing where that cannot be checked. */
  verify(input: Input, answer: Answer): boolean | undefined
}
