import { MemoryNetwork } from '../../src-main/mesh/index.ts'
import { keyNumber } from '../keys.ts'
import { SeededRandom } from '../random.ts'
import { type Asked, House } from './house.ts'
import { brokenLaws, unheard } from './laws.ts'
import { Scheduler } from './scheduler.ts'

const SECOND = 1_000
const MINUTE = 60_000
const START_MS = Date.UTC(2026, 5, 1)

export interface MeshReport {
  seed: number
  hosts: number
  asked: number
  whole: number
  trades: number
  kills: number
  partitions: number
  disputes: number
  /** Laws that do not hold in the end, and defects; empty when all is well. */
  broken: string[]
}

/**
 * A mesh of one seed: hosts that ask each other while links lose messages, connections break, the network falls apart and
 * machines lose power. In the end everybody is back, and the laws must hold.
 */
export async function simulateMesh(
  seed: number,
  size: { hosts?: number; asks?: number } = {},
): Promise<MeshReport> {
  const random = new SeededRandom(`tirami mesh ${seed}`)
  const hosts = size.hosts ?? random.integer(3, 9)
  const asks = size.asks ?? random.integer(6, 24)
  const scheduler = new Scheduler(START_MS)
  let troubled = true
  const breakage = random.pick([0, 0.002, 0.01, 0.03])
  const network = new MemoryNetwork({
    timers: scheduler,
    fraction: () => random.fraction(),
    delayMs: { min: 1, max: random.pick([5, 50, 400]) },
    loss: random.pick([0, 0.05, 0.2]),
    breaks: () => troubled && random.chance(breakage),
    ...(hosts > 12 ? { degree: 6 } : {}),
  })
  const houses = Array.from({ length: hosts }, (_, index) => houseOf(index, hosts, seed, scheduler, network))
  const report: MeshReport = {
    ...{ seed, hosts, asked: 0, whole: 0, trades: 0, kills: 0, partitions: 0, disputes: 0 },
    broken: [],
  }
  try {
    for (const house of houses) await house.start()
    await scheduler.pass(15 * SECOND)
    const answers: Asked[] = []
    for (let step = 0; step < asks; step++) {
      await happen(houses, random, network, report)
      const asking = random.pick(houses)
      if (asking.isUp) answers.push(asking.ask())
      await scheduler.pass(random.integer(0, 8 * SECOND))
    }
    troubled = false
    network.partition(() => 0)
    for (const house of houses) if (!house.isUp) await house.start()
    await scheduler.pass(6 * MINUTE)
    report.asked = answers.length
    report.whole = answers.filter(({ failed, amountTrm }) => failed === null && amountTrm !== null).length
    report.trades = houses.reduce((sum, { books }) => sum + books.mesh.head().size, 0) / 2
    report.disputes = houses.reduce((sum, { books }) => sum + books.mesh.disputes().length, 0)
    report.broken = [...brokenLaws(houses), ...unheard(houses)]
    for (const house of houses) await house.stop()
  } catch (error) {
    report.broken.push(`a defect: ${error instanceof Error ? error.stack : String(error)}`)
  }
  return report
}

function houseOf(
  index: number,
  hosts: number,
  seed: number,
  scheduler: Scheduler,
  network: MemoryNetwork,
): House {
  const owner = { ...keyNumber(1_000 + index), label: 'owner', ownKey: true, creditLimitTrm: 1_000_000n }
  return new House({
    key: keyNumber(index),
    owner,
    scheduler,
    network,
    rng: new SeededRandom(`tirami mesh ${seed} host ${index}`),
    serves: index < Math.max(1, Math.floor(hosts / 2)),
  })
}

async function happen(
  houses: readonly House[],
  random: SeededRandom,
  network: MemoryNetwork,
  report: MeshReport,
): Promise<void> {
  const what = random.fraction()
  if (what < 0.15) {
    const house = random.pick(houses)
    if (!house.isUp) return house.start()
    report.kills++
    return house.kill()
  }
  if (what < 0.25) {
    report.partitions++
    const salt = random.integer(0, 255)
    network.partition((id) => (Number.parseInt(id.slice(0, 2), 16) ^ salt) & 1)
  } else if (what < 0.4) network.partition(() => 0)
}
