import {
  borrowerCredit,
  canonicalLoanBytes,
  type Decision,
  decideBorrow,
  decideDeposit,
  decideRepay,
  decideWithdrawal,
  type EconomyContext,
  type EconomyEvent,
  type LoanTerms,
  offeredRatePerHour,
} from '../src-main/economy/index.ts'
import type { Consumer } from '../src-main/host/keys.ts'
import { type ServeEvent, type ServeOptions, type ServingPorts, serve } from '../src-main/host/serving.ts'
import type { FlopCost } from '../src-main/inference/index.ts'
import { hexFromBytes, type KeyPair, TiramiError, trmFromFlop } from '../src-main/kernel/index.ts'
import {
  canonicalTradeBytes,
  type JobFacts,
  type Ledger,
  type SignedTrade,
  type TradeTerms,
} from '../src-main/ledger/index.ts'
import { law } from './broken.ts'
import { DAY, HOUR, larger } from './shadow-book.ts'
import type { Node, World } from './world.ts'

/** Every way into the code under test that moves TRM, each told to the shadow book. */

/** One TRM per token at a price of one. */
const MODEL_COST: FlopCost = { activeMatmulParameters: 500_000_000n, layers: [] }
const MODEL = { id: 'concierge', cost: MODEL_COST, defaultTemperature: 0 }

export type Ticket = { id: string; amountTrm: bigint; expiresAtMs: number }

export function creditLimitTrm(world: World, node: Node): bigint {
  const nowMs = world.clock.ms
  const welcomeTrm = world.books.economy.welcomeCreditTrm(node.id)
  const expected = world.rules.welcomeCreditTrm(node.id, nowMs)
  law(welcomeTrm === expected, `${node.name} has ${welcomeTrm} TRM of welcome credit instead of ${expected}`)
  return larger(welcomeTrm, node.creditTrm)
}

type Seat = Pick<Ledger, 'reserve' | 'settle' | 'void'>

/** The ledger as a seller sees it, with the shadow book listening. */
export function watched(world: World): Seat {
  const { ledger } = world.books
  const { book, clock } = world
  return {
    reserve: (request) => {
      const { consumer, provider, amountTrm, expiresAtMs } = request
      const lackingTrm = amountTrm - book.spendableTrm(consumer, request.creditLimitTrm, clock.ms)
      world.suspect(consumer)
      let id: string
      try {
        id = ledger.reserve(request)
      } catch (error) {
        book.releaseExpired(consumer, clock.ms)
        const broke = error instanceof TiramiError && error.code === 'INSUFFICIENT_BALANCE'
        law(!broke || lackingTrm > 0n, `${consumer} was refused ${amountTrm} TRM that it could spend`)
        throw error
      }
      book.reserved(id, { consumer, provider, amountTrm, expiresAtMs }, request.creditLimitTrm, clock.ms)
      return id
    },
    settle: async (id, signed, facts) => {
      const atMs = clock.ms
      const trade = await ledger.settle(id, signed, facts)
      const { provider, consumer, amountTrm, nonce, timestampMs } = signed.terms
      const told = {
        provider,
        consumer,
        amountTrm,
        nonce: hexFromBytes(nonce),
        timestampMs: Number(timestampMs),
      }
      book.settled(id, told, facts.ownKey, atMs)
      world.tally.trades++
      return trade
    },
    void: (id, reason) => {
      ledger.void(id, reason)
      book.voided(id)
    },
  }
}

export function reserve(
  world: World,
  provider: Node,
  consumer: Node,
  amountTrm: bigint,
  ttlMs = HOUR,
): Ticket {
  const expiresAtMs = world.clock.ms + ttlMs
  const id = watched(world).reserve({
    consumer: consumer.id,
    provider: provider.id,
    amountTrm,
    expiresAtMs,
    creditLimitTrm: creditLimitTrm(world, consumer),
  })
  return { id, amountTrm, expiresAtMs }
}

export function termsOf(
  world: World,
  provider: Node,
  consumer: Node,
  amountTrm: bigint,
  changes: Partial<TradeTerms> = {},
): TradeTerms {
  return {
    provider: provider.id,
    consumer: consumer.id,
    amountTrm,
    tokensProcessed: amountTrm,
    timestampMs: BigInt(world.clock.ms),
    modelId: 'concierge',
    nonce: world.nonce(),
    ...changes,
  }
}

