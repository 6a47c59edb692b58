import { ATTACKS } from './attacks.ts'
import { BrokenLaw, law } from './broken.ts'
import { elders, HONEST, issueGuest } from './honest.ts'
import { DAY, HOUR } from './shadow-book.ts'
import { type Class, type Tally, World, type WorldSize } from './world.ts'

export interface SeedReport {
  seed: number
  size: WorldSize
  tally: Tally
  /** Null when every law held. */
  broken: { law: string; step: number; action: string; time: string; stack: string } | null
}

const TICK_EVERY_MS = 6 * HOUR
const ATTACK_SHARE = 0.25
/** Once in so many worlds most of the supply exists from the beginning. */
const INHERITED_SHARE = 1 / 12
/** In so many worlds there are nodes with the standing to vote from the beginning. */
const ELDERS_SHARE = 1 / 6

/**
 * Runs the whole market of one seed on the real books.
 * @param options.size instead of what the seed draws; a seed is replayed only with the size that it failed with
 * @param options.trace one line per step and outcome
 */
export async function simulate(
  seed: number,
  options: { size?: Partial<WorldSize>; trace?: (line: string) => void } = {},
): Promise<SeedReport> {
  const world = new World(seed, options)
  let action = 'opening the books'
  let broken: SeedReport['broken'] = null
  try {
    await world.open()
    for (let guest = 0; guest < 4; guest++) await issueGuest(world)
    if (world.rng.chance(INHERITED_SHARE)) await world.inherit()
    if (world.rng.chance(ELDERS_SHARE)) await elders(world)
    const meanMs = (world.size.days * DAY) / world.size.steps
    for (let step = 0; step < world.size.steps; step++) {
      await letTimePass(world, world.rng.waiting(meanMs))
      const attacks = world.rng.chance(ATTACK_SHARE)
      const [, name, run] = drawAction(world, attacks ? ATTACKS : HONEST)
      action = name
      world.trace(`${step}  ${world.time()}  ${name}`)
      await run(world)
      world.tally.steps++
      world.checkStep()
    }
    action = 'the last day'
    await lastDay(world)
  } catch (error) {
    const stack = error instanceof Error ? describeStack(error) : ''
    const sentence = error instanceof BrokenLaw ? world.describe(error) : `a defect: ${world.describe(error)}`
    broken = { law: sentence, step: world.tally.steps, action, time: world.time(), stack }
    await world.close().catch(() => undefined)
  }
  for (const [kind, count] of world.rules.heardKinds) world.tally.outcomes.set(`event ${kind}`, count)
  return { seed, size: world.size, tally: world.tally, broken }
}

const describeStack = (error: Error): string =>
  [error, error.cause].map((one) => (one instanceof Error ? one.stack : '')).join('\n')

type Actions = typeof HONEST

function drawAction(world: World, actions: Actions): Actions[number] {
  return world.rng.weighted(actions.map((action) => [action[0], action] as const))
}

/** The clock runs; every six hours the host does its periodic work, as it does each minute in life. */
async function letTimePass(world: World, passingMs: number): Promise<void> {
  const untilMs = world.clock.ms + passingMs
  while (world.clock.ms + TICK_EVERY_MS <= untilMs) {
    world.clock.ms += TICK_EVERY_MS
    await periodicWork(world)
  }
  world.clock.ms = untilMs
  if (world.rng.chance(0.3)) await periodicWork(world)
  if (world.rules.killed && world.rng.chance(0.4)) {
    await world.books.safety.killSwitch({ active: false, reason: 'over', operator: 'owner' })
  }
}

async function periodicWork(world: World): Promise<void> {
  const { rng, books, clock } = world
  await books.economy.sampleMarket({ activeProviders: 1, pendingJobs: rng.integer(0, 9), slots: 4 })
  const { failures } = await books.economy.tick(clock.ms)
  law(
    failures.length === 0,
    () => `periodic work failed: ${failures[0]?.part}: ${String(failures[0]?.error)}`,
  )
}

/** After the last step: every law once more, a restart, the classes' gains, and the verifier over the journal. */
async function lastDay(world: World): Promise<void> {
  await periodicWork(world)
  world.checkEverything()
  await world.restart()
  assertGains(world)
  await world.close()
  await world.verify()
}

/** Who only ever traded cannot own more than what came to his class from outside, less what was burned. */
function assertGains(world: World): void {
  const { rules, book } = world
  for (const group of ['ring', 'wash'] satisfies Class[]) {
    const members = world.nodes.filter((node) => node.class === group)
    const inPoolOrDebt = members.some(({ id }) => rules.sharesOf(id) > 0n)
    if (inPoolOrDebt) continue
    const ownedTrm = members.reduce(
      (sum, { id }) =>
        sum + book.availableTrm(id) + book.balanceTrm(`staked:${id}`) + book.balanceTrm(`collateral:${id}`),
      0n,
    )
    const cameTrm = world.classNetTrm.get(group) ?? 0n
    law(
      ownedTrm <= cameTrm,
      `the ${group} nodes own ${ownedTrm} TRM and ${cameTrm} came to them from outside`,
    )
  }
  const bonusLimit = BigInt(rules.referrals.size) * 100n
  law(
    rules.bonusTrm <= bonusLimit && rules.referrals.size <= 50,
    `${rules.bonusTrm} TRM were paid for referrals`,
  )
}
