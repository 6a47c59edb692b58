import { useState } from 'react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
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
  const { t } = useTranslation('home')
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const load = useStatus((state) => state.load)
  return (
    <Card id="connect" title={t('connect.title')}>
      {status === null ? (
        <Pending what={t('connect.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <Connect status={status} />
      )}
    </Card>
  )
}

function Connect({ status }: { status: HostStatus }) {
  const { t } = useTranslation('home')
  const [language, setLanguage] = useState<Language>('python')
  const code = snippet(language, status)
  return (
    <>
      <dl className="ids">
        <CopyField name={t('connect.baseUrl')} value={status.apiBaseUrl} />
        <CopyField name={t('connect.keyFile')} what={t('connect.keyFilePath')} value={status.apiKeyFile} />
      </dl>
      <div className="snippet">
        <div className="snippet__bar">
          <Segmented
            label={t('connect.language')}
            options={languages}
            value={language}
            onChange={setLanguage}
          />
          <CopyButton what={t('connect.snippet')} text={code} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, and the keyboard must be able to */}
        <pre tabIndex={0}>
          <code>{code}</code>
        </pre>
      </div>
    </>
  )
}
