import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Caller } from '../../host/index.ts'
import { TiramiError } from '../../kernel/index.ts'
import { openLocalServer } from '../http-server.ts'
import { openAiError } from '../openai/errors.ts'
import { registerProofs } from './proofs.ts'

const id = 'ab'.repeat(32)
const asked: unknown[] = []
const actions: string[] = []
let server: Awaited<ReturnType<typeof openLocalServer>>

beforeAll(async () => {
  server = await openLocalServer(0, {
    bodyBytesMax: 1024,
    errorShape: openAiError,
    register: (app) =>
      registerProofs(
        app,
        {
          signedHead: () => ({
            size: 3,
            rootHex: '11'.repeat(32),
            timestampMs: 7,
            nodeId: id,
            signatureHex: '22',
          }),
          ledger: {
            async proveInclusion(tradeId, treeSize = 3) {
              asked.push([tradeId, treeSize])
              if (treeSize > 3)
                throw new TiramiError('PROOF_RANGE_INVALID', 'No.', { nextStep: '', httpStatus: 400 })
              const root = { rootHex: 'r', leafHashHex: 'l', pathHex: ['p'], signedBytesHex: 's' }
              return { tradeId, index: 1, treeSize, ...root }
            },
            proveConsistency(first, second = 3) {
              return { first, second, firstRootHex: 'f', secondRootHex: 's', pathHex: ['p'] }
            },
          },
        },
        (_request, action) => {
          actions.push(action)
          return {} as Caller
        },
      ),
  })
})

afterAll(() => server.close())

async function get(path: string) {
  const answer = await fetch(`${server.url}/v1/tirami/proof/${path}`)
  return { status: answer.status, body: await answer.json() }
}

test('proofs leave in snake case, to callers who may read the ledger', async () => {
  expect(await get('head')).toEqual({
    status: 200,
    body: { tree_size: 3, root_hash: '11'.repeat(32), timestamp_ms: 7, node_id: id, signature: '22' },
  })
  const inclusion = { type: 'inclusion', trade_id: id, index: 1, root_hash: 'r', leaf_hash: 'l' }
  expect(await get(`inclusion/${id}?tree_size=2`)).toEqual({
    status: 200,
    body: { ...inclusion, tree_size: 2, path: ['p'], signed_bytes: 's' },
  })
  expect((await get(`inclusion/${id}`)).body.tree_size).toBe(3)
  expect(await get('consistency?first=1')).toEqual({
    status: 200,
    body: {
      type: 'consistency',
      first: 1,
      second: 3,
      first_root_hash: 'f',
      second_root_hash: 's',
      path: ['p'],
    },
  })
  expect((await get('consistency?first=0&second=2')).body).toMatchObject({ first: 0, second: 2 })
  expect(new Set(actions)).toEqual(new Set(['ledger.read']))
})

test.each([
  ['inclusion/xyz', 'tradeId'],
  [`inclusion/${id.toUpperCase()}`, 'tradeId'],
  [`inclusion/${id}?tree_size=-1`, 'tree_size'],
  [`inclusion/${id}?tree_size=1e2`, 'tree_size'],
  [`inclusion/${id}?tree_size=`, 'tree_size'],
  ['consistency', 'first'],
  ['consistency?first=1&first=2', 'first'],
  ['consistency?first=1&second=0x2', 'second'],
])('%s is refused before the ledger is asked', async (path, param) => {
  asked.length = 0
  const { status, body } = await get(path)
  expect([status, body.error.code, body.error.param]).toEqual([400, 'invalid_request', param])
  expect(asked).toEqual([])
})

test('what the ledger refuses keeps its code', async () => {
  const { status, body } = await get(`inclusion/${id}?tree_size=4`)
  expect([status, body.error.code]).toEqual([400, 'proof_range_invalid'])
})