export function signed(terms: TradeTerms, provider: KeyPair, consumer: KeyPair): SignedTrade {
  const bytes = canonicalTradeBytes(terms)
  return { terms, providerSignature: provider.sign(bytes), consumerSignature: consumer.sign(bytes) }
}

export function facts(amountTrm: bigint, ownKey = false): JobFacts {
  return {
    flop: amountTrm * 1_000_000_000n,
    promptTokens: 8,
    completionTokens: 8,
    latencyMs: 1,
    consumerLabel: 'peer',
    ownKey,
  }
}

export async function settle(
  world: World,
  provider: Node,
  consumer: Node,
  ticket: Pick<Ticket, 'id'>,
  amountTrm: bigint,
): Promise<SignedTrade> {
  const trade = signed(termsOf(world, provider, consumer, amountTrm), provider.key, consumer.key)
  await watched(world).settle(ticket.id, trade, facts(amountTrm))
  noteClasses(world, provider, consumer, amountTrm)
  return trade
}

function noteClasses(world: World, provider: Node, consumer: Node, amountTrm: bigint): void {
  if (provider.class === consumer.class) return
  const add = (of: Node['class'], trm: bigint) =>
    world.classNetTrm.set(of, (world.classNetTrm.get(of) ?? 0n) + trm)
  add(provider.class, amountTrm)
  add(consumer.class, -amountTrm)
}

/** A trade between two nodes of the market. @returns what both signed. @throws TiramiError */
export async function trade(
  world: World,
  provider: Node,
  consumer: Node,
  amountTrm: bigint,
): Promise<SignedTrade> {
  const ticket = reserve(world, provider, consumer, amountTrm)
  return settle(world, provider, consumer, ticket, amountTrm)
}

export interface Job {
  promptTokens: number
  maxTokens: number
  completionTokens: number
}

/** One paid answer on the path on which the host sells, with an engine that computes nothing. */
export function buy(
  world: World,
  guest: Node,
  job: Job,
  options: ServeOptions = {},
): AsyncGenerator<ServeEvent, void, void> {
  const { books, clock, site, host } = world
  const consumer = consumerOf(world, guest)
  const { promptTokens, completionTokens } = job
  const engine = {
    async *generate() {
      yield { type: 'prompt', promptTokens }
      const counts = { promptTokens, cachedTokens: 0, completionTokens }
      yield { type: 'end', finishReason: 'stop', ...counts }
    },
  }
  // `serve` uses nothing else of the engine and of the ledger.
  const ports = {
    engine,
    ledger: watched(world),
    safety: books.safety,
    economy: books.economy,
    node: host,
    clock,
    rng: site.rng,
    energy: { begin: () => () => undefined },
    stewardship: { assertMayServe: () => undefined, jobDone: () => undefined },
    model: () => MODEL,
    admit: async () => ({ signal: new AbortController().signal, leave: () => undefined }),
  } as unknown as ServingPorts
  const request = {
    prompt: { type: 'chat' as const, turns: [{ role: 'user' as const, content: 'hi' }] },
    maxTokens: job.maxTokens,
    temperature: 0,
    topP: 1,
    stop: [],
  }
  return serve(ports, consumer, request, new AbortController().signal, options)
}

function consumerOf(world: World, guest: Node): Consumer {
  const { owner, books } = world
  if (guest.token === null) return owner
  const { consumer } = books.access.authorise(guest.token, 'inference.run')
  law(consumer.publicKeyHex === guest.id, `the token of ${guest.name} stands for somebody else`)
  return consumer
}

/** Runs the job to its end. @throws TiramiError */
export async function finish(
  world: World,
  guest: Node,
  answer: AsyncGenerator<ServeEvent, void, void>,
): Promise<void> {
  for await (const event of answer) {
    if (event.type !== 'booked') continue
    const { flop, amountTrm } = event.receipt
    law(amountTrm >= trmFromFlop(flop, 10_000n), `an answer of ${flop} FLOP cost ${amountTrm} TRM`)
    noteClasses(world, hostNode(world), guest, amountTrm)
  }
}

