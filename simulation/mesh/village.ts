import { MemoryNetwork } from '../../src-main/mesh/index.ts'
import { keyNumber } from '../keys.ts'
import { SeededRandom } from '../random.ts'
import { House } from './house.ts'
import { Scheduler } from './scheduler.ts'

/** A few hosts that are put up by hand, where a test says what happens to them. */
export interface Village {
  scheduler: Scheduler
  network: MemoryNetwork
  /** Not started. @param index makes its key */
  houseOf(index: number, serves: boolean): House
}

/** @param breaks whether the connection breaks with this message; none does where it is absent */
export function quietVillage(name: string, breaks: () => boolean = () => false): Village {
  const random = new SeededRandom(name)
  const scheduler = new Scheduler(Date.UTC(2026, 5, 1))
  const network = new MemoryNetwork({
    timers: scheduler,
    fraction: () => random.fraction(),
    delayMs: { min: 1, max: 5 },
    loss: 0,
    breaks,
  })
  return {
    scheduler,
    network,
    houseOf: (index, serves) =>
      new House({
        key: keyNumber(index),
        owner: { ...keyNumber(index + 100), label: 'owner', ownKey: true, creditLimitTrm: 1_000_000n },
        scheduler,
        network,
        rng: new SeededRandom(`${name} ${index}`),
        serves,
      }),
  }
}
