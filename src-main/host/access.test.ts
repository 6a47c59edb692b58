import { describe, expect, it } from 'vitest'
import { keyPairFromSeed, sha256, systemRng, utf8 } from '../kernel/index.ts'
import type { JournalEvent, Ledger } from '../ledger/index.ts'
import { key, ManualClock } from '../ledger/test-support.ts'
import { type Access, createAccess } from './access.ts'

const owner = { ...key(9), label: 'owner', ownKey: true, creditLimitTrm: 0n }

/** Access over a journal in memory that counts how often a guest's key pair is derived. */
function accessDesk(): { access: Access; derivations: () => number } {
  let derivations = 0
  const access: Access = createAccess({
    ledger: () =>
      ({
        post: async (events: readonly JournalEvent[]) => {
          for (const event of events) access.observe(event)
        },
      }) as Pick<Ledger, 'post'> as Ledger,
    keys: () => ({
      isApiKey: () => false,
      localConsumer: owner,
      guestConsumer: (tokenHash, label) => {
        derivations++
        return { ...keyPairFromSeed(sha256(utf8(tokenHash))), label, ownKey: false, creditLimitTrm: 1_000n }
      },
    }),
    clock: new ManualClock(),
    rng: systemRng,
  })
  return { access, derivations: () => derivations }
}

describe('a guest’s key pair', () => {
  it('is derived once, however often he asks, and is the same after others were let in', async () => {
    const { access, derivations } = accessDesk()
    const guest = await access.issue({ scope: 'inference', label: 'a friend' })
    const first = access.authorise(guest.token, 'model.read').consumer
    expect(access.authorise(guest.token, 'inference.run').consumer).toBe(first)
    expect(derivations()).toBe(1)
    await access.issue({ scope: 'inference' })
    expect(access.authorise(guest.token, 'model.read').consumer.publicKeyHex).toBe(first.publicKeyHex)
  })

  it('opens nothing once the token is revoked', async () => {
    const { access } = accessDesk()
    const guest = await access.issue({ scope: 'inference' })
    access.authorise(guest.token, 'model.read')
    await access.revoke(guest.tokenHash)
    expect(() => access.authorise(guest.token, 'model.read')).toThrow(
      expect.objectContaining({ code: 'API_KEY_INVALID' }),
    )
  })
})
