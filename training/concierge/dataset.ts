import { augmentQuestion, lengthenQuestion, type Random } from './augment.ts'
import type { Topic } from './corpus.ts'
import type { PackedBatch } from './model.ts'
import { ASSISTANT_TOKEN, END_TOKEN, topicToken, USER_TOKEN } from './prompt.ts'
import { MAXIMUM_QUESTION_TOKENS, MICRO_BATCHES, type Recipe } from './recipe.ts'
import type { Tokenizer } from './tokenizer.ts'

/** One training sequence: tokens and, for each but the last, the weight of predicting its successor. */
interface Sequence {
  readonly tokens: readonly number[]
  readonly kinds: readonly TargetKind[]
}

/** What a token is predicted as: part of the question, the topic, or part of the answer. */
type TargetKind = 'question' | 'topic' | 'answer'

interface Example {
  readonly topic: Topic
  readonly question: string
}

/** Draws augmented training batches without end; the draws depend on the seed alone. */
export class TrainingData {
  readonly #examples: readonly Example[]
  readonly #forbidden: ReadonlySet<string>
  readonly #tokenizer: Tokenizer
  readonly #recipe: Recipe
  readonly #random: Random
  #queue: Example[] = []

  constructor(
    topics: readonly Topic[],
    forbidden: ReadonlySet<string>,
    tokenizer: Tokenizer,
    recipe: Recipe,
    random: Random,
  ) {
    this.#examples = topics.flatMap((topic) => topic.train.map((question) => ({ topic, question })))
    this.#forbidden = forbidden
    this.#tokenizer = tokenizer
    this.#recipe = recipe
    this.#random = random
  }

  /** The micro-batches of one step; the weights of all their targets add up to the loss weights of the recipe. */
  nextStep(): PackedBatch[] {
    const parts: Sequence[][] = Array.from({ length: MICRO_BATCHES }, () => [])
    for (let i = 0; i < this.#recipe.sequencesPerStep; i++) {
      // Sequences with an answer are long: they take turns between the micro-batches to keep these equally large.
      const pair = Math.floor(i / MICRO_BATCHES)
      const withAnswer = pair % this.#recipe.answerInterval === 0
      parts[i % MICRO_BATCHES]?.push(this.#nextSequence(withAnswer))
    }
    const totals = countKinds(parts.flat())
    const weightOf: Record<TargetKind, number> = {
      question: this.#recipe.questionLossWeight / totals.question,
      topic: 1 / totals.topic,
      answer: this.#recipe.answerLossWeight / totals.answer,
    }
    return parts.map((sequences) => pack(sequences, weightOf))
  }

  #nextSequence(withAnswer: boolean): Sequence {
    const { topic, question } = this.#nextExample()
    const random = this.#random
    const vary = (original: string): string => augmentQuestion(original, this.#forbidden, random)
    const another = (): string => vary(topic.train[Math.floor(random() * topic.train.length)] ?? question)
    const text = lengthenQuestion(vary(question), another, this.#forbidden, random)
    const dropsMerges = random() < this.#recipe.mergeDropoutShare
    const skipMerge = dropsMerges ? () => random() < this.#recipe.mergeDropout : undefined
    return toSequence(this.#tokenizer, text, topic, withAnswer, skipMerge)
  }

  /** Every example once, in a new order each time round. */
  #nextExample(): Example {
    if (this.#queue.length === 0) {
      this.#queue = [...this.#examples]
      for (let i = this.#queue.length - 1; i > 0; i--) {
        const other = Math.floor(this.#random() * (i + 1))
        const swapped = this.#queue[i] as Example
        this.#queue[i] = this.#queue[other] as Example
        this.#queue[other] = swapped
      }
    }
    return this.#queue.pop() as Example
  }
}

function toSequence(
  tokenizer: Tokenizer,
  question: string,
  topic: Topic,
  withAnswer: boolean,
  skipMerge?: () => boolean,
): Sequence {
  const asked = tokenizer.encode(question, skipMerge).slice(0, MAXIMUM_QUESTION_TOKENS)
  const answer = withAnswer ? [...tokenizer.encode(topic.answer), tokenizer.special(END_TOKEN)] : []
  const prompt = [tokenizer.special(USER_TOKEN), ...asked, tokenizer.special(ASSISTANT_TOKEN)]
  const tokens = [...prompt, tokenizer.special(topicToken(topic)), ...answer]
  const kinds: TargetKind[] = tokens.slice(1).map((_, row) => {
    if (row < prompt.length - 1) return 'question'
    return row === prompt.length - 1 ? 'topic' : 'answer'
  })
  return { tokens, kinds }
}

function countKinds(sequences: readonly Sequence[]): Record<TargetKind, number> {
  const totals = { question: 0, topic: 0, answer: 0 }
  for (const { kinds } of sequences) for (const kind of kinds) totals[kind]++
  return totals
}

/** Lays sequences end to end. The last token of each has nothing to predict and is left out. */
function pack(sequences: readonly Sequence[], weightOf: Record<TargetKind, number>): PackedBatch {
  const tokens: number[] = []
  const offsets = [0]
  const targetRows: number[] = []
  const targets: number[] = []
  const weights: number[] = []
  for (const sequence of sequences) {
    for (const [row, kind] of sequence.kinds.entries()) {
      if (weightOf[kind] > 0) {
        targetRows.push(tokens.length)
        targets.push(sequence.tokens[row + 1] as number)
        weights.push(weightOf[kind])
      }
      tokens.push(sequence.tokens[row] as number)
    }
    offsets.push(tokens.length)
  }
  return {
    tokens: Int32Array.from(tokens),
    offsets: Int32Array.from(offsets),
    targetRows: Int32Array.from(targetRows),
    targets: Int32Array.from(targets),
    weights: Float32Array.from(weights),
  }
}

/** Prompts only, each with one target row: the place where the model names the topic. */
export function packPrompts(tokenizer: Tokenizer, questions: readonly string[]): PackedBatch {
  const prompts = questions.map((question) => {
    const asked = tokenizer.encode(question).slice(0, MAXIMUM_QUESTION_TOKENS)
    return [tokenizer.special(USER_TOKEN), ...asked, tokenizer.special(ASSISTANT_TOKEN)]
  })
  const offsets = [0]
  for (const prompt of prompts) offsets.push((offsets.at(-1) as number) + prompt.length)
  return {
    tokens: Int32Array.from(prompts.flat()),
    offsets: Int32Array.from(offsets),
    targetRows: Int32Array.from(offsets.slice(1), (end) => end - 1),
    targets: new Int32Array(questions.length),
    weights: new Float32Array(questions.length),
  }
}
