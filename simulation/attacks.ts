import {
  decideDeposit,
  type ProposalKind,
  proposalBytes,
  type StakeDays,
  voteBytes,
} from '../src-main/economy/index.ts'
import { canonicalObservationBytes } from '../src-main/economy/reputation.ts'
import { hexFromBytes, sha256, TiramiError, utf8 } from '../src-main/kernel/index.ts'
import type { SignedTrade } from '../src-main/ledger/index.ts'
import { law } from './broken.ts'
import { hexSignature, ownerNode, proposalTerms, standing, wantedLoan } from './honest.ts'
import {
  buy,
  creditLimitTrm,
  facts,
  finish,
  hostNode,
  poolDesk,
  reserve,
  settle,
  signed,
  type Ticket,
  termsOf,
  trade,
  watched,
} from './market.ts'
import { DAY, HOUR } from './shadow-book.ts'
import { epochOf } from './shadow-rules.ts'
import type { Class, Node, World } from './world.ts'

type Attack = (world: World) => Promise<void>

const of = (world: World, wanted: Class): Node[] => world.nodes.filter((node) => node.class === wanted)

/** Two nodes, the second of which can pay `amountTrm`. */
function pairWith(world: World, amountTrm: bigint): { provider: Node; consumer: Node } | null {
  const { rng, book, clock, nodes } = world
  for (const consumer of rng.shuffled(nodes).slice(0, 12)) {
    if (book.spendableTrm(consumer.id, creditLimitTrm(world, consumer), clock.ms) < amountTrm) continue
    const provider = rng.pick(nodes)
    if (provider.id !== consumer.id) return { provider, consumer }
  }
  return null
}

/** @returns the code of the refusal, or null */
async function refusalOf(action: () => Promise<unknown> | unknown): Promise<string | null> {
  try {
    await action()
    return null
  } catch (error) {
    if (error instanceof TiramiError) return error.code
    throw error
  }
}

/** Reserves the same money many times over; exactly as many as he can pay are granted. */
const doubleSpend: Attack = async (world) => {
  const { rng, book, clock, nodes } = world
  const consumer = rng.pick(nodes)
  const limitTrm = creditLimitTrm(world, consumer)
  const spendableTrm = book.spendableTrm(consumer.id, limitTrm, clock.ms)
  if (spendableTrm < 2n) return
  const amountTrm = spendableTrm / BigInt(rng.integer(1, spendableTrm > 2n ? 3 : 2))
  const granted: { provider: Node; ticket: Ticket }[] = []
  const many = 5
  for (const provider of rng.shuffled(nodes.filter((node) => node !== consumer)).slice(0, many)) {
    const refused = await refusalOf(() =>
      granted.push({ provider, ticket: reserve(world, provider, consumer, amountTrm) }),
    )
    law(refused === null || refused === 'INSUFFICIENT_BALANCE', `a reservation was refused with ${refused}`)
  }
  const expected = Math.min(many, Number(spendableTrm / amountTrm))
  law(granted.length === expected, `${consumer.id} was granted ${granted.length} of ${expected} reservations`)
  await world.attack(
    'reserve beyond the balance',
    ['INSUFFICIENT_BALANCE'],
    () =>
      reserve(
        world,
        granted[0]?.provider ?? consumer,
        consumer,
        spendableTrm - amountTrm * BigInt(expected) + 1n,
      ),
    consumer.id,
  )
  for (const { provider, ticket } of granted) {
    if (rng.chance(0.5)) watched(world).void(ticket.id, 'cancelled')
    else await settle(world, provider, consumer, ticket, amountTrm / 2n + 1n)
  }
}

