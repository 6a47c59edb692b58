import type { StakeDays } from '../src-main/economy/index.ts'
import { type ProposalKind, type ProposalTerms, proposalBytes, voteBytes } from '../src-main/economy/index.ts'
import { canonicalObservationBytes } from '../src-main/economy/reputation.ts'
import { hexFromBytes, type KeyPair } from '../src-main/kernel/index.ts'
import { guestKey } from './books.ts'
import { buy, finish, hostNode, poolDesk, reserve, trade, watched } from './market.ts'
import { DAY, HOUR } from './shadow-book.ts'
import type { Node, World } from './world.ts'

/** What honest people do, and for which reasons they may be refused. */

type Action = (world: World) => Promise<void>

const KILLED = 'KILL_SWITCH_ACTIVE'
const BROKE = 'INSUFFICIENT_BALANCE'
const NOT_SERVED = [
  KILLED,
  BROKE,
  'STAKE_REQUIRED',
  'PREVIOUSLY_SLASHED',
  'API_KEY_INVALID',
  'REQUEST_LIMIT_EXCEEDED',
  'HOURLY_LIMIT_EXCEEDED',
  'LIFETIME_CAP_REACHED',
  'VELOCITY_ANOMALY',
  'CIRCUIT_BREAKER_TRIPPED',
  'APPROVAL_REQUIRED',
  'APPROVAL_QUEUE_FULL',
  'APPROVAL_NOT_USABLE',
  'APPROVAL_DENIED',
]

export const hexSignature = (key: KeyPair, bytes: Uint8Array): string => hexFromBytes(key.sign(bytes))

const anyone = (world: World): Node => world.rng.pick(world.nodes)
const honest = (world: World): Node =>
  world.rng.pick(world.nodes.filter((node) => node.class === 'honest' || node.class === 'gamer'))

/** The host is a node of the market too. */
const anyoneOrHost = (world: World): Node => (world.rng.chance(0.15) ? hostNode(world) : honest(world))

const peerTrade: Action = async (world) => {
  // A few providers serve most of the market, as in life.
  const providers = world.nodes.filter((_, index) => index % 3 === 0)
  const [provider, consumer] = [world.rng.pick(providers), anyone(world)]
  if (provider.id === consumer.id || provider.class === 'ring' || provider.class === 'wash') return
  const amountTrm = world.rng.trm(1, world.rng.chance(0.2) ? 2_000 : 200)
  await world.command('trade', [BROKE], () => trade(world, provider, consumer, amountTrm))
}

const guestBuys: Action = async (world) => {
  const { rng } = world
  const guest = rng.pick([...world.guests, ownerNode(world)])
  const maxTokens = rng.integer(10, rng.chance(0.1) ? 900 : 300)
  const completionTokens = rng.integer(1, maxTokens)
  const job = { promptTokens: rng.integer(5, 200), maxTokens, completionTokens }
  await world.command('answer', NOT_SERVED, () => finish(world, guest, buy(world, guest, job)))
}

const guestLeaves: Action = async (world) => {
  const guest = world.rng.pick(world.guests)
  await world.command('answer left', NOT_SERVED, async () => {
    const answer = buy(world, guest, { promptTokens: 50, maxTokens: 100, completionTokens: 50 })
    await answer.next()
    await answer.return()
  })
}

const jobFails: Action = async (world) => {
  const [provider, consumer] = [anyone(world), anyone(world)]
  if (provider.id === consumer.id) return
  await world.command('void', [BROKE], () => {
    const { id } = reserve(world, provider, consumer, world.rng.trm(1, 300))
    watched(world).void(id, 'engine failed')
  })
}

/** Nobody settles or voids: the ledger has to find out by itself. */
const jobIsForgotten: Action = async (world) => {
  const [provider, consumer] = [anyone(world), anyone(world)]
  if (provider.id === consumer.id) return
  const ttlMs = world.rng.integer(60_000, HOUR)
  await world.command('forgotten', [BROKE], () =>
    reserve(world, provider, consumer, world.rng.trm(1, 100), ttlMs),
  )
}

