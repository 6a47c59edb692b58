import { MemoryNetwork } from '../../src-main/mesh/index.ts'
import { keyNumber } from '../keys.ts'
import { SeededRandom } from '../random.ts'
import { type Asked, type Defect, House } from './house.ts'
import { brokenJournal, brokenLaws, unheard } from './laws.ts'
import { Scheduler } from './scheduler.ts'

const SECOND = 1_000
const MINUTE = 60_000
const START_MS = Date.UTC(2026, 5, 1)

/** How large a world is; what is absent, the seed draws. */
export interface MeshSize {
  hosts?: number | undefined
  asks?: number | undefined
}

export interface MeshReport {
  seed: number
  hosts: number
  asked: number
  whole: number
  trades: number
  kills: number
  departures: number
  partitions: number
  disputes: number
  /** Laws that do not hold in the end, and defects; empty when all is well. */
  broken: string[]
}

/** In the end everybody has this long to talk: the last word is waited for 60 s, a signal holds for 45 s. */
const HEALING_MS = { village: 6 * MINUTE, city: 2.5 * MINUTE }
const CITY_HOSTS = 200

interface World {
  houses: readonly House[]
  scheduler: Scheduler
  network: MemoryNetwork
  random: SeededRandom
  report: MeshReport
}

/**
 * A mesh of one seed: hosts that ask each other while links lose messages, connections break, the network falls apart,
 * hosts leave and come, and machines lose power. In the end everybody is back, and the laws must hold.
 */
export async function simulateMesh(
  seed: number,
  size: MeshSize = {},
  defect: Defect | null = null,
): Promise<MeshReport> {
  const random = new SeededRandom(`tirami mesh ${seed}`)
  const hosts = size.hosts ?? drawHosts(seed, random)
  const asks = size.asks ?? (hosts > 12 ? random.integer(24, 60) : random.integer(6, 24))
  const scheduler = new Scheduler(START_MS)
  let troubled = true
  const breakage = random.pick([0, 0.002, 0.01, 0.03])
  const network = new MemoryNetwork({
    timers: scheduler,
    fraction: () => random.fraction(),
    delayMs: { min: 1, max: random.pick([5, 50, 400]) },
    loss: random.pick([0, 0.05, 0.2]),
    breaks: () => troubled && random.chance(breakage),
    // Six neighbours each, on average: gossipsub's mesh.
    ...(hosts > 12 ? { degree: 3 } : {}),
  })
  const houses = Array.from({ length: hosts }, (_, index) =>
    houseOf({ index, hosts, seed, scheduler, network, defect }),
  )
  const report: MeshReport = {
    ...{ seed, hosts, asked: 0, whole: 0, trades: 0, kills: 0, departures: 0, partitions: 0, disputes: 0 },
    broken: [],
  }
  try {
    const world = { houses, scheduler, network, random, report }
    for (const house of houses) await house.start()
    await scheduler.pass(15 * SECOND)
    const answers = await trouble(world, asks)
    troubled = false
    network.partition(() => 0)
    for (const house of houses) if (!house.isUp) await house.start()
    await scheduler.pass(hosts > 12 ? HEALING_MS.city : HEALING_MS.village)
    report.asked = answers.length
    report.whole = answers.filter(({ failed, amountTrm }) => failed === null && amountTrm !== null).length
    report.trades = houses.reduce((sum, { books }) => sum + books.mesh.head().size, 0) / 2
    report.disputes = houses.reduce((sum, { books }) => sum + books.mesh.disputes().length, 0)
    report.broken = [...brokenLaws(houses), ...unheard(houses)]
    for (const house of houses) await house.stop()
    for (const house of houses) report.broken.push(...(await brokenJournal(house)))
  } catch (error) {
    report.broken.push(`a defect: ${error instanceof Error ? error.stack : String(error)}`)
  }
  return report
}

/** Most are villages; one seed in ten is a town, one in fifty a city of 200. */
function drawHosts(seed: number, random: SeededRandom): number {
  if (seed % 50 === 0) return CITY_HOSTS
  return seed % 10 === 0 ? random.integer(20, 40) : random.integer(3, 9)
}

/** Questions, and what comes between: the more hosts, the more of both at a time. */
async function trouble(world: World, asks: number): Promise<Asked[]> {
  const { houses, scheduler, random } = world
  const answers: Asked[] = []
  const atOnce = Math.max(1, Math.floor(houses.length / 40))
  while (answers.length < asks) {
    for (let turn = 0; turn < atOnce; turn++) {
      await happen(world)
      const asking = random.pick(houses)
      if (asking.isUp) answers.push(asking.ask())
    }
    await scheduler.pass(random.integer(0, 8 * SECOND))
  }
  return answers
}

function houseOf(place: {
  index: number
  hosts: number
  seed: number
  scheduler: Scheduler
  network: MemoryNetwork
  defect: Defect | null
}): House {
  const { index, hosts, seed, scheduler, network, defect } = place
  const owner = { ...keyNumber(1_000 + index), label: 'owner', ownKey: true, creditLimitTrm: 1_000_000n }
  return new House({
    key: keyNumber(index),
    owner,
    scheduler,
    network,
    rng: new SeededRandom(`tirami mesh ${seed} host ${index}`),
    serves: index < Math.max(1, Math.floor(hosts / 2)),
    defect,
  })
}

async function happen({ houses, random, network, report }: World): Promise<void> {
  const what = random.fraction()
  if (what < 0.2) {
    const house = random.pick(houses)
    if (!house.isUp) return house.start()
    if (what < 0.05) {
      report.departures++
      return house.stop()
    }
    report.kills++
    return house.kill()
  }
  if (what < 0.3) {
    report.partitions++
    const salt = random.integer(0, 255)
    network.partition((id) => (Number.parseInt(id.slice(0, 2), 16) ^ salt) & 1)
  } else if (what < 0.45) network.partition(() => 0)
}
