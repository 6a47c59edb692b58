/**
 * What the gateway costs: the same model file, on the same machine, in the same run, once with node-llama-cpp alone in
 * this process and once through the built host over HTTP. `node bench/serve.ts [--model GGUF] [--rounds N] [--tokens N]
 * [--streams N,N] [--aborts N]`; without a file, one of SmolLM2-135M's shape with random weights is made for it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Template } from '@huggingface/jinja'
import { getLlama, type LlamaContextSequence, LlamaLogLevel } from 'node-llama-cpp'
import { chooseThreads } from '../src-main/inference/index.ts'
import { readGgufModel } from '../src-main/models/index.ts'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import { type HeldMemory, heldMemory } from './collected-memory.ts'
import { enginePid, type RunningHost, residentBytes, startHost } from './host.ts'
import { describeMachine, inMib, inMs, median, report } from './report.ts'
import { writeSmolShapedGguf } from './serve-model.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '64' },
    streams: { type: 'string', default: '1,4,16' },
    aborts: { type: 'string', default: '1000' },
  },
})
const streamCounts = values.streams.split(',').map(Number)
const [rounds, tokens, aborts] = [Number(values.rounds), Number(values.tokens), Number(values.aborts)]
/** As the host asks for, where the memory allows. */
const PLAN = { slots: 4, contextTokens: 4096, batchTokens: 64 }
const FIRST_TOKENS_PER_ROUND = 20
const QUESTION = 'Tell me about the sea.'
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-serve-'))

/** Times of one answer, milliseconds of `performance.now()`. */
interface Answer {
  askedAtMs: number
  /** When each of its tokens came. */
  tokenAtMs: number[]
}

type Ask = (maxTokens: number) => Promise<Answer>

/** The model with nothing around it: the host's own plan, one conversation per sequence, the others wait. */
async function openBareEngine(modelPath: string) {
  const threads = chooseThreads((await readGgufModel(modelPath)).parameters, availableParallelism())
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: LlamaLogLevel.disabled,
  })
  const model = await llama.loadModel({ modelPath })
  const contextSize = Math.min(PLAN.contextTokens, model.trainContextSize)
  const context = await model.createContext({
    contextSize,
    sequences: PLAN.slots,
    batchSize: PLAN.batchTokens,
    threads,
  })
  const template = new Template(String(model.fileInfo.metadata.tokenizer?.chat_template))
  const prompt = template.render({
    messages: [{ role: 'user', content: QUESTION }],
    add_generation_prompt: true,
  })
  const promptTokens = model.tokenize(prompt, true)
  const free = Array.from({ length: PLAN.slots }, () => context.getSequence())
  const waiting: ((sequence: LlamaContextSequence) => void)[] = []
  const take = async () =>
    free.pop() ?? (await new Promise<LlamaContextSequence>((resolve) => waiting.push(resolve)))
  const give = (sequence: LlamaContextSequence) => {
    const next = waiting.shift()
    if (next) next(sequence)
    else free.push(sequence)
  }
  const ask: Ask = async (maxTokens) => {
    const askedAtMs = performance.now()
    const sequence = await take()
    try {
      await sequence.clearHistory()
      const tokenAtMs: number[] = []
      for await (const token of sequence.evaluate(promptTokens, { temperature: 0 })) {
        // As text, which is what the host gives.
        model.detokenize([token])
        if (tokenAtMs.push(performance.now()) === maxTokens) break
      }
      return { askedAtMs, tokenAtMs }
    } finally {
      give(sequence)
    }
  }
  return { ask, threads, close: () => llama.dispose() }
}

const agent = new http.Agent({ keepAlive: true })

/** A streamed chat completion; `onChunk` sees what has come so far and may end the request. */
function post(
  host: RunningHost,
  body: object,
  onChunk: (text: string, end: () => void) => void,
): Promise<void> {
  const payload = JSON.stringify({ messages: [{ role: 'user', content: QUESTION }], stream: true, ...body })
  return new Promise((resolve, reject) => {
    const request = http.request(`${host.api}/chat/completions`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${host.apiKey}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      },
    })
    let left = false
    const end = () => {
      left = true
      request.destroy()
      resolve()
    }
    request.on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      response.setEncoding('utf8')
      response.on('data', (text: string) => !left && onChunk(text, end))
      response.on('end', () => resolve())
      response.on('error', () => undefined)
    })
    request.on('error', (error) => left || reject(error))
    request.end(payload)
  })
}

