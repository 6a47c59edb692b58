import { describe, expect, it } from 'vitest'
import { type ProposalKind, proposalBytes, proposalDigest, voteBytes } from '../economy/governance.ts'
import type { KeyPair } from '../kernel/index.ts'
import { FAST_PARENT, withDirectory } from '../ledger/test-support.ts'
import { DAY, EconomyHouse, NODE, signHex, stranger, sumTrm } from './testing/economy-house.ts'

const [SECOND, THIRD, CONSUMER] = [stranger(1), stranger(2), stranger(0)]
const VOTERS = [NODE, SECOND, THIRD]
const refused = (code: string) => expect.objectContaining({ code })
const change = (name: string, value: number): ProposalKind => ({ type: 'change_parameter', name, value })

/** Three nodes that have served, earned and staked. */
async function assembly(body: (house: EconomyHouse) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const house = await new EconomyHouse(directory).open()
    for (const voter of VOTERS) {
      for (let number = 0; number < 19; number++) {
        await house.economy.rewardTrade({ provider: voter.publicKeyHex, ownKey: false })
      }
      await house.trade(voter, CONSUMER, 20_000n)
      await house.economy.staking.stake({ node: voter.publicKeyHex, amountTrm: 4_000n, days: 30 })
    }
    await body(house)
    expect(sumTrm(house, [...VOTERS, CONSUMER])).toBe(0n)
    await house.close()
  }, FAST_PARENT)
}

async function vote(house: EconomyHouse, proposalId: string, voter: KeyPair, approve = true): Promise<void> {
  if (voter === NODE) return house.economy.governance.voteOwn(proposalId, approve)
  const proposal = house.economy.governance.proposals().find(([id]) => id === proposalId)?.[1]
  const signature = signHex(voter, voteBytes(voter.publicKeyHex, proposal?.digest ?? '', approve))
  await house.economy.governance.vote({ voter: voter.publicKeyHex, proposalId, approve, signature })
}

