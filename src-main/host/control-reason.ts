import type { reasonProcedures, ThoughtView } from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'
import type { Handlers } from './handlers.ts'
import type { Reasoning, ReasonQuestion, serveReason } from './reasoning/index.ts'

/** The recursive model in the window: the window's account pays. */
export function reasonHandlers(ports: {
  reasoning: Pick<Reasoning, 'tasks' | 'example'>
  serve(question: ReasonQuestion, signal: AbortSignal): ReturnType<typeof serveReason>
}): Pick<Handlers, keyof typeof reasonProcedures> {
  return {
    'reason.tasks': async () => ({ tasks: await ports.reasoning.tasks() }),
    'reason.example': async ({ task, seed }) => ({ input: await ports.reasoning.example(task, seed) }),
    'reason.run': ({ effort, ...asked }) => {
      const question = effort === 'host' ? asked : { ...asked, effort }
      return thoughtOf(ports.serve(question, new AbortController().signal))
    },
  }
}

async function thoughtOf(events: ReturnType<typeof serveReason>): Promise<ThoughtView> {
  let view: Omit<ThoughtView, 'amountTrm' | 'flop' | 'latencyMs' | 'tradeId'> | null = null
  for await (const event of events) {
    if (event.type === 'thought') view = event.thought
    if (event.type !== 'booked' || !view) continue
    const { amountTrm, flop, latencyMs, trade } = event.receipt
    const { answer, verified, steps, councilSteps, cycles } = view
    const cost = { amountTrm: String(amountTrm), flop: String(flop), latencyMs, tradeId: trade.tradeId }
    return { answer, verified, steps, councilSteps, cycles, ...cost }
  }
  throw new TiramiError('CANCELLED', 'The thought was cancelled; nothing was charged.', {
    nextStep: 'Ask again.',
    httpStatus: 499,
  })
}
