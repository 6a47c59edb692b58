import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Template } from '@huggingface/jinja'
import fc from 'fast-check'
import { type ControlledEvaluateInputItem, GgmlType, readGgufFileInfo } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Arena, createSharedMemory, FLOAT_BYTES, seededRandom } from '../../src-main/tensor/index.ts'
import { augmentQuestion, lengthenQuestion } from './augment.ts'
import { evaluationQuestions, loadCorpus, normaliseQuestion, type Topic } from './corpus.ts'
import { packPrompts } from './dataset.ts'
import { loadLlama, MODEL_PATH, Respondent } from './evaluate.ts'
import { fromFloat16, toFloat16 } from './gguf.ts'
import { initialiseWeights, Llama, type PackedBatch, weightTensors } from './model.ts'
import { CHAT_TEMPLATE, specialTokens } from './prompt.ts'
import { RECIPE, type Recipe } from './recipe.ts'
import { Tokenizer, trainVocabulary } from './tokenizer.ts'
import { Trainer } from './trainer.ts'

const topics: readonly Topic[] = [
  {
    id: 'pause',
    answer: 'Press Pause on the dashboard.',
    train: ['how do I pause?', "what's the pause button", 'can I stop serving'],
    dev: ['how can I pause?'],
    heldout: ['how to pause?'],
  },
  {
    id: 'price',
    answer: 'One TRM is 10^9 FLOP.',
    train: ['what is the price?', 'how much does it cost', 'what does an answer cost'],
    dev: ['what is the cost?'],
    heldout: ['tell me the price'],
  },
]

function sampleTokenizer(): Tokenizer {
  const texts = new Map(topics.flatMap(({ answer, train }) => [answer, ...train]).map((text) => [text, 1]))
  return new Tokenizer(trainVocabulary(texts, specialTokens(topics), 320))
}

describe('tokenizer', () => {
  const tokenizer = sampleTokenizer()

  it('gives any well-formed text back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.toWellFormed())
      }),
      { seed: 1 },
    )
  })

  it('gives the text back when merges are skipped', () => {
    const random = seededRandom(1)
    const ids = tokenizer.encode('how do I pause?', () => random() < 0.5)
    expect(tokenizer.decode(ids)).toBe('how do I pause?')
    expect(ids.length).toBeGreaterThan(tokenizer.encode('how do I pause?').length)
  })

  it('leaves special tokens out of the text and does not find them in it', () => {
    expect(tokenizer.decode([tokenizer.special('<|end|>')])).toBe('')
    expect(tokenizer.encode('<|end|>')).not.toContain(tokenizer.special('<|end|>'))
  })
})

describe('augmentation', () => {
  it('never makes a dev or held-out question', () => {
    const forbidden = evaluationQuestions(topics)
    const random = seededRandom(1)
    const drawn = new Set<string>()
    for (let i = 0; i < 3000; i++) {
      for (const question of topics.flatMap((topic) => topic.train)) {
        drawn.add(normaliseQuestion(augmentQuestion(question, forbidden, random)))
      }
    }
    expect(drawn.size).toBeGreaterThan(500)
    expect([...drawn].filter((question) => forbidden.has(question))).toEqual([])
  })

  it('makes messages of several sentences that are no dev or held-out question either', () => {
    const forbidden = evaluationQuestions(topics)
    const random = seededRandom(2)
    const lengthen = (): string => lengthenQuestion('how do I pause?', () => 'can I pause', forbidden, random)
    const drawn = Array.from({ length: 500 }, lengthen)
    expect(drawn.some((text) => text.includes('can I pause'))).toBe(true)
    expect(drawn.some((text) => text.length > 60)).toBe(true)
    expect(drawn.filter((text) => forbidden.has(normaliseQuestion(text)))).toEqual([])
  })

  it('repeats with its seed', () => {
    const draw = (): string[] => {
      const random = seededRandom(5)
      return Array.from({ length: 20 }, () => augmentQuestion('how do I pause the app?', new Set(), random))
    }
    expect(draw()).toEqual(draw())
  })
})

describe('half precision', () => {
  it('rounds every half to itself', () => {
    for (let bits = 0; bits < 0x7c00; bits++) expect(toFloat16(fromFloat16(bits))).toBe(bits)
  })

  it('rounds to nearest', () => {
    const value = fc.double({ min: -60_000, max: 60_000, noNaN: true })
    fc.assert(
      fc.property(value, (x) => {
        expect(Math.abs(fromFloat16(toFloat16(x)) - x)).toBeLessThanOrEqual(
          Math.max(Math.abs(x) / 2048, 2 ** -25),
        )
      }),
    )
  })
})

