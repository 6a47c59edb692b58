import { randomBytes } from 'node:crypto'
import { voteBytes } from '../../src-main/economy/index.ts'
import { bytesFromHex, hexFromBytes, type KeyPair, keyPairFromSeed } from '../../src-main/kernel/index.ts'
import { signTerms } from '../../src-main/market/trades.ts'
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

/** Buys an answer, signs for its first piece, takes the rest and says nothing more. */
export async function takeUnsigned(
  { key, net, overheard }: Cheat,
  seller: string,
  model: string,
): Promise<void> {
  const signal = overheard.findLast((message) => originOf(message) === seller)
  if (!signal) throw new Error('its price was not heard')
  const { price } = bodyOf(signal)
  const prompt = { type: 'chat', turns: [{ role: 'user', content: 'tell me' }] }
  const request = { prompt, maxTokens: 64, stop: [], temperature: 0, topP: 1 }
  const [jobId, commitment] = [16, 32].map((length) => hexFromBytes(randomBytes(length)))
  const begin = { kind: 'begin', jobId, provider: seller, model, request, price, weights: null, commitment }
  const channel = await net.open(seller, 'work/1')
  const messages = channel.messages()[Symbol.asyncIterator]()
  const next = async () => (await messages.next()).value ?? new Uint8Array()
  await channel.send(sealEnvelope(key, Date.now(), begin))
  const quote = bodyOf(await next())
  if (quote.kind !== 'quote') throw new Error(JSON.stringify(quote))
  await channel.send(plain({ kind: 'accept' }))
  const { tokens, amountTrm } = JSON.parse(new TextDecoder().decode(await next()))
  const signature = hexFromBytes(
    signTerms(key, {
      provider: seller,
      consumer: net.nodeId,
      amountTrm: BigInt(amountTrm),
      tokensProcessed: BigInt(quote.promptTokens + tokens),
      timestampMs: BigInt(quote.timestampMs),
      modelId: model,
      nonce: bytesFromHex(quote.nonce),
    }),
  )
  await channel.send(plain({ kind: 'ack', tokens, signature }))
  while ((await next()).length > 0);
}

const plain = (message: object) => new TextEncoder().encode(JSON.stringify(message))

const bodyOf = (message: Uint8Array) => JSON.parse(new TextDecoder().decode(message.subarray(HEAD_BYTES)))

export const originOf = (message: Uint8Array): string => hexFromBytes(message.subarray(1, 33))
