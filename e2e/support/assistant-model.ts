import { writeTinyGguf } from '../../src-main/models/testing/tiny-gguf.ts'

/**
 * Hermes' way of writing tool calls. The last byte of the prompt says what is asked for, and so decides the answer:
 * a line feed for text, a tab for a tool's result, a return for a call, a form feed for two calls.
 */
const TEMPLATE = `{% if tools %}<|im_start|>system
Write <tool_call>{"name": …, "arguments": …}</tool_call> to call: {{ tools | tojson }}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% for call in message.tool_calls or [] %}<tool_call>{{ call.function.name }}</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{% if messages[-1].role == 'tool' %}{{ '\\t' }}{% elif tools and 'twice' in messages[-1].content %}{{ '\\f' }}{% elif tools %}{{ '\\r' }}{% else %}{{ '\\n' }}{% endif %}{% endif %}`

export const TEXT_ANSWER = ['Deep', ' in the', ' garden', ' a fox', ' sleeps.']
const ONE_CALL = [
  'I add. ',
  '<tool_',
  'call>\n{"name": "add',
  '", "arguments": {"a": 2',
  ', "b": 3}}',
  '\n</tool_call>',
]
const TWO_CALLS = [
  '<tool_call>\n{"name": "add", "arguments": ',
  '{"a": 1, "b": 1}}\n</tool_call>\n',
  '<tool_call>\n{"name": "add", "arguments": {"a": 4, "b": 4}}',
  '\n</tool_call>\n',
]
export const TOOL_RESULT_ANSWER = ['The sum', ' is known', ' now.']

/** A model that answers, calls the tool `add`, and uses what it gave: each time with the same words. */
export function writeAssistantModel(path: string): string {
  return writeTinyGguf(path, {
    chatTemplate: TEMPLATE,
    answers: [
      { after: '\n', pieces: TEXT_ANSWER },
      { after: '\t', pieces: TOOL_RESULT_ANSWER },
      { after: '\r', pieces: ONE_CALL },
      { after: '\f', pieces: TWO_CALLS },
    ],
  })
}

export const addTool = {
  type: 'function' as const,
  function: {
    name: 'add',
    description: 'Adds two numbers.',
    parameters: {
      type: 'object',
      properties: { a: { type: 'number' }, b: { type: 'number' } },
      required: ['a', 'b'],
      additionalProperties: false,
    },
  },
}
