import { hexFromBytes } from '../../src-main/kernel/index.ts'
import { type SignedTrade, tradeLeafHash } from '../../src-main/ledger/index.ts'
import { jobKey } from '../../src-main/market/index.ts'
import { verifyDisk } from '../books.ts'
import { type House, PROMPT_TOKENS } from './house.ts'

const idsWith = (house: House, other: string): string[] =>
  house.books.mesh
    .page(0, 1_000_000)
    .filter(({ terms }) => terms.provider === other || terms.consumer === other)
    .map(({ terms }) => hexFromBytes(tradeLeafHash(terms)))
    .sort()

/**
 * What must hold once everybody is back and has had time to talk: nothing stays reserved, two hosts have booked the same
 * trades with each other, all claims are debts, and nobody has paid for what did not come.
 * @returns the laws that are broken, in words
 */
export function brokenLaws(houses: readonly House[]): string[] {
  const broken: string[] = []
  for (const house of houses) {
    for (const node of [house.id, house.site.owner.publicKeyHex, ...houses.map(({ id }) => id)]) {
      const { reservedTrm } = house.books.ledger.balance(node)
      if (reservedTrm !== 0n) broken.push(`${name(house.id)} still holds ${reservedTrm} TRM of ${name(node)}`)
    }
  }
  for (const [index, left] of houses.entries()) {
    for (const right of houses.slice(index + 1)) {
      const [mine, theirs] = [idsWith(left, right.id), idsWith(right, left.id)]
      if (mine.join() !== theirs.join() && !knowsLateSettlement(left, right)) {
        broken.push(
          `${name(left.id)} and ${name(right.id)} have booked ${mine.length} and ${theirs.length} trades`,
        )
      }
    }
  }
  return [...broken, ...overpaid(houses), ...(broken.length === 0 ? notConserved(houses) : [])]
}

/** Over all ledgers: what hosts claim of each other is what they owe each other, and each total is what its trades say. */
function notConserved(houses: readonly House[]): string[] {
  if (houses.some((house) => house.books.mesh.disputes().some(({ reason }) => reason === 'settled-late')))
    return []
  let claimsTrm = 0n
  let debtsTrm = 0n
  for (const { id, books } of houses) {
    for (const { terms } of books.mesh.page(0, 1_000_000)) {
      if (terms.provider === id) claimsTrm += terms.amountTrm
      else debtsTrm += terms.amountTrm
    }
  }
  return claimsTrm === debtsTrm ? [] : [`hosts claim ${claimsTrm} TRM and owe ${debtsTrm}`]
}

/** A process that was killed may have signed for a piece that nobody saw any more. */
function overpaid(houses: readonly House[]): string[] {
  return houses.flatMap((house) => {
    if (house.wasKilled) return []
    const paid = house.books.mesh
      .page(0, 1_000_000)
      .filter(({ terms }) => terms.consumer === house.id)
      .reduce((sum, { terms }) => sum + Number(terms.tokensProcessed) - PROMPT_TOKENS, 0)
    const came = house.asked.reduce((sum, { tokens }) => sum + tokens, 0)
    return paid > came ? [`${name(house.id)} has paid for ${paid} tokens, and ${came} came`] : []
  })
}

/** What the offline verifier says: every signature, every balance, and all accounts add up to zero. */
export async function brokenJournal(house: House): Promise<string[]> {
  const wrong = await verifyDisk(house.disk)
  return wrong === null ? [] : [`${name(house.id)}: ${wrong}`]
}

/** The one end that does not heal: the consumer was away for longer than its last word was waited for. */
function knowsLateSettlement(left: House, right: House): boolean {
  const disputes = [left, right].flatMap(({ books }) => books.mesh.disputes())
  return disputes.some(({ reason }) => reason === 'settled-late')
}

/** Trades that a host should have heard of and has not. What it has booked itself it knows, whatever others say of it. */
export function unheard(houses: readonly House[]): string[] {
  const all = new Set<string>()
  // Of a job that two hosts have booked differently, the higher amount counts.
  const highest = new Map<string, SignedTrade>()
  for (const trade of houses.flatMap(({ books }) => books.mesh.page(0, 1_000_000))) {
    const known = highest.get(jobKey(trade.terms))
    if (!known || known.terms.amountTrm < trade.terms.amountTrm) highest.set(jobKey(trade.terms), trade)
  }
  for (const { terms } of highest.values()) all.add(hexFromBytes(tradeLeafHash(terms)))
  return houses.flatMap((house) => {
    const own = new Set(
      house.books.mesh.page(0, 1_000_000).map(({ terms }) => hexFromBytes(tradeLeafHash(terms))),
    )
    return [...all]
      .filter((id) => !own.has(id) && !house.market.node.observedTrade(id))
      .map((id) => `${name(house.id)} misses ${name(id)}`)
  })
}

const name = (id: string): string => id.slice(0, 8)