export function ownerNode(world: World): Node {
  const { owner } = world
  const id = owner.publicKeyHex
  return {
    name: 'owner',
    id,
    key: owner,
    class: 'honest',
    creditTrm: owner.creditLimitTrm,
    bucket: '127.0.0',
    token: null,
  }
}

const ownerAnswers: Action = async (world) => {
  const { safety } = world.books
  const [question] = safety.approvals()
  if (!question) return
  const approved = world.rng.chance(0.7)
  const { approvalId, caller, amountTrm } = question
  await world.command('approval', [], () =>
    safety.answerApproval({ approvalId, approved, operator: 'owner' }),
  )
  const guest = world.guests.find((node) => node.id === caller)
  if (!guest) return
  const maxTokens = Math.max(1, Number(amountTrm) - 100)
  const job = { promptTokens: 20, maxTokens, completionTokens: maxTokens }
  await world.command('approved answer', NOT_SERVED, () =>
    finish(world, guest, buy(world, guest, job, { approvalId })),
  )
}

const STAKES: readonly (readonly [number, StakeDays])[] = [
  [8, 7],
  [6, 30],
  [2, 90],
  [1, 365],
]
const STAKING = [KILLED, BROKE, 'STAKE_EXISTS', 'STAKE_BELOW_MINIMUM', 'AMOUNT_INVALID', 'CLOCK_BEHIND']

const stakes: Action = async (world) => {
  const node = anyoneOrHost(world)
  const days = world.rng.weighted(STAKES)
  const haveTrm = world.book.ownTrm(node.id)
  if (haveTrm < 100n) return
  const amountTrm = (haveTrm * BigInt(world.rng.integer(10, 100))) / 100n
  const { staking } = world.books.economy
  await world.command('stake', STAKING, () => staking.stake({ node: node.id, amountTrm, days }))
}

/** A host that wants to sell to strangers needs a stake. */
const hostStakes: Action = async (world) => {
  const { staking } = world.books.economy
  const node = world.host.publicKeyHex
  const haveTrm = world.book.ownTrm(node)
  const add = haveTrm > 0n ? haveTrm / 2n : 0n
  const reasons = [...STAKING, 'STAKE_EXPIRED', 'STAKE_SHORTENED', 'STAKE_LOCKED']
  const stake = world.rules.stakes.get(node)
  if (!stake) {
    const amountTrm = haveTrm < 200n ? 100n : add
    await world.command('host stake', reasons, () => staking.stake({ node, amountTrm, days: 7 }))
  } else if (world.clock.ms < stake.unlocksAtMs) {
    const days = stake.days as StakeDays
    await world.command('host extend', reasons, () => staking.extend({ node, addTrm: add, days }))
  } else {
    await world.command('host unstake', reasons, () => staking.unstake(node))
  }
}

const extendsStake: Action = async (world) => {
  const { rng, rules, books } = world
  const staked = [...rules.stakes.keys()]
  if (staked.length === 0) return
  const node = rng.pick(staked)
  const days = rng.weighted(STAKES)
  const addTrm = rng.chance(0.5) ? 0n : rng.trm(1, 400)
  const reasons = [...STAKING, 'STAKE_EXPIRED', 'STAKE_SHORTENED']
  await world.command('extend', reasons, () => books.economy.staking.extend({ node, addTrm, days }))
}

const unstakes: Action = async (world) => {
  const { rng, rules, books, clock } = world
  const staked = [...rules.stakes]
  if (staked.length === 0) return
  const [node, stake] = rng.pick(staked)
  const reasons = clock.ms < stake.unlocksAtMs ? ['STAKE_LOCKED', KILLED] : [KILLED]
  await world.command('unstake', reasons, () => books.economy.staking.unstake(node))
}

const claims: Action = async (world) => {
  const node = anyone(world)
  const reasons = [KILLED, 'WELCOME_CLOSED', 'WELCOME_ALREADY_KNOWN', 'SYBIL_CEILING', 'WELCOME_BUCKET_FULL']
  const { staking } = world.books.economy
  await world.command('welcome', reasons, () => staking.claimWelcome(node.id, node.bucket))
}

