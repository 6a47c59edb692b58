/**
 * One run, three questions, each against a reference measured in the same run:
 * time to ready, time to first token that the host adds, durable trades per second.
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Template } from '@huggingface/jinja'
import { getLlama } from 'node-llama-cpp'
import { keyPairFromSeed, systemClock, systemRng } from '../src-main/kernel/index.ts'
import { canonicalTradeBytes, type Ledger, openLedger, type SignedTrade } from '../src-main/ledger/index.ts'

const root = resolve(import.meta.dirname, '..')
const modelPath = join(root, 'resources/models/concierge.gguf')
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-'))
const QUESTION = 'What is TRM?'

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const inMs = (value: number) => `${value.toFixed(1)} ms`

function report(question: string, ours: string, reference: string, ratio: string): void {
  console.log(`${question}\n  ours       ${ours}\n  reference  ${reference}\n  ratio      ${ratio}\n`)
}

/** The embedded model with nothing around it, in this process. */
async function openBareEngine() {
  const startedAtMs = performance.now()
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: 1,
    logLevel: 'disabled' as never,
  })
  const model = await llama.loadModel({ modelPath })
  const context = await model.createContext({ contextSize: 512, sequences: 1, threads: 1 })
  const sequence = context.getSequence()
  const template = new Template(model.fileInfo.metadata.tokenizer.chat_template as string)
  const prompt = template.render({
    messages: [{ role: 'user', content: QUESTION }],
    add_generation_prompt: true,
  })
  const firstToken = async () => {
    await sequence.clearHistory()
    const askedAtMs = performance.now()
    for await (const _token of sequence.evaluate(model.tokenize(prompt, true), { temperature: 0 })) break
    return performance.now() - askedAtMs
  }
  await firstToken()
  return { readyMs: performance.now() - startedAtMs, firstToken, close: () => llama.dispose() }
}

interface RunningHost {
  readyMs: number
  api: string
  apiKey: string
  model: string
  end(): Promise<void>
}

function startHost(directory: string): Promise<RunningHost> {
  const startedAtMs = performance.now()
  const child = spawn(
    process.execPath,
    [join(root, 'out/main/headless.js'), '--data-dir', directory, '--port', '0'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`the host ended with ${code}`)))
    createInterface({ input: child.stdout }).once('line', (line) => {
      const ready = JSON.parse(line) as { api: string; apiKeyFile: string; model: string }
      resolve({
        readyMs: performance.now() - startedAtMs,
        api: ready.api,
        model: ready.model,
        apiKey: readFileSync(ready.apiKeyFile, 'utf8').trim(),
        end: () => new Promise((done) => child.once('exit', () => done()).kill('SIGTERM')),
      })
    })
  })
}

