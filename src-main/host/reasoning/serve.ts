import type { ReasonRequest } from '../../recursion/index.ts'
import type { Consumer } from '../keys.ts'
import { type ServeOptions, type ServingPorts, type Sold, sell, type Work } from '../serving.ts'
import type { Thought } from './messages.ts'
import type { Reasoning } from './reasoning.ts'

export interface ReasonPiece {
  type: 'thought'
  thought: Thought
}

/**
 * One paid thought of the recursive model: reserved for the most it can take, settled for what it took. Its trade
 * counts calls of the network as tokens. @throws TiramiError as `sell` and `Reasoning`
 */
export function serveReason(
  ports: ServingPorts,
  reasoning: Reasoning,
  consumer: Consumer,
  request: ReasonRequest,
  signal: AbortSignal,
  options: ServeOptions = {},
): AsyncGenerator<Sold<ReasonPiece>, void, void> {
  return sell(ports, consumer, thinking(reasoning, request), signal, options)
}

function thinking(reasoning: Reasoning, request: ReasonRequest): Work<ReasonPiece, { id: string }> {
  const product = { id: `trm-${request.task}` }
  let boundFlop = 0n
  let flop = 0n
  return {
    product: () => product,
    async *run(_tenant, signal) {
      boundFlop = await reasoning.bound(request)
      yield { type: 'prompt', promptTokens: 0 }
      const thought = await reasoning.reason(request, signal)
      flop = BigInt(Math.ceil(thought.flop))
      yield { type: 'thought', thought }
      yield {
        type: 'end',
        finishReason: 'stop',
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: thought.cycles,
      }
    },
    depth: ({ completionTokens }) => completionTokens,
    maxFlop: () => boundFlop,
    flop: () => flop,
  }
}