export function hostNode(world: World): Node {
  const { host } = world
  const id = host.publicKeyHex
  return { name: 'host', id, key: host, class: 'honest', creditTrm: 0n, bucket: '127.0.0', token: null }
}

/**
 * The pool's commands of any node: the host's own go through its service; the others' through the same decisions, as
 * its service takes them.
 */
export interface PoolDesk {
  deposit(node: Node, amountTrm: bigint): Promise<unknown>
  withdraw(node: Node, amountTrm: bigint): Promise<unknown>
  /** @returns the loan's id */
  borrow(node: Node, loan: { amountTrm: bigint; collateralTrm: bigint; termHours: number }): Promise<string>
  repay(node: Node, loanId: string): Promise<unknown>
}

export function poolDesk(world: World): PoolDesk {
  const { books, clock, rules } = world
  const { economy, ledger, folded } = books
  const own = (node: Node) => node.id === world.host.publicKeyHex
  const context = (): EconomyContext => ({
    nowMs: clock.ms,
    parameters: economy.parameters(),
    balanceTrm: (account) => ledger.accountTrm(account),
  })
  const post = async <Event extends EconomyEvent>({ event, movements }: Decision<Event>): Promise<Event> => {
    await ledger.post([event], movements)
    return event
  }
  const terms = { maxTermHours: 168, minRatePerHour: 0 }
  return {
    deposit: (node, amountTrm) =>
      own(node)
        ? economy.lending.deposit({ amountTrm, ...terms })
        : refusing(() =>
            post(
              decideDeposit(folded().economy.lending, { lender: node.id, amountTrm, ...terms }, context()),
            ),
          ),
    withdraw: (node, amountTrm) =>
      own(node)
        ? economy.lending.withdraw(amountTrm)
        : refusing(() =>
            post(decideWithdrawal(folded().economy.lending, { lender: node.id, amountTrm }, context())),
          ),
    borrow: async (node, loan) => {
      if (own(node)) return (await economy.lending.borrow(loan)).loanId
      const { earnedTrm, spentTrm, firstMs } = world.book.dealings(node.id)
      const known = earnedTrm + spentTrm > 0n
      const credit = {
        known,
        volumeTrm: earnedTrm + spentTrm,
        uptime: economy.reputation.of(node.id),
        ageDays: known ? Math.max(0, (clock.ms - firstMs) / DAY) : 0,
      }
      const { score } = borrowerCredit(folded().economy.lending, node.id, credit, economy.parameters())
      const offer = offeredRatePerHour(score, economy.parameters())
      const signedLoan = signLoan(world.poolKey, node.key, loan, offer, clock.ms)
      const command = {
        ...signedLoan,
        poolOperator: world.poolKey.publicKeyHex,
        killSwitchActive: rules.killed,
        credit,
      }
      return (await post(decideBorrow(folded().economy.lending, command, context()))).loanId
    },
    repay: (node, loanId) =>
      own(node)
        ? economy.lending.repay(loanId)
        : refusing(() => post(decideRepay(folded().economy.lending, { loanId }, context()))),
  }
}

/** What is thrown in the turn of the call becomes a rejection, as with the service. */
async function refusing<Value>(decide: () => Promise<Value>): Promise<Value> {
  return decide()
}

export function signLoan(
  pool: KeyPair,
  borrower: KeyPair,
  loan: { amountTrm: bigint; collateralTrm: bigint; termHours: number },
  ratePerHour: number,
  createdAtMs: number,
) {
  const terms: LoanTerms = {
    lender: pool.publicKeyHex,
    borrower: borrower.publicKeyHex,
    principalTrm: loan.amountTrm,
    ratePerHour,
    termHours: loan.termHours,
    collateralTrm: loan.collateralTrm,
    createdAtMs,
    dueAtMs: createdAtMs + loan.termHours * HOUR,
  }
  const bytes = canonicalLoanBytes(terms)
  return {
    terms,
    lenderSignature: hexFromBytes(pool.sign(bytes)),
    borrowerSignature: hexFromBytes(borrower.sign(bytes)),
  }
}
