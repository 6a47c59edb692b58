// Trains the concierge from the corpus and writes resources/models/concierge.{gguf,json}. One command, no options;
// the same corpus and recipe give the same file, byte for byte.
// Usage: node training/concierge/train.ts

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname } from 'node:path'
import { loadCorpus, type Topic } from './corpus.ts'
import { loadLlama, MODEL_PATH, Respondent, scoreSplit } from './evaluate.ts'
import { encodeModelFile } from './model-file.ts'
import { specialTokens } from './prompt.ts'
import { MICRO_BATCHES, RECIPE } from './recipe.ts'
import { Tokenizer, trainVocabulary } from './tokenizer.ts'
import { Trainer } from './trainer.ts'

const REPORT_INTERVAL_STEPS = 100

/** Answers are seen far more often than any one question, so their words weigh more in the vocabulary. */
const ANSWER_MULTIPLICITY = 8

/** The tokenizer learned from the answers and the training questions, and from nothing else. */
function buildTokenizer(topics: readonly Topic[], vocabularySize: number): Tokenizer {
  const texts = new Map<string, number>()
  const add = (text: string, times: number): void => void texts.set(text, (texts.get(text) ?? 0) + times)
  for (const topic of topics) {
    add(topic.answer, ANSWER_MULTIPLICITY)
    for (const question of topic.train) add(question, 1)
  }
  return new Tokenizer(trainVocabulary(texts, specialTokens(topics), vocabularySize))
}

async function main(): Promise<void> {
  const started = performance.now()
  const corpus = loadCorpus()
  const tokenizer = buildTokenizer(corpus.topics, RECIPE.vocabularySize)
  const threads = Math.min(MICRO_BATCHES, availableParallelism())
  const trainer = new Trainer(RECIPE, corpus.topics, tokenizer, threads)
  const dev = trainer.devQuestions()
  await trainer.train(REPORT_INTERVAL_STEPS, async ({ step, loss, flop, milliseconds }) => {
    const correct = await trainer.countCorrect(dev)
    const speed = (flop / milliseconds / 1e6).toFixed(1)
    console.log(
      `step ${step}: loss ${loss.toFixed(3)}, dev topics ${correct}/${dev.length}, ${speed} GFLOP/s`,
    )
  })
  const weights = trainer.averagedWeights()
  await trainer.close()
  const file = encodeModelFile(
    { ...RECIPE.shape, vocabularySize: tokenizer.tokens.length },
    tokenizer,
    weights,
  )
  mkdirSync(dirname(MODEL_PATH), { recursive: true })
  writeFileSync(MODEL_PATH, file)
  console.log(
    `trained in ${((performance.now() - started) / 60_000).toFixed(1)} minutes on ${threads} threads`,
  )

  const respondent = await Respondent.open(await loadLlama(), MODEL_PATH)
  const devScore = await scoreSplit(respondent, corpus.topics, 'dev')
  const heldoutScore = await scoreSplit(respondent, corpus.topics, 'heldout')
  await respondent.close()
  const card = {
    file: basename(MODEL_PATH),
    sha256: createHash('sha256').update(file).digest('hex'),
    sizeBytes: file.length,
    parameters: [...weights.values()].reduce((sum, { values }) => sum + values.length, 0),
    seed: RECIPE.seed,
    corpusSha256: corpus.sha256,
    trainingSteps: RECIPE.steps,
    heldout: heldoutScore,
    dev: devScore,
    trainedWith: 'training/concierge/train.ts on src-main/tensor (WebAssembly SIMD, CPU)',
    license: 'MIT',
  }
  writeFileSync(MODEL_PATH.replace(/\.gguf$/, '.json'), `${JSON.stringify(card, null, 2)}\n`)
  console.log(card)
}

if (import.meta.main) await main()
