import { useState } from 'react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Card, CopyButton, CopyField, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { type Language, snippet } from './snippet.ts'

const languages: readonly { value: Language; content: string }[] = [
  { value: 'python', content: 'Python' },
  { value: 'node', content: 'Node' },
  { value: 'curl', content: 'curl' },
]

export function ConnectPanel() {
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const load = useStatus((state) => state.load)
  return (
    <Card id="connect" title="Connect an OpenAI client">
      {status === null ? (
        <Pending what="the address" error={loadError} onRetry={() => void load()} />
      ) : (
        <Connect status={status} />
      )}
    </Card>
  )
}

function Connect({ status }: { status: HostStatus }) {
  const [language, setLanguage] = useState<Language>('python')
  const code = snippet(language, status)
  return (
    <>
      <dl className="ids">
        <CopyField name="Base URL" what="base URL" value={status.apiBaseUrl} />
        <CopyField name="API key file" what="path of the key file" value={status.apiKeyFile} />
      </dl>
      <div className="snippet">
        <div className="snippet__bar">
          <Segmented label="Language" options={languages} value={language} onChange={setLanguage} />
          <CopyButton what="snippet" text={code} />
        </div>
        <pre>
          <code>{code}</code>
        </pre>
      </div>
    </>
  )
}
