import { describe, expect, it } from 'vitest'
import { FakeClient } from '../testing/fake-client.ts'
import { sampleKey } from '../testing/fake-economy.ts'
import { createKeysStore } from './keys.ts'

describe('the keys', () => {
  it('hand a token to whoever asked for it, and keep none', async () => {
    const client = new FakeClient()
    const keys = createKeysStore(client)
    const issued = keys.getState().command('issue', 'keys.issue', {
      label: 'Anna',
      scope: 'inference',
      days: null,
    })
    const token = 'ab'.repeat(32)
    await client.answer('keys.issue', { keys: [sampleKey()], token })
    expect((await issued)?.token).toBe(token)
    expect(keys.getState().view?.keys).toHaveLength(1)
    expect(JSON.stringify(keys.getState())).not.toContain(token)
  })
})