describe('model', () => {
  const shape = {
    vocabularySize: 24,
    embeddingLength: 32,
    blockCount: 2,
    headCount: 2,
    feedForwardLength: 32,
  }
  const limits = { rows: 32, sequences: 4, sequenceLength: 16 }
  const batch: PackedBatch = {
    tokens: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    offsets: Int32Array.of(0, 4, 10),
    targetRows: Int32Array.of(2, 3, 9),
    targets: Int32Array.of(4, 5, 11),
    weights: Float32Array.of(0.5, 1, 2),
  }

  /** The loss is known in single precision only, so whole directions are compared, not single weights. */
  it('has the gradient of its loss, dropout included', () => {
    const memory = createSharedMemory(16 << 20)
    const arena = new Arena()
    const [weights, gradients] = [weightTensors(shape, arena), weightTensors(shape, arena)]
    const llama = new Llama(memory, arena, shape, limits)
    const floats = new Float32Array(memory.buffer)
    initialiseWeights(shape, weights, floats, 3)
    const regularisation = { dropout: 0.1, labelSmoothing: 0, seed: 9 }
    const loss = (): number => {
      const probabilities = llama.gradient(weights, gradients, batch, regularisation)
      return probabilities.reduce((sum, p, i) => sum - (batch.weights[i] ?? 0) * Math.log(p), 0)
    }
    const random = seededRandom(4)
    for (const [name, { offset, rows, columns }] of weights) {
      const start = offset / FLOAT_BYTES
      const gradientStart = (gradients.get(name)?.offset ?? 0) / FLOAT_BYTES
      loss()
      // Along the gradient the change is largest against the rounding; half of the direction is random.
      const gradient = floats.slice(gradientStart, gradientStart + rows * columns)
      const length = Math.hypot(...gradient)
      const direction = gradient.map((g) => g / length + (random() - 0.5) / Math.sqrt(gradient.length))
      const analytic = gradient.reduce((sum, g, i) => sum + g * (direction[i] ?? 0), 0)
      const base = floats.slice(start, start + rows * columns)
      const moved = (by: number): number => {
        floats.set(
          base.map((value, i) => value + by * (direction[i] ?? 0)),
          start,
        )
        return loss()
      }
      const step = 5e-3
      const numeric = (moved(step) - moved(-step)) / (2 * step)
      floats.set(base, start)
      expect(Math.abs(numeric - analytic) / Math.abs(analytic), name).toBeLessThan(0.02)
    }
  })
})

describe('training', () => {
  const recipe: Recipe = {
    ...RECIPE,
    vocabularySize: 320,
    shape: { embeddingLength: 32, blockCount: 1, headCount: 2, feedForwardLength: 32 },
    steps: 3,
    warmUpSteps: 1,
    sequencesPerStep: 8,
  }

  async function trainedBits(threads: number): Promise<string> {
    const trainer = new Trainer(recipe, topics, sampleTokenizer(), threads)
    await trainer.train(recipe.steps, async () => {})
    const hash = createHash('sha256')
    for (const { values } of trainer.averagedWeights().values()) hash.update(new Uint8Array(values.buffer))
    await trainer.close()
    return hash.digest('hex')
  }

  it('gives the same weights again, on one thread or two', async () => {
    const [once, again, single] = [await trainedBits(2), await trainedBits(2), await trainedBits(1)]
    expect(again).toBe(once)
    expect(single).toBe(once)
  })
})

describe('chat template', () => {
  it('renders the last user message alone', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'Hello!' },
      { role: 'user', content: 'what is a trade?' },
    ]
    const rendered = new Template(CHAT_TEMPLATE).render({ messages, add_generation_prompt: true })
    expect(rendered).toBe('<|user|>what is a trade?<|assistant|>')
  })
})

