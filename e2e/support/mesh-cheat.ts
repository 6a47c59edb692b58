import { randomBytes } from 'node:crypto'
import { voteBytes } from '../../src-main/economy/index.ts'
import { hexFromBytes, type KeyPair, keyPairFromSeed } from '../../src-main/kernel/index.ts'
import { createLibp2pNet, type Net, sealEnvelope } from '../../src-main/mesh/index.ts'
import type { HostProcess } from './host.ts'

/** A node that speaks the mesh's language, and says what it should not. */
export interface Cheat {
  key: KeyPair
  net: Net
  /** Signals of others as they went by. */
  overheard: Uint8Array[]
}

export async function joinAsCheat(network: string, hosts: readonly HostProcess[]): Promise<Cheat> {
  const seed = new Uint8Array(randomBytes(32))
  const net = await createLibp2pNet({
    seed,
    network,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: hosts.flatMap(({ ready }) => ready.mesh?.slice(0, 1) ?? []),
    localDiscovery: false,
    natTraversal: false,
    maxConnections: 50,
    isBanned: () => false,
    score: () => 0,
  })
  const overheard: Uint8Array[] = []
  net.subscribe('signals', (message) => {
    overheard.push(message)
    return 'accept'
  })
  return { key: keyPairFromSeed(seed), net, overheard }
}

/** What a model of a thousand weights costs. */
export const CHEAP = {
  activeMatmulParameters: '1000',
  layers: [{ count: 1, headCount: 1, keyLength: 8, valueLength: 8, windowTokens: null }],
}

/** Length of what stands before the body of a signed message: version, origin, number, signature. */
const HEAD_BYTES = 105

/** Answers each request with a quote at ten times the price of `temptingSignal`. */
export function quoteAbovePrice({ key, net }: Cheat, model: string): void {
  net.handle('work/1', async (channel) => {
    for await (const bytes of channel.messages()) {
      if (bytes[0] !== 1) continue
      const begin = bodyOf(bytes) as { jobId: string }
      const quote = {
        kind: 'quote',
        jobId: begin.jobId,
        consumer: channel.peer,
        model,
        nonce: hexFromBytes(randomBytes(16)),
        timestampMs: String(Date.now()),
        promptTokens: 9,
        price: { multiplierMicro: '1000000', feeMicro: '0' },
        maxAmountTrm: '5',
      }
      await channel.send(sealEnvelope(key, Date.now() + 1, quote))
    }
  })
}

/** Signs both answers to one vote, and says both. */
export async function voteBothWays({ key, net }: Cheat, digest: string): Promise<void> {
  const voter = net.nodeId
  const deadlineMs = Date.now() + 3_600_000
  for (const approve of [true, false]) {
    const signature = hexFromBytes(key.sign(voteBytes(voter, digest, approve)))
    const statement = { kind: 'vote', digest, voter, approve, signature, deadlineMs }
    const seq = Date.now() + Number(approve)
    await net.publish('statements', sealEnvelope(key, seq, { kind: 'statement', statement }))
  }
}

const bodyOf = (message: Uint8Array) => JSON.parse(new TextDecoder().decode(message.subarray(HEAD_BYTES)))

export const originOf = (message: Uint8Array): string => hexFromBytes(message.subarray(1, 33))
