import { describe, expect, it } from 'vitest'
import type { HostEvent } from '../../src-preload/contract/index.ts'
import { pageFeed } from './page-feed.ts'

const event = (seq: number): HostEvent => ({ seq, name: 'models.changed', data: {} })
const settled = () => new Promise((resolve) => setImmediate(resolve))

async function hanging(count: number) {
  const got: HostEvent[] = []
  const feed = pageFeed((sent) => void got.push(sent))
  for (let seq = 1; seq <= count; seq++) {
    feed.push(event(seq))
    if (seq % 50 === 0) await settled()
  }
  await settled()
  return { got, feed }
}

describe('events to the page', () => {
  it('all arrive at a page that takes them', async () => {
    const got: number[] = []
    const feed = pageFeed(({ seq }) => {
      got.push(seq)
      if (seq % 32 === 0) feed.taken(seq)
    })
    for (let seq = 1; seq <= 5_000; seq++) {
      feed.push(event(seq))
      if (seq % 100 === 0) await settled()
    }
    await settled()
    expect(got).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1))
  })

  it('stop at a page that hangs, and go on with what it missed when it is back', async () => {
    const { got, feed } = await hanging(100_000)
    expect(got.length).toBe(256)
    feed.taken(256)
    await settled()
    const [next, then] = got.slice(256)
    expect([next?.seq, then?.name]).toEqual([257, 'resync'])
    // The rest comes in windows, one after the other.
    for (let window = 0; window < 4; window++) {
      feed.reset()
      await settled()
    }
    const all = got.reduce((sum, { name, data }) => sum + (name === 'resync' ? (data.missed ?? 0) : 1), 0)
    expect(all).toBe(100_000)
  })

  it('go on after a reload, whatever the page before had taken', async () => {
    const { got, feed } = await hanging(300)
    expect(got).toHaveLength(256)
    feed.reset()
    await settled()
    expect(got.map(({ seq }) => seq)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
  })

  it.each([257, 1e9, -1, 0, 1.5, Number.NaN, '256', null, {}])('are not let through by %j', async (seq) => {
    const { got, feed } = await hanging(300)
    feed.taken(seq)
    await settled()
    expect(got).toHaveLength(256)
  })
})
