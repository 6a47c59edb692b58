import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AnswerPiece } from '../../inference/index.ts'
import { type OutputItem, type ResponseEvent, ResponseOutput } from './response-output.ts'

/** Pieces as the parser gives them: arguments follow their call. */
const stretch = fc.oneof(
  fc
    .array(fc.string({ maxLength: 5 }))
    .map((texts) => texts.map((text): AnswerPiece => ({ type: 'content', text }))),
  fc.record({ name: fc.string({ minLength: 1, maxLength: 5 }), json: fc.array(fc.string({ maxLength: 5 })) }),
)
const answer = fc.array(stretch, { maxLength: 6 }).map((stretches) => {
  let calls = 0
  return stretches.flatMap((part): AnswerPiece[] => {
    if (Array.isArray(part)) return part
    const index = calls++
    return [
      { type: 'tool-call', index, id: `call_${index}`, name: part.name },
      ...part.json.map((argumentsDelta): AnswerPiece => ({ type: 'tool-arguments', index, argumentsDelta })),
    ]
  })
})

/** What a client that only believes the events makes of them. */
function rebuilt(events: readonly ResponseEvent[]): unknown[] {
  const items: { type: string; text: string; status: string }[] = []
  for (const event of events) {
    const item = items[event.output_index as number]
    if (event.type === 'response.output_item.added') {
      expect(event.output_index).toBe(items.length)
      items.push({ type: (event.item as OutputItem).type, text: '', status: 'in_progress' })
    }
    if (event.type.endsWith('.delta') && item) item.text += event.delta
    if (event.type === 'response.output_text.done') expect(event.text).toBe(item?.text)
    if (event.type === 'response.function_call_arguments.done') expect(event.arguments).toBe(item?.text)
    if (event.type === 'response.output_item.done' && item) item.status = (event.item as OutputItem).status
  }
  return items
}

it('the events of a stream tell exactly the output that it ends with', () => {
  fc.assert(
    fc.property(answer, fc.constantFrom('completed', 'incomplete'), (pieces, status) => {
      const output = new ResponseOutput()
      const events = pieces.flatMap((piece) => output.push([piece]))
      events.push(...output.finish(status as 'completed'))
      const said = output.items.map((item) => ({
        type: item.type,
        text: item.type === 'message' ? (item.content[0]?.text ?? '') : item.arguments,
        status: item.status,
      }))
      expect(rebuilt(events)).toEqual(said)
      expect(said.length).toBeGreaterThan(0)
      expect(said.at(-1)?.status).toBe(status)
      const text = pieces.map((piece) => (piece.type === 'content' ? piece.text : '')).join('')
      expect(said.map((item) => (item.type === 'message' ? item.text : '')).join('')).toBe(text)
    }),
  )
})

it('an event says how things were when it was sent', () => {
  const output = new ResponseOutput()
  const [added] = output.push([{ type: 'content', text: 'a' }])
  const before = structuredClone(added)
  output.push([{ type: 'content', text: 'b' }])
  output.finish('completed')
  expect(added).toEqual(before)
})
