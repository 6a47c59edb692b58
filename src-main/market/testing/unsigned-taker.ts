import { bytesFromHex, hexFromBytes, type KeyPair } from '../../kernel/index.ts'
import { type Net, openEnvelope, readBody, sealEnvelope } from '../../mesh/index.ts'
import { PriceSignal, priceJson } from '../offer.ts'
import { signTerms } from '../trades.ts'
import { Piece, plain, Quote, type RemoteRequest, signedMessage } from '../work-messages.ts'

/**
 * Buys an answer, signs for its first piece, takes the rest and says nothing more until the seller ends it.
 * @param signal the seller's signed signal
 */
export async function takeUnsigned(
  { key, net, nowMs }: { key: KeyPair; net: Net; nowMs: number },
  signal: Uint8Array,
  model: string,
): Promise<void> {
  const opened = openEnvelope(signal)
  const said = opened.ok ? readBody(PriceSignal, opened.envelope.body) : null
  if (!opened.ok || !said) throw new Error('the signal is not one')
  const provider = opened.envelope.origin
  const request: RemoteRequest = {
    prompt: { type: 'chat', turns: [{ role: 'user', content: 'tell me' }] },
    maxTokens: 64,
    stop: [],
    temperature: 0,
    topP: 1,
  }
  const price = priceJson(said.price)
  const [jobId, commitment] = ['07'.repeat(16), '07'.repeat(32)]
  const begin = { kind: 'begin', jobId, provider, model, request, price, weights: null, commitment }
  const channel = await net.open(provider, 'work/1')
  const messages = channel.messages()[Symbol.asyncIterator]()
  const next = async () => (await messages.next()).value ?? new Uint8Array()
  await channel.send(sealEnvelope(key, nowMs, begin))
  const quote = signedMessage(Quote, await next(), provider)?.message
  if (!quote) throw new Error('it did not quote')
  await channel.send(plain({ kind: 'accept' }))
  const piece = readBody(Piece, await next())
  if (!piece) throw new Error('it sent no piece')
  const { tokens, amountTrm } = piece
  const signature = signTerms(key, {
    provider,
    consumer: net.nodeId,
    amountTrm,
    tokensProcessed: BigInt(quote.promptTokens + tokens),
    timestampMs: quote.timestampMs,
    modelId: model,
    nonce: bytesFromHex(quote.nonce),
  })
  await channel.send(plain({ kind: 'ack', tokens, signature: hexFromBytes(signature) }))
  for (let more = true; more; ) more = (await next().catch(() => new Uint8Array())).length > 0
}
