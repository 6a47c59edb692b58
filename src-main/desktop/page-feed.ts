import { TAKEN_EVERY } from '../../src-preload/channels.ts'
import { eventFeed, type HostEvent } from '../../src-preload/contract/index.ts'

/** Events on their way to the page that it has not said to have taken. */
const UNDER_WAY_MAX = 8 * TAKEN_EVERY

export interface PageFeed {
  push(event: HostEvent): void
  /** The page says what it has taken; anything but a number that was sent is ignored. */
  taken(seq: unknown): void
  /** Another document is there: what was under way is gone with the last one. */
  reset(): void
}

/** Hands events to the page no faster than it takes them; one that hangs costs a bounded memory. */
export function pageFeed(send: (event: HostEvent) => void): PageFeed {
  let sentSeq = 0
  let takenSeq = 0
  let wake: () => void = () => undefined
  const push = eventFeed(async (event) => {
    while (sentSeq - takenSeq >= UNDER_WAY_MAX) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    sentSeq = event.seq
    send(event)
  })
  return {
    push,
    taken: (seq) => {
      if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq <= takenSeq || seq > sentSeq) return
      takenSeq = seq
      wake()
    },
    reset: () => {
      takenSeq = sentSeq
      wake()
    },
  }
}