/** The same over the host's own counter, with answers that run side by side. */
const doubleSpendAtTheHost: Attack = async (world) => {
  const { rng, guests } = world
  const guest = rng.pick(guests)
  const rich = guest.creditTrm >= 20_000n
  const maxTokens = rich ? 480 : 200
  const job = { promptTokens: 10, maxTokens, completionTokens: rng.integer(1, maxTokens) }
  const running: ReturnType<typeof buy>[] = []
  // More at once than the budget of an hour, and now and then more than the attempts of a minute.
  for (let ask = 0; ask < (rich ? rng.integer(24, 34) : 8); ask++) {
    const refused = await refusalOf(async () => {
      const answer = buy(world, guest, job)
      await answer.next()
      running.push(answer)
    })
    if (refused !== null) world.count('answer side by side', refused)
  }
  for (const answer of running) {
    if (rng.chance(0.3)) await answer.return()
    else await refusalOf(() => finish(world, guest, answer))
  }
}

const usedTicket: Attack = async (world) => {
  const { rng } = world
  const amountTrm = rng.trm(2, 40)
  const pair = pairWith(world, amountTrm * 2n)
  if (!pair) return
  const { provider, consumer } = pair
  const again = (ticket: Ticket) => () => settle(world, provider, consumer, ticket, 1n)
  const ticket = reserve(world, provider, consumer, amountTrm)
  await world.attack(
    'settle for more than was reserved',
    ['TRADE_INVALID'],
    () => settle(world, provider, consumer, ticket, amountTrm + 1n),
    provider.id,
    consumer.id,
  )
  if (rng.chance(0.5)) {
    // Both at once: the second arrives while the first is being written.
    const results = await Promise.allSettled([again(ticket)(), again(ticket)()])
    law(
      results.filter(({ status }) => status === 'fulfilled').length === 1,
      'one ticket was settled twice at once',
    )
  } else {
    await settle(world, provider, consumer, ticket, amountTrm)
  }
  await world.attack(
    'settle a ticket twice',
    ['RESERVATION_UNKNOWN'],
    again(ticket),
    provider.id,
    consumer.id,
  )
  watched(world).void(ticket.id, 'I want it back')
  const voided = reserve(world, provider, consumer, amountTrm)
  watched(world).void(voided.id, 'cancelled')
  await world.attack(
    'settle a voided ticket',
    ['RESERVATION_UNKNOWN'],
    again(voided),
    provider.id,
    consumer.id,
  )
}

const expiredTicket: Attack = async (world) => {
  const pair = pairWith(world, 10n)
  if (!pair) return
  const { provider, consumer } = pair
  const ticket = reserve(world, provider, consumer, 10n, 60_000)
  world.clock.ms += 60_001
  await world.attack(
    'settle an expired ticket',
    ['RESERVATION_UNKNOWN'],
    () => settle(world, provider, consumer, ticket, 10n),
    provider.id,
    consumer.id,
  )
  world.book.voided(ticket.id)
}

/** Old signed trades are kept for ever by those who hope that a restart forgets them. */
const replay: Attack = async (world) => {
  const { rng } = world
  const pair = pairWith(world, 40n)
  if (!pair) return
  const { provider, consumer } = pair
  const old = await trade(world, provider, consumer, 10n)
  if (rng.chance(0.25)) await world.restart()
  const ticket = reserve(world, provider, consumer, 10n)
  const attempt = (name: string, again: SignedTrade) =>
    world.attack(
      name,
      ['TRADE_INVALID'],
      () => watched(world).settle(ticket.id, again, facts(again.terms.amountTrm)),
      provider.id,
      consumer.id,
    )
  await attempt('replay a signed trade', old)
  const { nonce } = old.terms
  const renewed = termsOf(world, provider, consumer, 5n, { nonce })
  await attempt('use a nonce twice', signed(renewed, provider.key, consumer.key))
  world.clock.ms += HOUR / 2
  const late = termsOf(world, provider, consumer, 5n, { timestampMs: BigInt(world.clock.ms - HOUR - 1) })
  await attempt('settle with an old timestamp', signed(late, provider.key, consumer.key))
  watched(world).void(ticket.id, 'cancelled')
}

