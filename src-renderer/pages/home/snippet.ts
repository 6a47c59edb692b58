import type { HostStatus } from '../../../src-preload/contract/index.ts'

export type Language = 'python' | 'node' | 'curl'

/** A first request that works as it is pasted: the key is read from its file, so it is never on the screen. */
export function snippet(language: Language, status: HostStatus): string {
  const url = JSON.stringify(status.apiBaseUrl)
  const keyFile = JSON.stringify(status.apiKeyFile)
  const model = JSON.stringify(status.model?.id ?? 'MODEL')
  switch (language) {
    case 'python':
      return `from pathlib import Path
from openai import OpenAI

client = OpenAI(
    base_url=${url},
    api_key=Path(${keyFile}).read_text().strip(),
)
answer = client.chat.completions.create(
    model=${model},
    messages=[{"role": "user", "content": "What is TRM?"}],
)
print(answer.choices[0].message.content)`
    case 'node':
      return `import { readFileSync } from 'node:fs'
import OpenAI from 'openai'

const client = new OpenAI({
  baseURL: ${url},
  apiKey: readFileSync(${keyFile}, 'utf8').trim(),
})
const answer = await client.chat.completions.create({
  model: ${model},
  messages: [{ role: 'user', content: 'What is TRM?' }],
})
console.log(answer.choices[0].message.content)`
    case 'curl':
      return `curl "${status.apiBaseUrl}/chat/completions" \\
  -H "Authorization: Bearer $(cat ${keyFile})" \\
  -H "Content-Type: application/json" \\
  -d '{"model": ${model},
       "messages": [{"role": "user", "content": "What is TRM?"}]}'`
  }
}
