/**
 * Two questions, each against a reference measured in the same run: time to ready, and time to first token that the
 * host adds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { getLlama } from 'node-llama-cpp'
import { type RunningHost, root, startHost } from './host.ts'
import { describeMachine, inMs, median, report } from './report.ts'

const modelPath = join(root, 'resources/models/concierge.gguf')
const scratch = mkdtempSync(join(tmpdir(), 'tirami-bench-'))
const QUESTION = 'What is TRM?'

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

async function main(): Promise<void> {
  describeMachine()

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
}

try {
  await main()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