const tamper: Attack = async (world) => {
  const { rng, nodes } = world
  const pair = pairWith(world, 50n)
  if (!pair) return
  const { provider, consumer } = pair
  const ticket = reserve(world, provider, consumer, 50n)
  const honest = signed(termsOf(world, provider, consumer, 20n), provider.key, consumer.key)
  const thief = rng.pick(nodes.filter((node) => node.id !== provider.id && node.id !== consumer.id))
  const terms = honest.terms
  const zero = new Uint8Array(16)
  const forgeries: readonly (readonly [string, SignedTrade])[] = [
    ['change a signed amount', { ...honest, terms: { ...terms, amountTrm: 30n } }],
    ['change a signed model', { ...honest, terms: { ...terms, modelId: 'frontier' } }],
    ['sign for the consumer', signed(terms, provider.key, thief.key)],
    ['sign for the provider', signed(terms, thief.key, consumer.key)],
    ['swap the signatures', signed(terms, consumer.key, provider.key)],
    ['send the income elsewhere', signed({ ...terms, provider: thief.id }, thief.key, consumer.key)],
    ['let somebody else pay', signed({ ...terms, consumer: thief.id }, provider.key, thief.key)],
    ['trade without a nonce', signed({ ...terms, nonce: zero }, provider.key, consumer.key)],
    ['trade for nothing', signed({ ...terms, amountTrm: 0n }, provider.key, consumer.key)],
    ['sign with zeroes', { ...honest, consumerSignature: new Uint8Array(64) }],
  ]
  const involved = [provider.id, consumer.id, thief.id]
  for (const [name, forged] of rng.shuffled(forgeries).slice(0, 4)) {
    const attempt = () => watched(world).settle(ticket.id, forged, facts(forged.terms.amountTrm))
    await world.attack(name, ['TRADE_INVALID'], attempt, ...involved)
  }
  await world.attack(
    'trade with oneself',
    ['TRADE_INVALID'],
    () => reserve(world, consumer, consumer, 1n),
    consumer.id,
  )
  await world.attack(
    'reserve nothing',
    ['TRADE_INVALID'],
    () => reserve(world, provider, consumer, 0n),
    consumer.id,
  )
  watched(world).void(ticket.id, 'cancelled')
}

/** A circle of nodes that trade among themselves, to look busy. */
const ring: Attack = async (world) => {
  await circle(world, of(world, 'ring').slice(0, 5), 'ring', 3)
}

const wash: Attack = async (world) => {
  await circle(world, of(world, 'wash').slice(0, 2), 'wash', 2)
}

async function circle(world: World, members: Node[], name: Class, least: number): Promise<void> {
  const { rng, clock, book } = world
  if (members.length < least) return
  const amountTrm = rng.trm(1, 60)
  const solvent = members.every(
    (node) => book.spendableTrm(node.id, creditLimitTrm(world, node), clock.ms) >= amountTrm,
  )
  if (!solvent) return
  // Four other providers, without whom no graph proves anything.
  for (let other = 0; other < 4; other++) {
    const provider = world.nodes.filter((node) => node.class === 'honest')[other]
    const consumer = rng.pick(of(world, 'honest'))
    if (provider && provider !== consumer) await refusalOf(() => trade(world, provider, consumer, 1n))
  }
  for (let round = 0; round < 7; round++) {
    for (const [index, consumer] of members.entries()) {
      const provider = members[(index + 1) % members.length]
      if (provider) await trade(world, provider, consumer, amountTrm)
    }
    clock.ms += rng.integer(60_000, HOUR)
  }
  world.tally.attacksTried++
  judgeCircle(world, members, name)
  world.tally.attacksRefused++
}

/** Whoever traded with nobody else is found out while the trades are fresh, however good he made himself look. */
function judgeCircle(world: World, members: readonly Node[], name: Class): void {
  const { reputation } = world.books.economy
  for (const { id } of members) {
    const { trustPenalty, uniqueCounterparties } = reputation.collusion(id)
    if (uniqueCounterparties !== Math.min(2, members.length - 1)) continue
    const penalty = members.length === 2 ? 0.45 : 0.14
    law(trustPenalty >= penalty, `${id}, of a ${name}, has a penalty of ${trustPenalty}`)
  }
  world.count(`${name} found`, 'done')
}

