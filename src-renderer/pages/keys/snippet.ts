import type { HostStatus } from '../../../src-preload/contract/index.ts'

export type Language = 'python' | 'node' | 'curl'

export const languages: readonly { value: Language; content: string }[] = [
  { value: 'python', content: 'Python' },
  { value: 'node', content: 'Node' },
  { value: 'curl', content: 'curl' },
]

/** A guest's first request. The key comes from the environment: it belongs in no program text. */
export function snippet(language: Language, { apiBaseUrl, model }: HostStatus): string {
  const url = JSON.stringify(apiBaseUrl)
  const modelId = JSON.stringify(model?.id ?? 'MODEL')
  switch (language) {
    case 'python':
      return `import os
from openai import OpenAI

client = OpenAI(base_url=${url}, api_key=os.environ["TIRAMI_KEY"])
answer = client.chat.completions.create(
    model=${modelId},
    messages=[{"role": "user", "content": "What is TRM?"}],
)
print(answer.choices[0].message.content)`
    case 'node':
      return `import OpenAI from 'openai'

const client = new OpenAI({ baseURL: ${url}, apiKey: process.env.TIRAMI_KEY })
const answer = await client.chat.completions.create({
  model: ${modelId},
  messages: [{ role: 'user', content: 'What is TRM?' }],
})
console.log(answer.choices[0].message.content)`
    case 'curl':
      return `curl ${url.slice(0, -1)}/chat/completions" \\
  -H "Authorization: Bearer $TIRAMI_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": ${modelId},
       "messages": [{"role": "user", "content": "What is TRM?"}]}'`
  }
}
