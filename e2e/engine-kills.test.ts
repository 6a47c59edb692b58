import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeTinyGguf } from '../src-main/models/testing/tiny-gguf.ts'
import {
  engineProcess,
  eventually,
  type HostProcess,
  startHeadless,
  temporaryDirectory,
} from './support/host.ts'
import { randomFrom } from './support/random.ts'
import { openWindow, type WindowCalls } from './support/window-calls.ts'

/** `TIRAMI_ENGINE_KILLS=200` for the long run, `TIRAMI_SEED` to run one again. */
const KILLS = Number(process.env.TIRAMI_ENGINE_KILLS ?? 5)
const SEED = Number(process.env.TIRAMI_SEED ?? 20261129)
const STREAMS = 4
const TOKENS = 120

const data = temporaryDirectory()
let host: HostProcess
let window: WindowCalls
beforeAll(async () => {
  const script = { bytes: new TextEncoder().encode('abcdefgh '), ending: 'repeat' } as const
  host = await startHeadless(
    join(data.path, 'host'),
    '--model',
    writeTinyGguf(join(data.path, 'm.gguf'), { script }),
  )
  window = await openWindow(host)
})
afterAll(async () => {
  await host?.end('SIGTERM')
  data.remove()
})

/** How a stream ended: with its last chunk, which carries the price, or with an error. */
async function stream(onPiece: () => void): Promise<'paid' | 'failed'> {
  try {
    const answer = await host.client.chat.completions.create({
      model: host.ready.model,
      messages: [{ role: 'user', content: 'on and on' }],
      max_tokens: TOKENS,
      stream: true,
    })
    let paid = false
    for await (const chunk of answer) {
      if (chunk.choices[0]?.delta.content) onPiece()
      if ('x_tirami' in chunk) paid = true
    }
    return paid ? 'paid' : 'failed'
  } catch (error) {
    expect(String(error)).toMatch(/engine/i)
    return 'failed'
  }
}

const reserved = async (): Promise<number> => {
  const balance = (await (await host.api('/tirami/balance')).json()) as { caller: { reserved: number } }
  return balance.caller.reserved
}

it(`after ${KILLS} SIGKILLs of the engine at random tokens every stream has ended, paid or void, and the host serves`, async () => {
  console.log(`seed ${SEED}`)
  const random = randomFrom(SEED)
  let acknowledged = 0
  let failed = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const engine = await eventually(() => engineProcess(host))
    const after = 1 + Math.floor(random() * STREAMS * TOKENS)
    let pieces = 0
    let killed = false
    const shoot = () => {
      if (killed || ++pieces < after) return
      killed = true
      process.kill(engine, 'SIGKILL')
    }
    const ends = await Promise.all(Array.from({ length: STREAMS }, () => stream(shoot)))
    if (!killed) process.kill(engine, 'SIGKILL')
    acknowledged += ends.filter((end) => end === 'paid').length
    failed += ends.filter((end) => end === 'failed').length
    // Neither the dead process nor its answers are shown as if they were there.
    const status = await eventually(async () => {
      const now = await window.call('status.get', {})
      return now.state === 'serving' && now.engine.state === 'ready' && now.engine.restarts > kill && now
    })
    expect({ kill, jobs: status.jobs, trades: status.ledger.trades, reserved: await reserved() }).toEqual({
      kill,
      jobs: { running: 0, queued: 0 },
      trades: acknowledged,
      reserved: 0,
    })
    expect(await stream(() => undefined)).toBe('paid')
    acknowledged++
  }
  expect(failed).toBeGreaterThan(0)
})