const defaulter: Attack = async (world) => {
  const { rng, rules, clock } = world
  const defaulters = of(world, 'defaulter')
  if (defaulters.length === 0 || rules.poolTrm() < 50n || rules.killed) return
  const node = rng.pick(defaulters)
  const reasons = [
    'INSUFFICIENT_BALANCE',
    'LENDING_PAUSED',
    'LENDING_VELOCITY',
    'LOAN_CREDIT',
    'LOAN_COLLATERAL',
    'LOAN_INVALID',
    'POOL_RESERVE_EXHAUSTED',
    'LOAN_POOL_SHARE',
    'LOAN_ABOVE_LIMIT',
  ]
  const { amountTrm } = wantedLoan(world, node)
  const loan = { amountTrm, collateralTrm: amountTrm / 3n + 1n, termHours: rng.integer(1, 24) }
  const loanId = await world.command('borrow for good', reasons, () => poolDesk(world).borrow(node, loan))
  if (loanId === null) return
  const greedy = (name: string, changes: Partial<typeof loan>, codes: string[]) =>
    world.attack(name, codes, () => poolDesk(world).borrow(node, { ...loan, ...changes }), node.id)
  const asLoan = ['LOAN_COLLATERAL', 'LENDING_VELOCITY']
  await greedy('borrow without collateral', { collateralTrm: 0n }, asLoan)
  await greedy('borrow for ever', { termHours: 169 }, ['LOAN_TERM', 'LENDING_VELOCITY'])
  const poolTrm = rules.poolTrm()
  const sparedTrm = BigInt(Math.floor(Number(poolTrm) * rules.governed.MIN_RESERVE_RATIO))
  const reserveTrm = world.book.balanceTrm('system:pool') - sparedTrm + 1n
  await greedy('borrow the pool’s reserve', { amountTrm: reserveTrm, collateralTrm: poolTrm * 2n }, [
    'POOL_RESERVE_EXHAUSTED',
    'LENDING_VELOCITY',
  ])
  clock.ms += loan.termHours * HOUR + 1
  const before = world.books.economy.reputation.of(node.id)
  await world.books.economy.tick(clock.ms)
  law(!rules.loans.has(loanId), `a loan of ${node.id} is overdue and still open`)
  const after = world.books.economy.reputation.of(node.id)
  law(after <= before, `${node.id} defaulted and its reputation rose`)
  await greedy('borrow after a default', {}, ['LENDING_PAUSED'])
  await world.attack(
    'repay after the default',
    ['LOAN_CLOSED'],
    () => poolDesk(world).repay(node, loanId),
    node.id,
  )
}

/** Fresh ids from one network, all after credit that they will never pay back. */
const sybils: Attack = async (world) => {
  const { rng, rules, clock, book } = world
  if (rules.killed) return
  const bucket = `66.${rng.integer(0, 2)}.0`
  const accomplice = rng.pick(world.nodes)
  const { staking } = world.books.economy
  let granted = 0
  for (let swarm = 0; swarm < rng.integer(3, 14); swarm++) {
    const sybil = world.freshSybil(bucket)
    const codes = ['WELCOME_CLOSED', 'WELCOME_ALREADY_KNOWN', 'SYBIL_CEILING', 'WELCOME_BUCKET_FULL']
    const grant = await world.command('sybil claims', codes, () => staking.claimWelcome(sybil.id, bucket))
    if (!grant) continue
    granted++
    await world.attack(
      'claim a second welcome loan',
      ['WELCOME_ALREADY_KNOWN', 'WELCOME_CLOSED', 'SYBIL_CEILING'],
      () => staking.claimWelcome(sybil.id, '99.9.9'),
      sybil.id,
    )
    const limitTrm = rules.welcomeCreditTrm(sybil.id, clock.ms)
    if (limitTrm === 0n || !rng.chance(0.4)) continue
    await trade(world, accomplice, sybil, limitTrm)
    await world.attack(
      'spend beyond the welcome loan',
      ['INSUFFICIENT_BALANCE'],
      () => reserve(world, accomplice, sybil, 1n),
      sybil.id,
    )
    law(book.availableTrm(sybil.id) >= -limitTrm, `${sybil.id} owes more than its welcome loan`)
  }
  law(
    granted <= rules.governed.WELCOME_LOAN_PER_BUCKET_CAP,
    `${granted} sybils of one network got a welcome loan`,
  )
  const weak = '0'.repeat(62) + rng.integer(10, 99)
  await world.attack('claim with an invented id', ['LOW_ENTROPY_NODE_ID', 'WELCOME_CLOSED'], () =>
    staking.claimWelcome(weak, bucket),
  )
}