const refers: Action = async (world) => {
  const node = anyone(world)
  const reasons = ['REFERRAL_ALREADY_SPONSORED', 'REFERRAL_NOT_NEW', 'REFERRAL_LIMIT', 'REFERRAL_COOLDOWN']
  await world.command('refer', reasons, () => world.books.economy.staking.refer(node.id))
}

/** Referred, with a welcome loan, and in business within a day: what the bonus is for. */
const newcomerThrives: Action = async (world) => {
  const { rng, rules, book, clock, nodes, books } = world
  const fresh = nodes.filter(
    ({ id }) => book.dealings(id).firstMs === Number.POSITIVE_INFINITY && !rules.welcomes.has(id),
  )
  if (fresh.length === 0 || rules.killed) return
  const newcomer = rng.pick(fresh)
  const { staking } = books.economy
  const unreferred = ['REFERRAL_ALREADY_SPONSORED', 'REFERRAL_LIMIT', 'REFERRAL_COOLDOWN']
  await world.command('refer a newcomer', unreferred, () => staking.refer(newcomer.id))
  const unwelcome = ['WELCOME_CLOSED', 'WELCOME_ALREADY_KNOWN', 'SYBIL_CEILING', 'WELCOME_BUCKET_FULL']
  await world.command('welcome', unwelcome, () => staking.claimWelcome(newcomer.id, newcomer.bucket))
  const buyers = rng.shuffled(nodes.filter((node) => node !== newcomer)).slice(0, 12)
  for (const buyer of buyers) {
    clock.ms += HOUR
    await world.command('trade', [BROKE], () => trade(world, newcomer, buyer, rng.trm(100, 300)))
  }
  // The bonus falls due when next to nothing is left to be minted.
  if (rng.chance(0.1)) await world.inherit()
}

const anAgePasses: Action = (world) => world.inherit()

const deposits: Action = async (world) => {
  const node = anyoneOrHost(world)
  const haveTrm = world.book.ownTrm(node.id)
  if (haveTrm < 2n) return
  const amountTrm = (haveTrm * BigInt(world.rng.integer(5, 80))) / 100n + 1n
  await world.command('deposit', [KILLED, BROKE], () => poolDesk(world).deposit(node, amountTrm))
}

const withdraws: Action = async (world) => {
  const { rng, rules, nodes } = world
  const lenders = [...nodes, hostNode(world)].filter(({ id }) => rules.sharesOf(id) > 0n)
  if (lenders.length === 0) return
  const node = rng.pick(lenders)
  const amountTrm = rng.trm(1, Math.max(2, Math.min(1e6, Number(rules.poolTrm()))))
  const reasons = [KILLED, 'DEPOSIT_TOO_SMALL', 'POOL_ILLIQUID']
  await world.command('withdraw', reasons, () => poolDesk(world).withdraw(node, amountTrm))
}

const NOT_LENT = [
  KILLED,
  BROKE,
  'LENDING_PAUSED',
  'LENDING_VELOCITY',
  'LOAN_CREDIT',
  'LOAN_COLLATERAL',
  'LOAN_INVALID',
  'POOL_RESERVE_EXHAUSTED',
  'LOAN_POOL_SHARE',
  'LOAN_ABOVE_LIMIT',
]

const borrows: Action = async (world) => {
  const { rules } = world
  const node = anyoneOrHost(world)
  if (rules.poolTrm() < 20n) return
  await world.command('borrow', NOT_LENT, () => poolDesk(world).borrow(node, wantedLoan(world, node)))
}

/** Close to what the pool would lend, now above and now below. */
export function wantedLoan(world: World, node: Node) {
  const { rng, rules, book, clock } = world
  const credit = rules.creditOf(node.id, clock.ms)
  const limit = credit * credit * Number(book.balanceTrm('system:pool')) * 0.2
  const amountTrm = BigInt(Math.max(1, Math.floor(limit * (0.3 + rng.fraction() * 0.8))))
  const collateralTrm = amountTrm / BigInt(rng.integer(1, 3)) + 1n
  return { amountTrm, collateralTrm, termHours: rng.integer(1, 168) }
}

