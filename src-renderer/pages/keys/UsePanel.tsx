import { useState } from 'react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Card, CopyButton, CopyField, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { type Language, languages, snippet } from './snippet.ts'

export function UsePanel() {
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const load = useStatus((state) => state.load)
  return (
    <Card id="use" title="How a key is used">
      {status === null ? (
        <Pending what="the address" error={loadError} onRetry={() => void load()} />
      ) : (
        <Use status={status} />
      )}
    </Card>
  )
}

function Use({ status }: { status: HostStatus }) {
  const [language, setLanguage] = useState<Language>('python')
  const code = snippet(language, status)
  return (
    <>
      <p className="muted key__may">
        Any OpenAI client works: it needs this base URL and the key, here in the environment variable{' '}
        <code>TIRAMI_KEY</code>. The host answers programs on this machine only.
      </p>
      <dl className="ids">
        <CopyField name="Base URL" what="base URL" value={status.apiBaseUrl} />
      </dl>
      <div className="snippet">
        <div className="snippet__bar">
          <Segmented label="Language" options={languages} value={language} onChange={setLanguage} />
          <CopyButton what="snippet" text={code} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, and the keyboard must be able to */}
        <pre tabIndex={0}>
          <code>{code}</code>
        </pre>
      </div>
    </>
  )
}
