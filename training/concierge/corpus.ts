import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One thing the concierge knows: an answer and ways of asking for it. */
export interface Topic {
  readonly id: string
  readonly answer: string
  readonly train: readonly string[]
  /** For tuning the recipe. */
  readonly dev: readonly string[]
  /** For the final figure only. */
  readonly heldout: readonly string[]
}

export interface Corpus {
  readonly topics: readonly Topic[]
  /** SHA-256 over the corpus files, in name order. */
  readonly sha256: string
}

const CORPUS_DIRECTORY = join(import.meta.dirname, 'corpus')

function isTopic(value: unknown): value is Topic {
  const topic = value as Topic
  const isList = (list: unknown): boolean =>
    Array.isArray(list) && list.every((item) => typeof item === 'string' && item.trim() !== '')
  const named = typeof topic?.id === 'string' && typeof topic.answer === 'string'
  return named && isList(topic.train) && isList(topic.dev) && isList(topic.heldout)
}

/** Two questions are the same when they agree in letters and digits, whatever the case. */
export function normaliseQuestion(question: string): string {
  return question.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

/** Reads every corpus file; a question that is both trained and evaluated is an error, as it would flatter the figures. */
export function loadCorpus(directory = CORPUS_DIRECTORY): Corpus {
  const hash = createHash('sha256')
  const topics: Topic[] = []
  for (const name of readdirSync(directory).sort()) {
    if (!name.endsWith('.json')) continue
    const text = readFileSync(join(directory, name))
    hash.update(text)
    const content: unknown = JSON.parse(text.toString('utf8'))
    if (!Array.isArray(content) || !content.every(isTopic)) throw new Error(`${name} is not a list of topics`)
    topics.push(...content)
  }
  const ids = new Set(topics.map((topic) => topic.id))
  if (ids.size !== topics.length) throw new Error('two topics have the same id')
  const evaluated = evaluationQuestions(topics)
  const leaked = topics.flatMap((topic) => topic.train).filter((q) => evaluated.has(normaliseQuestion(q)))
  if (leaked.length > 0) throw new Error(`questions both trained and evaluated: ${leaked.join(' | ')}`)
  return { topics, sha256: hash.digest('hex') }
}

/** The dev and held-out questions, normalised. */
export function evaluationQuestions(topics: readonly Topic[]): ReadonlySet<string> {
  return new Set(topics.flatMap((topic) => [...topic.dev, ...topic.heldout]).map(normaliseQuestion))
}