const repays: Action = async (world) => {
  const { rng, rules, nodes } = world
  const loans = [...rules.loans].filter(([, { borrower }]) => classOf(world, borrower) !== 'defaulter')
  if (loans.length === 0) return
  const [loanId, { borrower }] = rng.pick(loans)
  const node = nodes.find(({ id }) => id === borrower) ?? hostNode(world)
  await world.command('repay', [KILLED, BROKE], () => poolDesk(world).repay(node, loanId))
}

const classOf = (world: World, id: string) => world.nodes.find((node) => node.id === id)?.class

export function proposalTerms(
  world: World,
  proposer: string,
  kind: ProposalKind,
  votingMs: number,
  changes: Partial<ProposalTerms> = {},
): ProposalTerms {
  const createdAtMs = world.clock.ms
  // Time makes each of a node's proposals later than the one before.
  return {
    proposer,
    sequence: createdAtMs,
    kind,
    createdAtMs,
    deadlineMs: createdAtMs + votingMs,
    ...changes,
  }
}

const PROPOSABLE: readonly (readonly [string, readonly number[]])[] = [
  ['WELCOME_LOAN_AMOUNT', [0, 500, 2_000]],
  ['WELCOME_LOAN_PER_BUCKET_CAP', [2, 20]],
  ['WELCOME_LOAN_SYBIL_THRESHOLD', [5, 200]],
  ['MAX_LTV_RATIO', [0.5, 2]],
  ['MIN_RESERVE_RATIO', [0.2, 0.6]],
  ['STAKE_DURATION_7D_MULTIPLIER', [1, 2]],
  ['MIN_PROVIDER_STAKE_TRM', [50, 300]],
  ['BASE_TRM_PER_TOKEN', [0.5, 2]],
  ['PROOF_POLICY', [1, 2]],
  ['SLASHING_INTERVAL_SECS', [60, 3_600]],
]

const proposes: Action = async (world) => {
  const { rng, books } = world
  const { governance } = books.economy
  const voters = standing(world)
  if (voters.length === 0) return
  const [name, values] = rng.pick(PROPOSABLE)
  const kind = rng.weighted<ProposalKind>([
    [8, { type: 'change_parameter', name, value: rng.pick(values) }],
    [1, { type: 'emergency_pause' }],
    [1, { type: 'protocol_upgrade', description: 'Speak v3' }],
  ])
  const proposer = rng.pick(voters)
  const terms = proposalTerms(world, proposer.id, kind, rng.integer(24, 120) * HOUR)
  const reasons = ['NOT_ELIGIBLE', 'PROPOSALS_FULL', 'PROPOSAL_REPLAYED', 'PROOF_POLICY_RATCHET']
  await world.command('propose', reasons, () =>
    governance.propose(terms, hexSignature(proposer.key, proposalBytes(terms))),
  )
}

/** Nodes that could take part in a vote which ends now. */
export function standing(world: World): Node[] {
  const { rules, clock, nodes, books } = world
  return [...nodes, hostNode(world)].filter(
    ({ id }) => rules.lockedTrm(id, clock.ms) >= 1_000n && books.economy.reputation.of(id) >= 0.7,
  )
}

const votes: Action = async (world) => {
  const { rng, books, rules, clock } = world
  const { governance } = books.economy
  const open = governance.proposals().filter(([id]) => clock.ms < (rules.proposals.get(id)?.deadlineMs ?? 0))
  if (open.length === 0) return
  const [proposalId, { digest }] = rng.pick(open)
  for (const voter of rng.shuffled(standing(world)).slice(0, 6)) {
    const approve = rng.chance(0.8)
    const signature = hexSignature(voter.key, voteBytes(voter.id, digest, approve))
    await world.command('vote', ['NOT_ELIGIBLE', 'ALREADY_VOTED'], () =>
      governance.vote({ voter: voter.id, proposalId, approve, signature }),
    )
  }
}

const observes: Action = async (world) => {
  const { rng, books, clock } = world
  const [observer, subject] = [anyone(world), anyone(world)]
  if (observer.id === subject.id) return
  const observation = {
    observer: observer.id,
    subject: subject.id,
    reputation: rng.integer(0, 100) / 100,
    tradeCount: rng.trm(0, 40),
    volumeTrm: rng.trm(0, 4_000),
    timestampMs: clock.ms,
  }
  const signature = hexSignature(observer.key, canonicalObservationBytes(observation))
  await world.command('observe', ['OBSERVATION_STALE'], () =>
    books.economy.reputation.observe({ ...observation, signature }),
  )
}

