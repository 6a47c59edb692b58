import { z } from 'zod'
import type { ChatTurn, ToolCall } from '../../inference/index.ts'
import { RequestError } from '../requests.ts'

const MESSAGES_MAX = 256
const TOOL_CALLS_MAX = 64

const TextPart = z.object({ type: z.literal('text'), text: z.string() })
const RefusalPart = z.object({ type: z.literal('refusal'), refusal: z.string() })
const Text = z.union([z.string(), z.array(TextPart).min(1).max(64)])
const Name = z.string().max(64).optional()

const RequestToolCall = z.object({
  id: z.string().min(1).max(128),
  type: z.literal('function'),
  function: z.object({ name: z.string().min(1).max(64), arguments: z.string() }),
})

const Message = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer', 'user']), content: Text, name: Name }),
  z.object({
    role: z.literal('assistant'),
    content: z
      .union([
        z.string(),
        z
          .array(z.union([TextPart, RefusalPart]))
          .min(1)
          .max(64),
      ])
      .nullish(),
    tool_calls: z.array(RequestToolCall).min(1).max(TOOL_CALLS_MAX).nullish(),
    refusal: z.string().nullish(),
    name: Name,
  }),
  z.object({ role: z.literal('tool'), content: Text, tool_call_id: z.string().min(1).max(128) }),
])
type Message = z.infer<typeof Message>

export const Messages = z.array(Message).min(1).max(MESSAGES_MAX)

/** The conversation as the engine takes it. @throws RequestError for a tool's answer that nobody asked for */
export function turns(messages: readonly Message[]): ChatTurn[] {
  const asked = new Set<string>()
  return messages.map((message, index) => {
    if (message.role === 'assistant') return assistantTurn(message, index, asked)
    if (message.role !== 'tool') {
      return { role: message.role === 'user' ? 'user' : 'system', content: plainText(message.content) }
    }
    if (!asked.has(message.tool_call_id)) {
      throw new RequestError(
        'INVALID_REQUEST',
        'A tool message answers a tool call of an earlier assistant message.',
        `messages.${index}.tool_call_id`,
      )
    }
    return { role: 'tool', content: plainText(message.content), toolCallId: message.tool_call_id }
  })
}

function assistantTurn(
  message: Extract<Message, { role: 'assistant' }>,
  index: number,
  asked: Set<string>,
): ChatTurn {
  const toolCalls = (message.tool_calls ?? []).map(toolCall)
  for (const { id } of toolCalls) asked.add(id)
  const content = message.content ?? message.refusal
  if (content === null || content === undefined) {
    if (toolCalls.length > 0) return { role: 'assistant', content: '', toolCalls }
    throw new RequestError(
      'INVALID_REQUEST',
      'An assistant message has content or tool calls.',
      `messages.${index}.content`,
    )
  }
  return {
    role: 'assistant',
    content: plainText(content),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
  }
}

function toolCall(call: z.infer<typeof RequestToolCall>): ToolCall {
  return { id: call.id, name: call.function.name, argumentsJson: call.function.arguments }
}

type Part = z.infer<typeof TextPart> | z.infer<typeof RefusalPart>

function plainText(content: string | readonly Part[]): string {
  if (typeof content === 'string') return content
  return content.map((part) => (part.type === 'text' ? part.text : part.refusal)).join('\n')
}