describe('governance', () => {
  it('changes the price only after its deadline, keeps it over a restart, and does it once', () =>
    assembly(async (house) => {
      const { governance } = house.economy
      const before = house.economy.multiplierMicro()
      const deadlineMs = house.clock.ms + 2 * DAY
      const id = await governance.proposeOwn(change('BASE_TRM_PER_TOKEN', 2.5), deadlineMs)
      for (const voter of VOTERS) await vote(house, id, voter)
      expect(governance.tally(id)).toMatchObject({ status: 'active', outcome: 'passed', voters: 3 })
      await expect(governance.execute(id)).rejects.toThrow(refused('VOTING_OPEN'))
      expect(await house.advance(DAY)).toMatchObject({ failures: [] })
      expect(governance.tally(id).status).toBe('active')
      expect(house.economy.multiplierMicro()).toBe(before)
      await house.restart()
      expect(await house.advance(DAY)).toMatchObject({ failures: [] })
      const after = house.economy
      expect(after.governance.tally(id).status).toBe('executed')
      expect(Number(after.multiplierMicro())).toBeCloseTo(2.5 * Number(before), -1)
      const [state, price] = [after.encodedState(), after.multiplierMicro()]
      await house.restart()
      expect(house.economy.encodedState()).toEqual(state)
      expect(house.economy.multiplierMicro()).toBe(price)
      await expect(house.economy.governance.execute(id)).rejects.toThrow(refused('PROPOSAL_NOT_PASSED'))
      expect((await house.advance(1)).records).toBe(0)
    }))

  it('refuses what is constitutional, unknown, unsigned or from a node without standing', () =>
    assembly(async (house) => {
      const { governance } = house.economy
      const deadlineMs = house.clock.ms + 2 * DAY
      const own = (kind: ProposalKind, untilMs = deadlineMs) => governance.proposeOwn(kind, untilMs)
      await expect(own(change('TOTAL_TRM_SUPPLY', 1))).rejects.toThrow(refused('PARAMETER_IMMUTABLE'))
      await expect(own(change('FREE_MONEY', 1))).rejects.toThrow(refused('PARAMETER_UNKNOWN'))
      const cheap = own(change('BASE_TRM_PER_TOKEN', 0))
      await expect(cheap).rejects.toThrow(refused('PARAMETER_OUT_OF_BOUNDS'))
      const soon = own(change('BASE_TRM_PER_TOKEN', 2), house.clock.ms + 1_000)
      await expect(soon).rejects.toThrow(refused('DEADLINE_INVALID'))
      const kind = change('BASE_TRM_PER_TOKEN', 2)
      const proposal = { sequence: 1, kind, createdAtMs: house.clock.ms, deadlineMs }
      const signedBy = (pair: KeyPair) => {
        const terms = { proposer: pair.publicKeyHex, ...proposal }
        return [terms, signHex(pair, proposalBytes(terms))] as const
      }
      await expect(governance.propose(...signedBy(CONSUMER))).rejects.toThrow(refused('NOT_ELIGIBLE'))
      const [terms] = signedBy(SECOND)
      await expect(governance.propose(terms, signedBy(THIRD)[1])).rejects.toThrow(
        refused('SIGNATURE_INVALID'),
      )
      const id = await governance.propose(...signedBy(SECOND))
      const forged = {
        voter: THIRD.publicKeyHex,
        proposalId: id,
        approve: true,
        signature: signHex(SECOND, voteBytes(THIRD.publicKeyHex, proposalDigest(terms), true)),
      }
      await expect(governance.vote(forged)).rejects.toThrow(refused('SIGNATURE_INVALID'))
      await expect(vote(house, id, CONSUMER)).rejects.toThrow(refused('NOT_ELIGIBLE'))
      await vote(house, id, THIRD)
      await expect(vote(house, id, THIRD)).rejects.toThrow(refused('ALREADY_VOTED'))
      await expect(governance.voteOwn('1', true)).rejects.toThrow(refused('PROPOSAL_NOT_FOUND'))
      // One voter is no quorum.
      expect((await house.advance(2 * DAY)).failures).toEqual([])
      expect(governance.tally(id).status).toBe('rejected')
      expect(house.economy.parameters().BASE_TRM_PER_TOKEN).toBe(1)
    }))

  it('pauses everything when the network votes for it', () =>
    assembly(async (house) => {
      const deadlineMs = house.clock.ms + DAY
      const id = await house.economy.governance.proposeOwn({ type: 'emergency_pause' }, deadlineMs)
      for (const voter of VOTERS) await vote(house, id, voter)
      await house.advance(DAY)
      expect(house.safety.killSwitch).toMatchObject({ active: true, operator: `governance:${id}` })
      const stake = house.economy.staking.extend({ node: NODE.publicKeyHex, addTrm: 10n, days: 30 })
      await expect(stake).rejects.toThrow(refused('KILL_SWITCH_ACTIVE'))
    }))

  it('sells to strangers no more once every trade needs a proof that this host cannot make', () =>
    assembly(async (house) => {
      const { governance } = house.economy
      house.economy.assertMayProvide({ ownKey: false })
      const id = await governance.proposeOwn(change('PROOF_POLICY', 3), house.clock.ms + DAY)
      for (const voter of VOTERS) await vote(house, id, voter)
      house.clock.ms += DAY
      expect(await governance.execute(id)).toMatchObject({ previousProofPolicy: 1, proofPolicy: 3 })
      expect(() => house.economy.assertMayProvide({ ownKey: false })).toThrow(refused('PROOF_REQUIRED'))
      house.economy.assertMayProvide({ ownKey: true })
      const down = governance.proposeOwn(change('PROOF_POLICY', 1), house.clock.ms + DAY)
      await expect(down).rejects.toThrow(refused('PROOF_POLICY_RATCHET'))
    }))

  it('tries a proposal that others have made impossible once, not for ever', () =>
    assembly(async (house) => {
      const { governance } = house.economy
      const deadlineMs = house.clock.ms + DAY + 1
      const lower = await governance.proposeOwn(change('PROOF_POLICY', 2), deadlineMs)
      const higher = await governance.proposeOwn(change('PROOF_POLICY', 3), deadlineMs - 1)
      for (const voter of VOTERS) {
        await vote(house, lower, voter)
        await vote(house, higher, voter)
      }
      house.clock.ms = deadlineMs - 1
      await governance.execute(higher)
      const report = await house.advance(1)
      expect(report.failures).toMatchObject([{ part: 'governance', error: { code: 'PROOF_POLICY_RATCHET' } }])
      expect(await house.advance(60_000)).toEqual({ records: 0, failures: [] })
      expect(governance.proofPolicy()).toBe(3)
    }))
})