/** The welcome loan ends, and with it the credit. */
const lateSybil: Attack = async (world) => {
  const { rng, rules, clock } = world
  if (rules.killed || rules.governed.WELCOME_LOAN_AMOUNT === 0 || epochOf(world.book.mintedTrm) >= 2) return
  const sybil = world.freshSybil(`67.${world.tally.steps}.0`)
  const granted = await refusalOf(() => world.books.economy.staking.claimWelcome(sybil.id, sybil.bucket))
  if (granted !== null) return
  clock.ms += 72 * HOUR
  await world.attack(
    'spend an expired welcome loan',
    ['INSUFFICIENT_BALANCE'],
    () => reserve(world, rng.pick(world.nodes), sybil, 1n),
    sybil.id,
  )
}

const referralFarm: Attack = async (world) => {
  const { host, rules, nodes, rng, book } = world
  const { staking } = world.books.economy
  await world.attack(
    'refer oneself',
    ['REFERRAL_SELF'],
    () => staking.refer(host.publicKeyHex),
    host.publicKeyHex,
  )
  const [referred] = rules.referrals.keys()
  if (referred) {
    await world.attack(
      'refer a node twice',
      ['REFERRAL_ALREADY_SPONSORED'],
      () => staking.refer(referred),
      host.publicKeyHex,
    )
  }
  const earner = rng
    .shuffled(nodes)
    .find(({ id }) => book.dealings(id).earnedTrm > 0n && !rules.referrals.has(id))
  if (!earner) return
  await world.attack(
    'refer an old node',
    ['REFERRAL_NOT_NEW'],
    () => staking.refer(earner.id),
    host.publicKeyHex,
  )
}

const stakeGamer: Attack = async (world) => {
  const { rng, rules, book, clock, nodes } = world
  const { staking } = world.books.economy
  if (rules.killed) return
  const locked = [...rules.stakes].filter(([, { unlocksAtMs }]) => clock.ms < unlocksAtMs)
  if (locked.length > 0) {
    const [node, stake] = rng.pick(locked)
    await world.attack('unstake early', ['STAKE_LOCKED'], () => staking.unstake(node), node)
    await world.attack(
      'stake a second time',
      ['STAKE_EXISTS'],
      () => staking.stake({ node, amountTrm: 100n, days: 7 }),
      node,
    )
    const shorter = ([7, 30, 90] as StakeDays[]).find((days) => days < stake.days)
    if (shorter) {
      await world.attack(
        'shorten a stake',
        ['STAKE_SHORTENED'],
        () => staking.extend({ node, addTrm: 0n, days: shorter }),
        node,
      )
    }
    const more = book.ownTrm(node) > 0n ? book.ownTrm(node) + 1n : 1n
    await world.attack(
      'extend with what one does not own',
      ['INSUFFICIENT_BALANCE'],
      () => staking.extend({ node, addTrm: more, days: 365 > stake.days ? (stake.days as StakeDays) : 365 }),
      node,
    )
  }
  const node = rng.pick(nodes.filter(({ id }) => !rules.stakes.has(id)))
  const owned = book.ownTrm(node.id)
  const unowned = (owned > 0n ? owned : 0n) + 100_000n
  await world.attack(
    'stake what one does not own',
    ['INSUFFICIENT_BALANCE'],
    () => staking.stake({ node: node.id, amountTrm: unowned, days: 7 }),
    node.id,
  )
  await world.attack(
    'stake a negative amount',
    ['AMOUNT_INVALID'],
    () => staking.stake({ node: node.id, amountTrm: -100n, days: 7 }),
    node.id,
  )
  await world.attack('unstake nothing', ['STAKE_MISSING'], () => staking.unstake(node.id), node.id)
  if (owned < 100n) return
  // The same money for a stake and for the pool, in one turn.
  const results = await Promise.allSettled([
    staking.stake({ node: node.id, amountTrm: owned, days: 7 }),
    poolDesk(world).deposit(node, owned),
  ])
  const done = results.filter(({ status }) => status === 'fulfilled').length
  law(done === 1, `${node.id} used the same TRM ${done} times`)
}

