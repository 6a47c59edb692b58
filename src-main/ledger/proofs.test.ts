import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, test } from 'vitest'
import { bytesFromHex } from '../kernel/index.ts'
import { consistencyJson, inclusionJson, type Ledger } from './index.ts'
import { book, open, reserve, withDirectory } from './test-support.ts'
import { TransparencyTree, transparencyLeafHash, verifyConsistency, verifyInclusion } from './transparency.ts'

const verifier = fileURLToPath(new URL('../../e2e/verify-proof.mjs', import.meta.url))

function verify(proof: object, ...args: string[]) {
  const input = JSON.stringify(proof)
  const { status, stdout } = spawnSync(process.execPath, [verifier, ...args], { input, encoding: 'utf8' })
  return { status, report: JSON.parse(stdout) }
}

async function bookMany(ledger: Ledger, from: number, to: number): Promise<string[]> {
  const ids: string[] = []
  for (let number = from; number < to; number++) ids.push((await book(ledger, number)).tradeId)
  return ids
}

const hashes = (hex: string[]) => hex.map(bytesFromHex)

describe('proofs of the ledger', () => {
  test('every trade is proven at every size, by the ledger that booked it and by the one that replays it', () =>
    withDirectory(async (directory) => {
      let ledger = await open(directory)
      expect(ledger.transparency().size).toBe(0)
      const ids = await bookMany(ledger, 0, 9)
      ledger.void(reserve(ledger), 'cancelled')
      const head = ledger.transparency()
      for (const again of [false, true]) {
        if (again) {
          await ledger.close()
          ledger = await open(directory)
        }
        expect(ledger.transparency()).toEqual(head)
        for (const [index, id] of ids.entries()) {
          for (let size = index + 1; size <= 9; size++) {
            const proof = await ledger.proveInclusion(id, size)
            expect(proof).toMatchObject({ tradeId: id, index, treeSize: size })
            const leafHash = transparencyLeafHash(bytesFromHex(proof.signedBytesHex))
            const root = bytesFromHex(proof.rootHex)
            expect(verifyInclusion({ leafHash, index, size, proof: hashes(proof.pathHex), root })).toBe(true)
          }
        }
        for (let first = 0; first <= 9; first++) {
          const proof = ledger.proveConsistency(first)
          expect(proof).toMatchObject({ first, second: 9, secondRootHex: head.rootHex })
          const claim = {
            earlierSize: first,
            earlierRoot: bytesFromHex(proof.firstRootHex),
            laterSize: 9,
            laterRoot: bytesFromHex(proof.secondRootHex),
            proof: hashes(proof.pathHex),
          }
          expect(verifyConsistency(claim)).toBe(true)
        }
      }
      expect((await ledger.proveInclusion(ids[0] ?? '')).treeSize).toBe(9)
      await ledger.close()
    }))

  test('a settle in flight is not in the tree until it is on the disk', () =>
    withDirectory(async (directory) => {
      const ledger = await open(directory)
      const booked = book(ledger, 0)
      expect(ledger.transparency().size).toBe(0)
      const { tradeId } = await booked
      expect((await ledger.proveInclusion(tradeId)).index).toBe(0)
      await ledger.close()
    }))

  test('what cannot be proven is refused', () =>
    withDirectory(async (directory) => {
      const ledger = await open(directory)
      const [, second = ''] = await bookMany(ledger, 0, 3)
      const range = expect.objectContaining({ code: 'PROOF_RANGE_INVALID', httpStatus: 400 })
      await expect(ledger.proveInclusion('00'.repeat(32))).rejects.toEqual(
        expect.objectContaining({ code: 'TRADE_NOT_FOUND', httpStatus: 404 }),
      )
      for (const size of [0, 1, 4, -1, 1.5, Number.NaN]) {
        await expect(ledger.proveInclusion(second, size)).rejects.toEqual(range)
        if (size !== 0 && size !== 1) expect(() => ledger.proveConsistency(size)).toThrow(range)
      }
      expect(() => ledger.proveConsistency(3, 2)).toThrow(range)
      expect(() => ledger.proveConsistency(0, 4)).toThrow(range)
      await ledger.close()
    }))
})

