import { z } from 'zod'
import { utf8 } from '../kernel/index.ts'
import { openEnvelope, readBody } from '../mesh/index.ts'
import { Count, Hash, ModelId, NodeId, Nonce, Price, priceJson, Signature, U64 } from './offer.ts'
import { WireTrade } from './trades.ts'

export const WORK_PROTOCOL = 'work/1'
export const SETTLE_PROTOCOL = 'settle/1'

const JobId = z.string().regex(/^[0-9a-f]{32}$/)
const Text = z.string().max(262_144)
const JsonSchema = z.record(z.string(), z.unknown())

/** What may be asked of another host. */
export const RemoteRequest = z.strictObject({
  prompt: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('chat'),
      turns: z
        .array(
          z.strictObject({
            role: z.enum(['system', 'user', 'assistant', 'tool']),
            content: Text,
            toolCalls: z
              .array(
                z.strictObject({ id: z.string().max(128), name: z.string().max(128), argumentsJson: Text }),
              )
              .max(64)
              .exactOptional(),
            toolCallId: z.string().max(128).exactOptional(),
          }),
        )
        .min(1)
        .max(1024),
      tools: z
        .array(
          z.strictObject({
            name: z.string().max(128),
            description: z.string().max(8_192).exactOptional(),
            parameters: JsonSchema,
          }),
        )
        .max(128)
        .exactOptional(),
    }),
    z.strictObject({ type: z.literal('text'), text: Text }),
  ]),
  maxTokens: z.number().int().min(1).max(131_072),
  stop: z.array(z.string().min(1).max(1_024)).max(64),
  temperature: z.number().min(0).max(2),
  topP: z.number().min(0).max(1),
  topK: z.number().int().min(0).max(1_000_000).exactOptional(),
  minP: z.number().min(0).max(1).exactOptional(),
  frequencyPenalty: z.number().min(-2).max(2).exactOptional(),
  presencePenalty: z.number().min(-2).max(2).exactOptional(),
  repeatPenalty: z.number().min(0).max(10).exactOptional(),
  logitBias: z
    .array(z.strictObject({ token: Count, bias: z.number().min(-1e6).max(1e6) }))
    .max(1024)
    .exactOptional(),
  seed: z.number().int().exactOptional(),
  /** Log-probabilities with every token, and so many alternatives. */
  topLogprobs: z.number().int().min(0).max(20).exactOptional(),
  format: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text') }),
      z.strictObject({ type: z.literal('json-object') }),
      z.strictObject({ type: z.literal('json-schema'), schema: JsonSchema }),
    ])
    .exactOptional(),
})
export type RemoteRequest = z.output<typeof RemoteRequest>

/** Signed by the consumer: what he wants, and the most he pays. */
export const Begin = z.strictObject({
  kind: z.literal('begin'),
  jobId: JobId,
  provider: NodeId,
  model: ModelId,
  request: RemoteRequest,
  /** The price that the provider has signed to everybody. */
  price: Price,
  /** The model file that the provider has signed to serve (SHA-256), as its signal says; null: it has named none. */
  weights: Hash.nullable(),
  /** Of an audit: hides the answer that is expected (`audit.ts`). Of any other job: 32 random bytes. */
  commitment: Hash,
})
export type Begin = z.output<typeof Begin>

/** Signed by the provider: what the prompt is, and the terms that both will sign. */
export const Quote = z.strictObject({
  kind: z.literal('quote'),
  jobId: JobId,
  consumer: NodeId,
  model: ModelId,
  nonce: Nonce,
  timestampMs: U64,
  promptTokens: Count,
  price: Price,
  maxAmountTrm: U64,
})
export type Quote = z.output<typeof Quote>

/** Signed by the provider: why not. */
export const Refuse = z.strictObject({
  kind: z.literal('refuse'),
  jobId: JobId.nullable(),
  code: z.string().regex(/^[A-Z0-9_]{1,64}$/),
  message: z.string().max(1_024),
  nextStep: z.string().max(1_024),
  httpStatus: z.number().int().min(400).max(599),
})

