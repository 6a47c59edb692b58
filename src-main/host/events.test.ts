import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventFeed, type HostEvent } from '../../src-preload/contract/index.ts'
import { EventLog } from './events.ts'

const CHAT = 'a'.repeat(32)
const delta = (seq: number): HostEvent => ({
  seq,
  name: 'chat.delta',
  data: { chatId: CHAT, text: `${seq}` },
})
const filled = (count: number, run = 'run') => {
  const log = new EventLog(run)
  for (let sent = 0; sent < count; sent++) log.emit('chat.delta', { chatId: CHAT, text: String(sent) })
  return log
}
const heardAfter = (log: EventLog, after: string) => {
  const heard: HostEvent[] = []
  log.subscribe((event) => heard.push(event), after)
  return heard
}

describe('a reader that was cut off', () => {
  it('catches up exactly, or is told that it cannot', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 1600 }), (emitted, seen) => {
        const heard = heardAfter(filled(emitted), `${seen}-run`)
        if (seen > emitted || emitted - seen > 512) {
          expect(heard).toEqual([
            { seq: emitted, name: 'resync', data: { missed: seen > emitted ? null : emitted - seen } },
          ])
        } else {
          const expected = Array.from({ length: emitted - seen }, (_, index) => seen + index + 1)
          expect(heard.map((event) => event.seq)).toEqual(expected)
        }
      }),
    )
  })

  it('knows its place by what it was given, and goes on with what comes next', () => {
    const log = filled(3)
    const heard: HostEvent[] = []
    log.subscribe((event) => heard.push(event))
    log.emit('models.changed', {})
    const place = log.placeOf(heard[0] as HostEvent)
    expect(Number.parseInt(place, 10)).toBe(4)
    expect(heardAfter(log, place)).toEqual([])
    log.emit('models.changed', {})
    expect(heardAfter(log, place).map(({ seq }) => seq)).toEqual([5])
  })

  it.each(['3-other', '3', '', 'x', '3-', '-run', '3-run\n', `${'9'.repeat(20)}-run`, '3-run-run', ' 3-run'])(
    'from another run, or with the place %j, starts anew instead of being given the wrong events',
    (after) => {
      expect(heardAfter(filled(5), after)).toEqual([{ seq: 5, name: 'resync', data: { missed: null } }])
    },
  )
})

describe('a feed', () => {
  it('loses nothing to a reader that keeps up, whenever it takes its time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 40 }), async (bursts) => {
        const taken: number[] = []
        const feed = eventFeed(async ({ seq }) => {
          await Promise.resolve()
          taken.push(seq)
        }, 16)
        let seq = 0
        for (const burst of bursts) {
          for (let sent = 0; sent < burst; sent++) feed(delta(++seq))
          await new Promise((resolve) => setImmediate(resolve))
        }
        expect(taken).toEqual(Array.from({ length: seq }, (_, index) => index + 1))
      }),
      { numRuns: 30 },
    )
  })

  it('accounts for every event: what is not handed over is counted, and the order holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 20 })), {
          maxLength: 20,
        }),
        fc.integer({ min: 1, max: 16 }),
        async (steps, waitingMax) => {
          const taken: HostEvent[] = []
          let credit = 0
          let wake: () => void = () => undefined
          const feed = eventFeed(async (event) => {
            while (credit === 0) await new Promise<void>((resolve) => (wake = resolve))
            credit -= 1
            taken.push(event)
          }, waitingMax)
          let seq = 0
          const read = async (count: number) => {
            credit = count
            wake()
            await new Promise((resolve) => setImmediate(resolve))
          }
          for (const [sent, count] of steps) {
            for (let one = 0; one < sent; one++) feed(delta(++seq))
            await read(count)
          }
          await read(1_000)
          const seqs = taken.map((event) => event.seq)
          expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
          const accounted = taken.map((event) => (event.name === 'resync' ? (event.data.missed ?? 0) : 1))
          expect(accounted.reduce((sum, count) => sum + count, 0)).toBe(seq)
        },
      ),
      { numRuns: 60 },
    )
  })
})
