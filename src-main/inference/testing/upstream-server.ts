import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request that the server got. */
export interface Asked {
  path: string
  headers: IncomingMessage['headers']
  body: Record<string, unknown>
}

export type Route = (response: ServerResponse, asked: Asked) => void

/** A server on a real socket that answers as the test says; what it has no route for is a 404. */
export interface UpstreamServer {
  baseUrl: string
  routes: Record<string, Route>
  asked: Asked[]
  /** What was asked at `path`. */
  askedAt(path: string): Record<string, unknown>[]
  close(): Promise<void>
}

export async function openUpstreamServer(routes: Record<string, Route>): Promise<UpstreamServer> {
  const asked: Asked[] = []
  const table = { ...routes }
  const server = createServer({ keepAlive: true }, async (request, response) => {
    response.on('error', () => undefined)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const path = request.url ?? ''
    const entry = { path, headers: request.headers, body: text === '' ? {} : JSON.parse(text) }
    asked.push(entry)
    const route = table[path]
    if (route) route(response, entry)
    else json({ error: { message: 'not found' } }, 404)(response, entry)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    routes: table,
    asked,
    askedAt: (path) => asked.filter((entry) => entry.path === path).map(({ body }) => body),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Route =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

/** Streams these messages and `[DONE]`. */
export const sse =
  (messages: readonly object[]): Route =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    for (const message of messages) response.write(`data: ${JSON.stringify(message)}\n\n`)
    response.end('data: [DONE]\n\n')
  }

const chunk = (choice: object) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, ...choice }],
})

/** A chat answer in `pieces`, with the count of tokens in a message of its own, as OpenAI streams it. */
export function chatMessages(pieces: readonly string[], usage: object | null, finish = 'stop'): object[] {
  return [
    chunk({ delta: { role: 'assistant', content: '' }, finish_reason: null }),
    ...pieces.map((content) => chunk({ delta: { content }, logprobs: null, finish_reason: null })),
    chunk({ delta: {}, finish_reason: finish }),
    ...(usage === null ? [] : [{ ...chunk({}), choices: [], usage }]),
  ]
}

/** One chunk of a chat answer. */
export const chatChunk = (delta: object, rest: object = {}) => chunk({ delta, finish_reason: null, ...rest })

export const models = (...ids: string[]): Route =>
  json({ object: 'list', data: ids.map((id) => ({ id, object: 'model', created: 1, owned_by: 'x' })) })

/** What vLLM answers beside OpenAI's API: `/tokenize` counts prompts and conversations, at the server's root. */
export const vllmRoutes = (model: string, countOf: (text: string) => number): Record<string, Route> => ({
  '/v1/models': json({ object: 'list', data: [{ id: model, object: 'model', max_model_len: 4096 }] }),
  '/tokenize': (response, asked) => {
    const { prompt, messages } = asked.body as { prompt?: string; messages?: { content: string }[] }
    const text = prompt ?? messages?.map(({ content }) => content).join('')
    if (text === undefined)
      return json({ error: { message: 'prompt is missing', code: 400 } }, 400)(response, asked)
    const tokens = Array.from({ length: countOf(text) }, (_, index) => index)
    return json({ count: tokens.length, max_model_len: 4096, tokens, token_strs: null })(response, asked)
  },
  '/detokenize': json({ prompt: 'text' }),
})

/** What llama-server answers: `/apply-template` renders a conversation, `/tokenize` splits text. */
export const llamaServerRoutes = (
  model: string,
  countOf: (text: string) => number,
): Record<string, Route> => ({
  '/v1/models': json({
    object: 'list',
    data: [
      { id: model, object: 'model', owned_by: 'llamacpp', meta: { n_vocab: 151_936, n_ctx_train: 32_768 } },
    ],
  }),
  '/tokenize': (response, asked) => {
    const { content = '' } = asked.body as { content?: string }
    return json({ tokens: Array.from({ length: countOf(content) }, (_, index) => index) })(response, asked)
  },
  '/apply-template': (response, asked) => {
    const { messages } = asked.body as { messages: { role: string; content: string }[] }
    const prompt = messages.map(({ role, content }) => `<${role}>${content}`).join('')
    return json({ prompt })(response, asked)
  },
  '/detokenize': json({ content: 'text' }),
})