/** Milliseconds from sending a request to the first text of its stream. */
async function firstTokenOverHttp(host: RunningHost): Promise<number> {
  const askedAtMs = performance.now()
  const response = await fetch(`${host.api}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${host.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ stream: true, temperature: 0, messages: [{ role: 'user', content: QUESTION }] }),
  })
  let elapsedMs = Number.NaN
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString()
    if (Number.isNaN(elapsedMs) && /"content":"[^"]/.test(text)) elapsedMs = performance.now() - askedAtMs
  }
  return elapsedMs
}

/** Appends records of the same size with one fdatasync each, and with one for 32. */
function rawAppends(recordBytes: number, records: number, perSync: number): number {
  const file = openSync(join(scratch, `raw-${perSync}`), 'w')
  const record = Buffer.alloc(recordBytes, 1)
  const startedAtMs = performance.now()
  for (let written = 0; written < records; written++) {
    writeSync(file, record)
    if ((written + 1) % perSync === 0) fdatasyncSync(file)
  }
  const perSecond = (records * 1000) / (performance.now() - startedAtMs)
  closeSync(file)
  return perSecond
}

async function bookTrades(ledger: Ledger, trades: number, atOnce: number): Promise<number> {
  const provider = keyPairFromSeed(systemRng.bytes(32))
  const consumer = keyPairFromSeed(systemRng.bytes(32))
  const book = async () => {
    const reservation = ledger.reserve({
      consumer: consumer.publicKeyHex,
      provider: provider.publicKeyHex,
      amountTrm: 10n,
      expiresAtMs: Date.now() + 60_000,
      creditLimitTrm: 10n ** 9n,
    })
    const terms: SignedTrade['terms'] = {
      provider: provider.publicKeyHex,
      consumer: consumer.publicKeyHex,
      amountTrm: 7n,
      tokensProcessed: 40n,
      timestampMs: BigInt(Date.now()),
      modelId: 'bench',
      nonce: systemRng.bytes(16),
    }
    const bytes = canonicalTradeBytes(terms)
    const signed = { terms, providerSignature: provider.sign(bytes), consumerSignature: consumer.sign(bytes) }
    const facts = {
      flop: 7n * 10n ** 9n,
      promptTokens: 20,
      completionTokens: 20,
      latencyMs: 1,
      consumerLabel: 'bench',
      ownKey: true,
    }
    await ledger.settle(reservation, signed, facts)
  }
  const startedAtMs = performance.now()
  for (let done = 0; done < trades; done += atOnce) await Promise.all(Array.from({ length: atOnce }, book))
  return (trades * 1000) / (performance.now() - startedAtMs)
}

async function main(): Promise<void> {
  const cpu = cpus()
  console.log(`${cpu.length} × ${cpu[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}\n`)

  const bare = await openBareEngine()
  const readyMs: number[] = []
  let host = await startHost(join(scratch, 'host'))
  for (let round = 0; round < 5; round++) {
    await host.end()
    host = await startHost(join(scratch, 'host'))
    readyMs.push(host.readyMs)
  }
  report(
    'Time to ready (process start to first request accepted, median of 5)',
    inMs(median(readyMs)),
    `${inMs(bare.readyMs)} to load the same model and produce one token with node-llama-cpp alone, process start not counted`,
    `${(median(readyMs) / bare.readyMs).toFixed(2)} ×`,
  )

  const direct: number[] = []
  const overHttp: number[] = []
  for (let round = 0; round < 60; round++) {
    direct.push(await bare.firstToken())
    overHttp.push(await firstTokenOverHttp(host))
  }
  const addedMs = median(overHttp) - median(direct)
  report(
    'Time to first token (median of 60, same question, in turn)',
    inMs(median(overHttp)),
    `${inMs(median(direct))} with node-llama-cpp alone in this process`,
    `${(median(overHttp) / median(direct)).toFixed(2)} ×, added ${inMs(addedMs)}`,
  )
  await host.end()
  await bare.close()

  const directory = join(scratch, 'ledger')
  const ledger = await openLedger({
    directory,
    clock: systemClock,
    projectionWorkerUrl: new URL('../src-main/ledger/projection.worker.ts', import.meta.url),
  })
  const one = await bookTrades(ledger, 200, 1)
  const many = await bookTrades(ledger, 4096, 64)
  await ledger.close()
  const bytesPerTrade = Math.round(statSync(join(directory, 'journal.log')).size / 4296)
  const rawOne = rawAppends(bytesPerTrade, 200, 1)
  const rawMany = rawAppends(bytesPerTrade, 4096, 64)
  report(
    `Durable signed trades per second, one at a time (${bytesPerTrade} bytes each)`,
    one.toFixed(0),
    `${rawOne.toFixed(0)} appends of the same size with an fdatasync each`,
    `${(one / rawOne).toFixed(2)} ×`,
  )
  report(
    'Durable signed trades per second, 64 at once (two signatures made and two verified for each)',
    many.toFixed(0),
    `${rawMany.toFixed(0)} appends of the same size with an fdatasync for 64`,
    `${(many / rawMany).toFixed(2)} ×`,
  )
}

try {
  await main()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
