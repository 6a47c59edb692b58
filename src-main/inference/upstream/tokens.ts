import { z } from 'zod'
import { TiramiError } from '../../kernel/index.ts'
import type { Prompt } from '../types.ts'
import { upstreamInvalid, upstreamUnsupported } from './errors.ts'
import type { UpstreamHttp } from './http.ts'
import { type Dialect, wireMessages, wireTools } from './wire.ts'

/** What a server can say about tokens, in the way of its kind. */
export interface UpstreamTokens {
  dialect: Dialect
  /** Tokens of a text, without a first token. @throws TiramiError UPSTREAM_UNSUPPORTED */
  tokenize(text: string, specials: boolean, signal: AbortSignal): Promise<number[]>
  /** @throws TiramiError UPSTREAM_UNSUPPORTED */
  detokenize(tokens: readonly number[], signal: AbortSignal): Promise<string>
  /** Tokens of a prompt as the server's template writes it; null where it does not say. */
  count(prompt: Prompt, signal: AbortSignal): Promise<number | null>
}

const Tokens = z.object({ tokens: z.array(z.number().int().nonnegative()) })
const Counted = z.object({ count: z.number().int().nonnegative() })
const Rendered = z.object({ prompt: z.string() })
const Content = z.object({ content: z.string() })

/** Finds out which kind of server it is, by the way in which it splits a word. */
export async function probeTokens(
  http: UpstreamHttp,
  model: string,
  signal: AbortSignal,
): Promise<UpstreamTokens> {
  const ofKind: Record<Dialect, UpstreamTokens> = {
    vllm: vllm(http, model),
    'llama-server': llamaServer(http),
    tirami: tirami(http),
    plain: PLAIN,
  }
  for (const kind of [ofKind.vllm, ofKind['llama-server'], ofKind.tirami]) {
    const tokens = await kind.tokenize('a', false, signal).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof TiramiError) || NO_ANSWER.has(error.code)) throw error
      return null
    })
    if (tokens !== null && tokens.length > 0) return kind
  }
  return PLAIN
}

/** These say nothing about the kind. */
const NO_ANSWER: ReadonlySet<string> = new Set([
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_UNAUTHORISED',
  'ENGINE_BUSY',
])

function vllm(http: UpstreamHttp, model: string): UpstreamTokens {
  return {
    dialect: 'vllm',
    // Spellings of control tokens always count there.
    tokenize: async (text, _specials, signal) => {
      const body = { model, prompt: text, add_special_tokens: false }
      return read(Counted.extend(Tokens.shape), await http.ask('//tokenize', body, signal)).tokens
    },
    detokenize: async (tokens, signal) =>
      read(Rendered, await http.ask('//detokenize', { model, tokens }, signal)).prompt,
    count: async (prompt, signal) => {
      const body =
        prompt.type === 'text'
          ? { model, prompt: prompt.text }
          : { model, messages: wireMessages(prompt.turns), add_generation_prompt: true, ...toolsOf(prompt) }
      return read(Counted, await http.ask('//tokenize', body, signal)).count
    },
  }
}

function llamaServer(http: UpstreamHttp): UpstreamTokens {
  const tokenize = async (content: string, first: boolean, specials: boolean, signal: AbortSignal) => {
    const body = { content, add_special: first, parse_special: specials }
    return read(Tokens, await http.ask('//tokenize', body, signal)).tokens
  }
  return {
    dialect: 'llama-server',
    tokenize: (text, specials, signal) => tokenize(text, false, specials, signal),
    detokenize: async (tokens, signal) =>
      read(Content, await http.ask('//detokenize', { tokens }, signal)).content,
    count: async (prompt, signal) => {
      if (prompt.type === 'text') return (await tokenize(prompt.text, true, true, signal)).length
      const body = { messages: wireMessages(prompt.turns), ...toolsOf(prompt) }
      const { prompt: text } = read(Rendered, await http.ask('//apply-template', body, signal))
      return (await tokenize(text, true, true, signal)).length
    },
  }
}

/** Another host of this kind. It does not show its template, so a conversation is counted by its bytes. */
function tirami(http: UpstreamHttp): UpstreamTokens {
  const tokenize = async (content: string, parse_special: boolean, signal: AbortSignal) =>
    read(Tokens, await http.ask('/tokenize', { content, parse_special }, signal)).tokens
  return {
    dialect: 'tirami',
    tokenize,
    detokenize: async (tokens, signal) =>
      read(Content, await http.ask('/detokenize', { tokens }, signal)).content,
    count: async (prompt, signal) =>
      prompt.type === 'text' ? (await tokenize(prompt.text, false, signal)).length : null,
  }
}

const silent = async (): Promise<never> => {
  throw upstreamUnsupported('does not say how it splits text into tokens')
}
const PLAIN: UpstreamTokens = {
  dialect: 'plain',
  tokenize: silent,
  detokenize: silent,
  count: async () => null,
}

const toolsOf = ({ tools = [] }: Extract<Prompt, { type: 'chat' }>) =>
  tools.length > 0 ? { tools: wireTools(tools) } : {}

function read<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const parsed = schema.safeParse(answer)
  if (!parsed.success) throw upstreamInvalid('says of tokens what cannot be understood')
  return parsed.data
}

/**
 * What a template may add of its own to what a caller wrote: a system prompt of the model's maker, the date, how to
 * call tools. The longest that we know of take about 300 tokens.
 */
const TEMPLATE_TOKENS = 512
/** The marks around one turn or one call, its role and its id. */
const TURN_TOKENS = 64

/**
 * The most tokens that a prompt can have, without asking anybody: a token of a text stands for at least one of its
 * bytes. (A tokenizer that first unfolds ligatures, as SentencePiece with NFKC does, could need more for such a text;
 * its job is then refused at the end, not overcharged.)
 */
export function promptTokensAtMost(prompt: Prompt): number {
  if (prompt.type === 'text') return Buffer.byteLength(prompt.text) + TURN_TOKENS
  const turns = prompt.turns.reduce((sum, { content, toolCalls = [], toolCallId = '' }) => {
    const calls = toolCalls.map(
      ({ id, name, argumentsJson }) =>
        Buffer.byteLength(id + name) + indentedBytes(argumentsJson) + TURN_TOKENS,
    )
    const written = Buffer.byteLength(content + toolCallId) + TURN_TOKENS
    return sum + written + calls.reduce((total, bytes) => total + bytes, 0)
  }, TEMPLATE_TOKENS)
  // Templates write them as JSON, some with an indent of four.
  const tools = prompt.tools?.length ? Buffer.byteLength(JSON.stringify(wireTools(prompt.tools), null, 4)) : 0
  return turns + tools
}

function indentedBytes(json: string): number {
  try {
    return Buffer.byteLength(JSON.stringify(JSON.parse(json), null, 4))
  } catch {
    return Buffer.byteLength(json)
  }
}

/** From a server's own count of the prompt: its count of the work may differ by marks of the template. */
export const promptTokensFrom = (counted: number): number => counted + TURN_TOKENS