/** What the owner pays himself is no money: it must not become a stake. */
const ownUse: Attack = async (world) => {
  const { rules, book, clock } = world
  const host = hostNode(world)
  if (rules.killed) return
  const job = { promptTokens: 100, maxTokens: 400, completionTokens: 400 }
  if (await refusalOf(() => finish(world, ownerNode(world), buy(world, ownerNode(world), job)))) return
  const [availableTrm, ownTrm] = [book.availableTrm(host.id), book.ownTrm(host.id)]
  law(availableTrm > ownTrm, 'own use was counted as income')
  if (rules.stakes.has(host.id) && clock.ms < (rules.stakes.get(host.id)?.unlocksAtMs ?? 0)) return
  const code = rules.stakes.has(host.id) ? 'STAKE_EXISTS' : 'INSUFFICIENT_BALANCE'
  const amountTrm = availableTrm > 100n ? availableTrm : 100n
  if (amountTrm <= ownTrm) return
  await world.attack(
    'stake what the owner paid himself',
    [code],
    () => world.books.economy.staking.stake({ node: host.id, amountTrm, days: 7 }),
    host.id,
  )
}

const poolGamer: Attack = async (world) => {
  const { rules, book, nodes, rng, books, clock } = world
  if (rules.killed) return
  const node = rng.pick(nodes)
  const desk = poolDesk(world)
  const owned = book.ownTrm(node.id)
  await world.attack(
    'lend what one does not own',
    ['INSUFFICIENT_BALANCE'],
    () => desk.deposit(node, (owned > 0n ? owned : 0n) + 1n),
    node.id,
  )
  await world.attack('lend less than nothing', ['AMOUNT_INVALID'], () => desk.deposit(node, -1n), node.id)
  const worth = rules.poolTrm() + 1n
  await world.attack(
    'withdraw the others’ money',
    ['DEPOSIT_TOO_SMALL'],
    () => desk.withdraw(node, worth),
    node.id,
  )
  await world.attack(
    'repay a loan that never was',
    ['LOAN_UNKNOWN'],
    () => desk.repay(node, hexFromBytes(sha256(utf8(`loan ${clock.ms}`)))),
    node.id,
  )
  // Terms that the pool would not keep.
  await world.attack(
    'lend at a rate of one’s own',
    ['POOL_TERMS_FIXED'],
    () =>
      decideDeposit(
        books.folded().economy.lending,
        { lender: node.id, amountTrm: 1n, maxTermHours: 1, minRatePerHour: 0.5 },
        { nowMs: clock.ms, parameters: books.economy.parameters(), balanceTrm: (of) => book.balanceTrm(of) },
      ),
    node.id,
  )
}

const governanceGamer: Attack = async (world) => {
  const { rng, books, rules, clock, nodes } = world
  const { governance } = books.economy
  const outsider = rng.pick(nodes.filter(({ id }) => rules.lockedTrm(id, clock.ms + 2 * DAY) < 1_000n))
  const kind: ProposalKind = { type: 'change_parameter', name: 'MAX_LTV_RATIO', value: 3 }
  const propose = async (name: string, codes: string[], node: Node, of: ProposalKind, votingMs = 2 * DAY) => {
    const terms = proposalTerms(world, node.id, of, votingMs)
    const signature = hexSignature(node.key, proposalBytes(terms))
    await world.attack(name, codes, () => governance.propose(terms, signature), node.id)
  }
  await propose('propose without a stake', ['NOT_ELIGIBLE'], outsider, kind)
  await propose('propose to change the constitution', ['PARAMETER_IMMUTABLE'], outsider, {
    type: 'change_parameter',
    name: 'TOTAL_TRM_SUPPLY',
    value: 1e12,
  })
  await propose('propose beyond the bounds', ['PARAMETER_OUT_OF_BOUNDS'], outsider, {
    type: 'change_parameter',
    name: 'MIN_RESERVE_RATIO',
    value: 0,
  })
  await propose('propose a vote of a minute', ['DEADLINE_INVALID'], outsider, kind, 60_000)
  await votingFraud(world, outsider)
}