describe('shipped model', () => {
  const bytes = readFileSync(MODEL_PATH)
  const card = JSON.parse(readFileSync(MODEL_PATH.replace(/\.gguf$/, '.json'), 'utf8')) as Record<
    string,
    unknown
  >
  let respondent: Respondent
  let tokenizer: Tokenizer

  beforeAll(async () => {
    respondent = await Respondent.open(await loadLlama(), MODEL_PATH)
    const { tokens, token_type, merges } = respondent.model.fileInfo.metadata.tokenizer.ggml
    const special = (tokens ?? []).filter((_, id) => token_type?.[id] === 3)
    tokenizer = new Tokenizer({ specialTokens: [...special], merges: [...(merges ?? [])] })
  })

  afterAll(() => respondent.close())

  it('is the file its card describes', () => {
    expect(card.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(card.sizeBytes).toBe(bytes.length)
    expect(bytes.length).toBeLessThanOrEqual(6_000_000)
  })

  it('was trained on this corpus', () => {
    expect(card.corpusSha256).toBe(loadCorpus().sha256)
  })

  it('is tokenised by llama.cpp as here', () => {
    const texts = [
      'how do i make money with this?',
      "Don't  stop,   it's TOO slow!!  \n\n ok?",
      '  leading, trailing  ',
      'naïve café – 東京 🙂 123,456 ½',
      'tab\tand\r\nnew lines\n',
      ...loadCorpus().topics.flatMap(({ answer, train }) => [answer, ...train.slice(0, 3)]),
    ]
    for (const text of texts) {
      expect(respondent.model.tokenize(text, false).map(Number), text).toEqual(tokenizer.encode(text))
    }
  })

  it('gives the same logits in llama.cpp as in this engine, but for 8-bit rounding', async () => {
    const questions = [
      'what is a trade?',
      'hi',
      'is it safe??',
      'how do i make money with this?',
      'wat is TRM',
    ]
    const own = await engineLogits(tokenizer, questions)
    const context = await respondent.model.createContext({ contextSize: 512, threads: 1 })
    const sequence = context.getSequence()
    for (const [row, question] of questions.entries()) {
      await sequence.clearHistory()
      const [last, ...rest] = respondent.model.tokenize(`<|user|>${question}<|assistant|>`, true).reverse()
      if (last === undefined) throw new Error('no prompt')
      const input: ControlledEvaluateInputItem[] = [
        ...rest.reverse(),
        [last, { generateNext: { logits: true } }],
      ]
      const output = await sequence.controlledEvaluate(input)
      const logits = output[rest.length]?.next.logits ?? new Map()
      expect(logits.size).toBe(tokenizer.tokens.length)
      const scale = Math.max(...logits.values()) - Math.min(...logits.values())
      for (const [token, logit] of logits) {
        expect(Math.abs(logit - (own[row * logits.size + token] ?? 0)) / scale).toBeLessThan(0.02)
      }
    }
    await context.dispose()
  })
})

/** The logits [questions, vocabulary] after each prompt, computed here from the weights in the model file. */
async function engineLogits(tokenizer: Tokenizer, questions: readonly string[]): Promise<Float32Array> {
  const shape = { ...RECIPE.shape, vocabularySize: tokenizer.tokens.length }
  const limits = { rows: 256, sequences: 8, sequenceLength: 64 }
  const arena = new Arena()
  const weights = weightTensors(shape, arena)
  const memory = createSharedMemory(arena.end + Llama.activationBytes(shape, limits))
  const llama = new Llama(memory, arena, shape, limits)
  const floats = new Float32Array(memory.buffer)
  for (const [name, values] of await readTensors(MODEL_PATH)) {
    floats.set(values, (weights.get(name)?.offset ?? Number.NaN) / FLOAT_BYTES)
  }
  return llama.logits(weights, packPrompts(tokenizer, questions))
}

async function readTensors(path: string): Promise<Map<string, Float32Array>> {
  const bytes = readFileSync(path)
  const { fullTensorInfo = [] } = await readGgufFileInfo(path)
  return new Map(
    fullTensorInfo.map(({ name, dimensions, ggmlType, fileOffset }) => {
      const length = dimensions.reduce<number>((product, extent) => product * Number(extent), 1)
      const start = Number(fileOffset)
      const values = Float32Array.from({ length }, (_, i) => {
        if (ggmlType === GgmlType.F32) return bytes.readFloatLE(start + 4 * i)
        // q8_0: blocks of a half-precision scale and 32 signed bytes.
        const block = start + 34 * Math.floor(i / 32)
        return fromFloat16(bytes.readUInt16LE(block)) * bytes.readInt8(block + 2 + (i % 32))
      })
      return [name, values] as const
    }),
  )
}
