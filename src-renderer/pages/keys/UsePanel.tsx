import { useState } from 'react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Card, CopyButton, CopyField, Segmented } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { type Language, languages, snippet } from './snippet.ts'

export function UsePanel() {
  const { t } = useTranslation('keys')
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const load = useStatus((state) => state.load)
  return (
    <Card id="use" title={t('use.title')}>
      {status === null ? (
        <Pending what={t('use.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <Use status={status} />
      )}
    </Card>
  )
}

function Use({ status }: { status: HostStatus }) {
  const { t } = useTranslation('keys')
  const [language, setLanguage] = useState<Language>('python')
  const code = snippet(language, status)
  return (
    <>
      <p className="muted hint">
        <Trans t={t} i18nKey="use.about" components={{ name: <code /> }} />
      </p>
      <dl className="ids">
        <CopyField name={t('use.baseUrl')} value={status.apiBaseUrl} />
      </dl>
      <div className="snippet">
        <div className="snippet__bar">
          <Segmented label={t('use.language')} options={languages} value={language} onChange={setLanguage} />
          <CopyButton what={t('use.snippet')} text={code} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, and the keyboard must be able to */}
        <pre tabIndex={0}>
          <code>{code}</code>
        </pre>
      </div>
    </>
  )
}