async function votingFraud(world: World, outsider: Node): Promise<void> {
  const { rng, books, rules, clock } = world
  const { governance } = books.economy
  const known = [...rules.proposals]
  if (known.length === 0) return
  const [proposalId, shadow] = rng.pick(known)
  const proposal = books.folded().governance.proposals
  const digest = [...proposal.values()]
    .flatMap((shard) => [...shard])
    .find(([id]) => id === proposalId)?.[1].digest
  if (!digest) return
  const cast = (voter: Node, signer: Node, approve: boolean, signed = approve) =>
    governance.vote({
      voter: voter.id,
      proposalId,
      approve,
      signature: hexSignature(signer.key, voteBytes(voter.id, digest, signed)),
    })
  if (shadow.status !== 'active' || clock.ms >= shadow.deadlineMs) {
    const voter = rng.pick(standing(world).concat(outsider))
    await world.attack('vote after the deadline', ['VOTING_CLOSED'], () => cast(voter, voter, true), voter.id)
    return
  }
  if (rules.lockedTrm(outsider.id, shadow.deadlineMs) < 1_000n) {
    await world.attack(
      'vote without a stake',
      ['NOT_ELIGIBLE'],
      () => cast(outsider, outsider, true),
      outsider.id,
    )
  }
  const [already] = shadow.votes.keys()
  const voted = world.nodes.find(({ id }) => id === already)
  if (voted) await world.attack('vote twice', ['ALREADY_VOTED'], () => cast(voted, voted, false), voted.id)
  const [victim] = standing(world).filter(({ id }) => !shadow.votes.has(id))
  if (!victim) return
  await world.attack(
    'vote for somebody else',
    ['SIGNATURE_INVALID'],
    () => cast(victim, outsider, true),
    victim.id,
  )
  await world.attack(
    'turn a vote round',
    ['SIGNATURE_INVALID'],
    () => cast(victim, victim, true, false),
    victim.id,
  )
  await world.attack('carry out an open vote', ['VOTING_OPEN'], () => governance.execute(proposalId))
}

/** A clock that goes back must free nothing. */
const clockBack: Attack = async (world) => {
  const { clock, rules, rng, books } = world
  if (rules.killed) return
  const nowMs = clock.ms
  clock.ms -= rng.integer(2, 10) * DAY
  const stakes = [...rules.stakes].filter(([, { unlocksAtMs }]) => nowMs < unlocksAtMs)
  if (stakes.length > 0) {
    const [node] = rng.pick(stakes)
    await world.attack(
      'unstake with the clock set back',
      ['STAKE_LOCKED'],
      () => books.economy.staking.unstake(node),
      node,
    )
  }
  const due = [...rules.proposals].find(
    ([, { status, deadlineMs }]) => status !== 'active' && clock.ms < deadlineMs,
  )
  const voter = standing(world)[0]
  if (due && voter) {
    const [proposalId] = due
    const signature = hexSignature(voter.key, voteBytes(voter.id, '00'.repeat(32), true))
    const vote = () =>
      books.economy.governance.vote({ voter: voter.id, proposalId, approve: true, signature })
    await world.attack('vote again with the clock set back', ['VOTING_CLOSED'], vote, voter.id)
  }
  const { yieldTrm } = rules
  await books.economy.tick(clock.ms)
  law(rules.yieldTrm === yieldTrm, 'a yield was paid again with the clock set back')
  clock.ms = nowMs
}

