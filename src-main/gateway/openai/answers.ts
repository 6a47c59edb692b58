import type { Receipt } from '../../host/index.ts'
import type { AnswerPiece, TokenLogprobs, ToolCall, ToolCallParser } from '../../inference/index.ts'
import { type ChoiceEvent, cancelled } from './jobs.ts'

/** One finished answer. */
export interface Answer {
  text: string
  calls: ToolCall[]
  logprobs: TokenLogprobs[]
  receipt: Receipt
}

/** An answer's pieces as they came, put together. */
class Draft {
  text = ''
  readonly calls: ToolCall[] = []
  readonly logprobs: TokenLogprobs[] = []
  receipt: Receipt | null = null

  add(pieces: readonly AnswerPiece[]): void {
    for (const piece of pieces) {
      if (piece.type === 'content') this.text += piece.text
      else if (piece.type === 'tool-call') {
        this.calls.push({ id: piece.id, name: piece.name, argumentsJson: '' })
      } else {
        const call = this.calls[piece.index]
        if (call) call.argumentsJson += piece.argumentsDelta
      }
    }
  }
}

/** Reads all answers to their end, in the order of the choices. @throws TiramiError what ended them early */
export async function collectAnswers(
  events: AsyncIterable<ChoiceEvent>,
  readers: readonly ToolCallParser[],
): Promise<Answer[]> {
  const drafts = readers.map((reader) => ({ reader, draft: new Draft() }))
  for await (const event of events) {
    const { reader, draft } = drafts[event.choice] ?? {}
    if (!reader || !draft) continue
    if (event.type === 'text') {
      draft.add(reader.push(event.text))
      draft.logprobs.push(...(event.logprobs ?? []))
    } else if (event.type === 'booked') {
      draft.add(reader.finish())
      draft.receipt = event.receipt
    }
  }
  return drafts.map(({ draft: { text, calls, logprobs, receipt } }) => {
    if (!receipt) throw cancelled()
    return { text, calls, logprobs, receipt }
  })
}