describe('the independent verifier of proofs', () => {
  it('takes honest proofs of the ledger', () =>
    withDirectory(async (directory) => {
      const ledger = await open(directory)
      const ids = await bookMany(ledger, 0, 7)
      const head = `7:${ledger.transparency().rootHex}`
      for (const [id, size] of [
        [ids[0], 1],
        [ids[2], 5],
        [ids[6], 7],
      ] as const) {
        const proof = await ledger.proveInclusion(id ?? '', size)
        const report = { ok: true, type: 'inclusion', head: `${size}:${proof.rootHex}` }
        expect(verify(inclusionJson(proof))).toEqual({ status: 0, report })
      }
      for (const first of [0, 4, 5, 7]) {
        const report = { ok: true, type: 'consistency', head }
        expect(verify(consistencyJson(ledger.proveConsistency(first)), '-', '--head', head)).toEqual({
          status: 0,
          report,
        })
      }
      await ledger.close()
    }))

  const tree = new TransparencyTree()
  for (let leaf = 0; leaf < 11; leaf++) tree.append(Uint8Array.of(leaf))
  const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const flip = (hex: string) => `${hex[0] === '0' ? '1' : '0'}${hex.slice(1)}`
  const consistency = {
    type: 'consistency',
    first: 5,
    second: 11,
    first_root_hash: hexOf(tree.root(5)),
    second_root_hash: hexOf(tree.root()),
    path: tree.consistencyProof(5).map(hexOf),
  }
  const signedBytes = Uint8Array.of(6)
  const inclusion = {
    type: 'inclusion',
    trade_id: '67586e98fad27da0b9968bc039a1ef34c939b9b8e523a8bef89d478608c5ecf6',
    index: 6,
    tree_size: 11,
    root_hash: hexOf(tree.root()),
    leaf_hash: hexOf(transparencyLeafHash(signedBytes)),
    path: tree.inclusionProof(6).map(hexOf),
    signed_bytes: '06',
  }
  const held = `11:${inclusion.root_hash}`
  const [firstHash = '', ...otherHashes] = consistency.path

  it('takes the honest samples', () => {
    expect([verify(inclusion).status, verify(consistency).status]).toEqual([0, 0])
  })

  it.each<[string, object, string[]?]>([
    ['another index', { ...inclusion, index: 7 }],
    ['another size', { ...inclusion, tree_size: 33 }],
    ['a size other than the held one', { ...inclusion, tree_size: 10 }, ['-', '--head', held]],
    ['an index beyond the tree', { ...inclusion, index: 11 }],
    ['another root', { ...inclusion, root_hash: flip(inclusion.root_hash) }],
    ['other bytes', { ...inclusion, signed_bytes: '07' }],
    ['another trade', { ...inclusion, trade_id: flip(inclusion.trade_id) }],
    ['a longer path', { ...inclusion, path: [...inclusion.path, inclusion.root_hash] }],
    ['a shorter path', { ...inclusion, path: inclusion.path.slice(1) }],
    ['a reordered path', { ...inclusion, path: inclusion.path.toReversed() }],
    ['a root that is not the held one', inclusion, ['-', '--head', `11:${'00'.repeat(32)}`]],
    ['another first size', { ...consistency, first: 6 }],
    ['another second size', { ...consistency, second: 33 }],
    ['a second size other than the held one', { ...consistency, second: 12 }, ['-', '--head', held]],
    ['another first root', { ...consistency, first_root_hash: flip(consistency.first_root_hash) }],
    ['another second root', { ...consistency, second_root_hash: flip(consistency.second_root_hash) }],
    ['a changed path', { ...consistency, path: [flip(firstHash), ...otherHashes] }],
    ['a path left out', { ...consistency, path: [] }],
    ['a kind that does not exist', { ...consistency, type: 'membership' }],
    ['nothing', {}],
  ])('refuses %s', (_what, proof, args = []) => {
    const { status, report } = verify(proof, ...args)
    expect([status, report.ok]).toEqual([1, false])
  })
})