const observer: Attack = async (world) => {
  const { rng, books, clock, nodes } = world
  const [liar, friend] = rng.shuffled(nodes)
  if (!liar || !friend) return
  const claim = (subject: string, changes: { timestampMs?: number } = {}) => ({
    observer: liar.id,
    subject,
    reputation: 1,
    tradeCount: 1_000n,
    volumeTrm: 1_000_000n,
    timestampMs: clock.ms,
    ...changes,
  })
  const gossip = (name: string, codes: string[], of: ReturnType<typeof claim>, signer: Node) =>
    world.attack(
      name,
      codes,
      () =>
        books.economy.reputation.observe({
          ...of,
          signature: hexSignature(signer.key, canonicalObservationBytes(of)),
        }),
      liar.id,
    )
  await gossip('vouch for oneself', ['OBSERVATION_INVALID'], claim(liar.id), liar)
  await gossip('vouch in another’s name', ['OBSERVATION_INVALID'], claim(friend.id), friend)
  const tomorrow = claim(friend.id, { timestampMs: clock.ms + DAY })
  await gossip('vouch from tomorrow', ['OBSERVATION_INVALID'], tomorrow, liar)
}

const stranger: Attack = async (world) => {
  const { books, rng, guests } = world
  const forged = hexFromBytes(sha256(utf8(`token ${world.tally.steps}`)))
  await world.attack('use an invented token', ['API_KEY_INVALID'], () =>
    books.access.authorise(forged, 'inference.run'),
  )
  const { token } = rng.pick(guests)
  if (!token) return
  const expected = ['SCOPE_INSUFFICIENT', 'API_KEY_INVALID']
  await world.attack('manage money with a chat token', expected, () =>
    books.access.authorise(token, 'economy.write'),
  )
  await world.attack('issue tokens with a chat token', expected, () =>
    books.access.authorise(token, 'token.write'),
  )
}

/** What runs while the owner has stopped everything. */
const underTheKillSwitch: Attack = async (world) => {
  const { books, rng, nodes, rules } = world
  if (rules.killed) return
  await books.safety.killSwitch({ active: true, reason: 'a test of the brakes', operator: 'owner' })
  const killed = ['KILL_SWITCH_ACTIVE']
  const node = rng.pick(nodes)
  const { staking, lending } = books.economy
  const host = hostNode(world)
  await world.attack('stake while stopped', killed, () =>
    staking.stake({ node: node.id, amountTrm: 100n, days: 7 }),
  )
  await world.attack('claim while stopped', killed, () => staking.claimWelcome(node.id, node.bucket))
  await world.attack('borrow while stopped', killed, () =>
    poolDesk(world).borrow(host, wantedLoan(world, host)),
  )
  await world.attack('withdraw while stopped', killed, () => lending.withdraw(1n))
  const [guest] = world.guests
  if (guest) {
    const job = { promptTokens: 1, maxTokens: 1, completionTokens: 1 }
    const expected = [...killed, 'API_KEY_INVALID']
    await world.attack('buy while stopped', expected, async () =>
      finish(world, guest, buy(world, guest, job)),
    )
  }
  await books.safety.killSwitch({ active: false, reason: 'over', operator: 'owner' })
}

export const ATTACKS: readonly (readonly [weight: number, name: string, attack: Attack])[] = [
  [4, 'double spender', doubleSpend],
  [2, 'double spender at the host', doubleSpendAtTheHost],
  [3, 'used ticket', usedTicket],
  [1, 'expired ticket', expiredTicket],
  [3, 'replayer', replay],
  [3, 'forger', tamper],
  [1.5, 'colluding ring', ring],
  [1, 'wash trader', wash],
  [2, 'loan defaulter', defaulter],
  [1, 'sybil swarm', sybils],
  [0.3, 'sybil who comes late', lateSybil],
  [1, 'referral farmer', referralFarm],
  [3, 'stake gamer', stakeGamer],
  [1, 'own use', ownUse],
  [2, 'pool gamer', poolGamer],
  [3, 'governance gamer', governanceGamer],
  [1, 'clock set back', clockBack],
  [1, 'false witness', observer],
  [0.7, 'stranger with a token', stranger],
  [0.7, 'under the kill switch', underTheKillSwitch],
]