const CONTENT = /"delta":\{"content":"[^"]/g

const askHost =
  (host: RunningHost): Ask =>
  async (maxTokens) => {
    const askedAtMs = performance.now()
    const tokenAtMs: number[] = []
    let counted = 0
    const body = {
      max_tokens: maxTokens,
      temperature: 0,
      // Every answer reads its prompt, as the engine alone does.
      cache_prompt: false,
      stream_options: { include_usage: true },
    }
    await post(host, body, (text) => {
      const now = performance.now()
      for (const _ of text.matchAll(CONTENT)) tokenAtMs.push(now)
      counted = Number(/"completion_tokens":(\d+)/.exec(text)?.[1] ?? counted)
    })
    if (counted !== maxTokens) throw new Error(`${counted} tokens instead of ${maxTokens}`)
    return { askedAtMs, tokenAtMs }
  }

interface Throughput {
  whole: number
  decoding: number | null
}

/**
 * Tokens per second of so many answers at once: `whole` from the first question to the last token, prompts included,
 * which is what callers wait for; `decoding` while as many as there are places have begun and none has ended.
 */
async function throughput(ask: Ask, streams: number): Promise<Throughput> {
  const answers = await Promise.all(Array.from({ length: streams }, () => ask(tokens)))
  const ends = answers.map(({ tokenAtMs }) => tokenAtMs.at(-1) ?? Number.NaN)
  const wholeMs = Math.max(...ends) - Math.min(...answers.map(({ askedAtMs }) => askedAtMs))
  const fromMs = Math.max(...answers.map(({ tokenAtMs }) => tokenAtMs[0] ?? Number.NaN))
  const untilMs = Math.min(...ends)
  const counted = answers.flatMap(({ tokenAtMs }) => tokenAtMs.filter((at) => at > fromMs && at <= untilMs))
  return {
    whole: (streams * tokens * 1000) / wholeMs,
    decoding: streams <= PLAN.slots ? (counted.length * 1000) / (untilMs - fromMs) : null,
  }
}