const killSwitch: Action = async (world) => {
  const { safety } = world.books
  const command = { reason: 'a test of the brakes', operator: 'owner' }
  await world.command('kill switch', [], () => safety.killSwitch({ active: !world.rules.killed, ...command }))
}

/** New guests come, keys are changed, old ones go. */
const tokens: Action = async (world) => {
  const { rng, books, guests } = world
  const leaving = guests.length > 3 ? rng.pick(guests) : null
  if (leaving && rng.chance(0.5)) {
    const found = books.access.list().find(([hash]) => guestKey(hash).publicKeyHex === leaving.id)
    guests.splice(guests.indexOf(leaving), 1)
    if (found) await world.command('revoke', [], () => books.access.revoke(found[0]))
    return
  }
  await issueGuest(world)
}

export async function issueGuest(world: World): Promise<void> {
  const { books, guests, freeTierTrm } = world
  const ttlSecs = world.rng.chance(0.05) ? 86_400 : 0
  const issued = await world.command('issue', ['TOKENS_FULL'], () =>
    books.access.issue({ scope: 'inference', ttlSecs, label: 'guest' }),
  )
  if (!issued) return
  const key = guestKey(issued.tokenHash)
  guests.push({
    name: `guest-${world.tally.steps}-${guests.length}`,
    id: key.publicKeyHex,
    key,
    class: 'honest',
    creditTrm: freeTierTrm,
    bucket: '10.9.0',
    token: issued.token,
  })
}

/** Nodes that have sold for weeks and put what they earned aside: only they can carry a vote. */
export async function elders(world: World): Promise<void> {
  const { rng, clock, nodes, books } = world
  const [sellers, buyers] = [nodes.filter((node) => node.class === 'honest').slice(0, 5), rng.shuffled(nodes)]
  for (const buyer of buyers) buyer.creditTrm = 40_000n
  for (let round = 0; round < 24; round++) {
    for (const [index, seller] of sellers.entries()) {
      const buyer = buyers[(round * 5 + index) % buyers.length]
      if (buyer && buyer !== seller) await trade(world, seller, buyer, rng.trm(300, 900))
    }
    clock.ms += 8 * HOUR
  }
  for (const { id } of sellers) {
    const haveTrm = world.book.ownTrm(id)
    if (haveTrm < 2_000n) continue
    await books.economy.staking.stake({
      node: id,
      amountTrm: haveTrm / 2n,
      days: haveTrm < 20_000n ? 30 : 90,
    })
  }
}

const restarts: Action = (world) => world.restart()

/** A quiet week or more. */
const timePasses: Action = async (world) => {
  world.clock.ms += world.rng.integer(1, 10) * DAY
}

export const HONEST: readonly (readonly [weight: number, name: string, action: Action])[] = [
  [34, 'peer trade', peerTrade],
  [16, 'guest buys', guestBuys],
  [3, 'guest leaves', guestLeaves],
  [2, 'job fails', jobFails],
  [2, 'job is forgotten', jobIsForgotten],
  [2, 'owner answers', ownerAnswers],
  [5, 'stakes', stakes],
  [3, 'host stakes', hostStakes],
  [1, 'extends a stake', extendsStake],
  [2, 'unstakes', unstakes],
  [4, 'claims a welcome loan', claims],
  [2, 'refers', refers],
  [1, 'a newcomer thrives', newcomerThrives],
  [0.1, 'an age passes', anAgePasses],
  [4, 'deposits', deposits],
  [2, 'withdraws', withdraws],
  [4, 'borrows', borrows],
  [3, 'repays', repays],
  [2, 'proposes', proposes],
  [4, 'votes', votes],
  [2, 'observes', observes],
  [0.3, 'kill switch', killSwitch],
  [1, 'tokens', tokens],
  [1.5, 'restarts', restarts],
  [0.3, 'time passes', timePasses],
]
