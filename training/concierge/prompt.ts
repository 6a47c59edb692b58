import type { Topic } from './corpus.ts'

/** Special tokens. The model first names the topic with one control token, then writes the topic's answer. */
export const END_TOKEN = '<|end|>'
export const USER_TOKEN = '<|user|>'
export const ASSISTANT_TOKEN = '<|assistant|>'

export function topicToken(topic: Topic): string {
  return `<|topic:${topic.id}|>`
}

export function specialTokens(topics: readonly Topic[]): string[] {
  return [END_TOKEN, USER_TOKEN, ASSISTANT_TOKEN, ...topics.map(topicToken)]
}

/**
 * The chat template. It renders the last user message only, because the model answers each question on its own and
 * was never trained on a dialogue.
 */
export const CHAT_TEMPLATE = [
  "{%- set ns = namespace(question='') -%}",
  "{%- for message in messages -%}{%- if message['role'] == 'user' -%}",
  "{%- set ns.question = message['content'] -%}",
  '{%- endif -%}{%- endfor -%}',
  `{{ '${USER_TOKEN}' + ns.question + '${ASSISTANT_TOKEN}' }}`,
].join('')