const firstTokenMs = async (ask: Ask): Promise<number> => {
  const { askedAtMs, tokenAtMs } = await ask(1)
  return (tokenAtMs[0] ?? Number.NaN) - askedAtMs
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

const perSecond = (value: number): string => `${value.toFixed(1)} tokens/s`

async function compareSpeed(bare: Ask, gateway: Ask): Promise<void> {
  for (const streams of streamCounts) {
    const pairs: { ours: Throughput; reference: Throughput }[] = []
    for (let round = 0; round < rounds; round++) {
      const reference = await throughput(bare, streams)
      pairs.push({ reference, ours: await throughput(gateway, streams) })
    }
    const title = `${streams} stream${streams === 1 ? '' : 's'} (${tokens} tokens each, ${PLAN.slots} at once, median of ${rounds})`
    reportSpeed(
      `Decoding, ${title}`,
      pairs.map(({ ours, reference }) => ({ ours: ours.decoding, reference: reference.decoding })),
      goalOf(streams),
    )
    reportSpeed(
      `From question to last token, ${title}`,
      pairs.map(({ ours, reference }) => ({ ours: ours.whole, reference: reference.whole })),
    )
  }
}

function reportSpeed(
  title: string,
  pairs: { ours: number | null; reference: number | null }[],
  goal = '',
): void {
  const known = pairs.flatMap(({ ours, reference }) =>
    ours === null || reference === null ? [] : [{ ours, reference }],
  )
  if (known.length === 0) return
  report(
    title,
    perSecond(median(known.map(({ ours }) => ours))),
    `${perSecond(median(known.map(({ reference }) => reference)))} with node-llama-cpp alone in this process`,
    `${median(known.map(({ ours, reference }) => ours / reference)).toFixed(3)} ${goal}`,
  )
}

const GOALS: ReadonlyMap<number, string> = new Map([
  [1, '(goal 0.98)'],
  [4, '(goal 0.95)'],
])
const goalOf = (streams: number): string => GOALS.get(streams) ?? ''

async function compareFirstToken(bare: Ask, gateway: Ask): Promise<void> {
  const direct: number[] = []
  const overHttp: number[] = []
  for (let turn = 0; turn < rounds * FIRST_TOKENS_PER_ROUND; turn++) {
    direct.push(await firstTokenMs(bare))
    overHttp.push(await firstTokenMs(gateway))
  }
  for (const [name, share, goal] of [
    ['p50', 0.5, ''],
    ['p95', 0.95, ' (goal 10 ms)'],
  ] as const) {
    const [ours, reference] = [percentile(overHttp, share), percentile(direct, share)]
    report(
      `Time to first token, ${name} of ${overHttp.length}, in turn`,
      inMs(ours),
      `${inMs(reference)} with node-llama-cpp alone in this process`,
      `${(ours / reference).toFixed(2)} ×, added ${inMs(ours - reference)}${goal}`,
    )
  }
}

/** Connects and leaves, before the first token and after some, eight at a time. */
async function leaveOverAndOver(host: RunningHost, cycles: number): Promise<void> {
  const leave = (cycle: number) => {
    let left = cycle % 6
    return post(host, { max_tokens: 1000 }, (_text, end) => {
      if (left-- === 0) end()
    })
  }
  for (let cycle = 0; cycle < cycles; cycle += 8)
    await Promise.all(Array.from({ length: 8 }, (_, index) => leave(cycle + index)))
}

interface HeldByBoth {
  host: HeldMemory
  engine: HeldMemory
}

const heldByBoth = async (host: RunningHost): Promise<HeldByBoth> => ({
  host: await heldMemory(host.pid),
  engine: await heldMemory(enginePid(host)),
})

const describeHeld = ({ host, engine }: HeldByBoth): string =>
  [
    `host ${inMib(host.residentBytes)} (heap ${inMib(host.heapBytes)})`,
    `engine ${inMib(engine.residentBytes)} (heap ${inMib(engine.heapBytes)})`,
  ].join(', ')

const growth = (before: HeldMemory, after: HeldMemory): string =>
  `${(after.residentBytes / before.residentBytes).toFixed(2)} (heap ${(after.heapBytes / before.heapBytes).toFixed(2)})`

async function measureAborts(): Promise<void> {
  const script = { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' } as const
  const host = await startHost(
    join(scratch, 'aborts'),
    '--model',
    writeTinyGguf(join(scratch, 'endless.gguf'), { script }),
  )
  // What is used for the first time is not growth.
  await leaveOverAndOver(host, Math.ceil(aborts / 10))
  const before = await heldByBoth(host)
  await leaveOverAndOver(host, aborts)
  const after = await heldByBoth(host)
  report(
    `Memory held after ${aborts} answers that were left half-way, garbage collected`,
    describeHeld(after),
    `${describeHeld(before)} after a tenth of that`,
    `host ${growth(before.host, after.host)}, engine ${growth(before.engine, after.engine)}`,
  )
  await host.end()
}

async function main(): Promise<void> {
  describeMachine()
  const modelPath = values.model ?? writeSmolShapedGguf(join(scratch, 'smol-135m.gguf'))
  const { parameters, sizeBytes } = await readGgufModel(modelPath)
  const bare = await openBareEngine(modelPath)
  const host = await startHost(join(scratch, 'host'), '--model', modelPath)
  console.log(`${Number(parameters) / 1e6} million weights in ${inMib(sizeBytes)}, ${bare.threads} threads\n`)
  const gateway = askHost(host)
  await bare.ask(8)
  await gateway(8)
  await compareSpeed(bare.ask, gateway)
  await compareFirstToken(bare.ask, gateway)
  const memory = residentBytes(host)
  report(
    'Memory while a model is loaded',
    `host ${inMib(memory.host)}, engine ${inMib(memory.engine)}`,
    `${inMib(sizeBytes)} model file`,
    `${((memory.host + memory.engine) / sizeBytes).toFixed(2)} × the file`,
  )
  await host.end()
  await bare.close()
  await measureAborts()
}

try {
  await main()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