const TokenLogprob = z.strictObject({
  token: z.string().max(1_024),
  bytes: z.array(z.number().int().min(0).max(255)).max(1_024),
  /** Natural, under the model's full distribution. */
  logprob: z.number().min(-9_999).max(1),
})
export const TokenLogprobs = z.strictObject({ ...TokenLogprob.shape, top: z.array(TokenLogprob).max(20) })
export type TokenLogprobs = z.output<typeof TokenLogprobs>

export const Piece = z.strictObject({
  kind: z.literal('piece'),
  text: Text,
  tokens: Count,
  amountTrm: U64,
  signature: Signature,
  /** Of the tokens that this piece took, when they were asked for. */
  logprobs: z.array(TokenLogprobs).max(4_096).exactOptional(),
})

/** From the provider, after `accept`. Counts and amounts are those of the whole answer up to here. */
export const FromProvider = z.discriminatedUnion('kind', [
  Piece,
  z.strictObject({
    kind: z.literal('end'),
    finishReason: z.enum(['stop', 'length']),
    tokens: Count,
    amountTrm: U64,
    signature: Signature,
    /** The provider stands by what it was asked and by every piece that it sent (`transcript.ts`). */
    transcriptSignature: Signature,
  }),
  /** It cannot go on; what was signed for is due. */
  z.strictObject({
    kind: z.literal('failed'),
    code: z.string().regex(/^[A-Z0-9_]{1,64}$/),
    message: z.string().max(1_024),
    nextStep: z.string().max(1_024),
  }),
  z.strictObject({ kind: z.literal('booked'), tradeId: z.string().regex(/^[0-9a-f]{64}$/) }),
])
export type FromProvider = z.output<typeof FromProvider>

export const FromConsumer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('accept') }),
  /** A checkpoint: paid for up to here, whatever happens next. */
  z.strictObject({ kind: z.literal('ack'), tokens: Count, signature: Signature }),
  /** The last word. Null: nothing was received. Before the end of the answer it also says: stop. */
  z.strictObject({ kind: z.literal('settle'), tokens: Count, signature: Signature.nullable() }),
])
export type FromConsumer = z.output<typeof FromConsumer>

/** The last word when the connection of the job is gone. `trade` null: nothing was received. */
export const Final = z.strictObject({
  kind: z.literal('final'),
  provider: NodeId,
  nonce: Nonce,
  trade: WireTrade.nullable(),
})

/** Plain messages are JSON; signed ones begin with the version of their envelope, which is never `{`. */
export const plain = (message: object): Uint8Array => utf8(JSON.stringify(message))

/** A signed message of this shape, from this node; null otherwise. */
export function signedMessage<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
  from: string,
): { message: z.output<Schema>; bytes: Uint8Array } | null {
  const opened = openEnvelope(bytes)
  if (!opened.ok || opened.envelope.origin !== from) return null
  const message = readBody(schema, opened.envelope.body)
  return message === null ? null : { message, bytes: opened.envelope.bytes }
}

export const beginJson = ({ price, ...begin }: Begin) => ({ ...begin, price: priceJson(price) })

export const quoteJson = ({ price, timestampMs, maxAmountTrm, ...quote }: Quote) => ({
  ...quote,
  price: priceJson(price),
  timestampMs: String(timestampMs),
  maxAmountTrm: String(maxAmountTrm),
})

/** Tokens of a text: at most one per byte. What templates and control tokens add is allowed for. */
const TOKENS_PER_TURN = 64
const TOKENS_OF_TEMPLATE = 512
export function promptTokensMax(request: RemoteRequest): number {
  const bytes = Buffer.byteLength(JSON.stringify(request.prompt))
  const turns = request.prompt.type === 'chat' ? request.prompt.turns.length : 1
  // A tool's schema may be written out again and again by a template; twice is more than any does.
  return 2 * bytes + turns * TOKENS_PER_TURN + TOKENS_OF_TEMPLATE
}

/** Tokens that an answer of so many bytes can have: control tokens and a stop text that was cut off have none. */
export function completionTokensMax(request: RemoteRequest, bytes: number): number {
  const stopBytes = Math.max(0, ...request.stop.map((text) => Buffer.byteLength(text)))
  return Math.min(request.maxTokens, bytes + stopBytes + 16)
}
