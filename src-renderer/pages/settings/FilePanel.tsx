import { RefreshCw } from 'lucide-react'
import { useEffect } from 'react'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useOwner, useOwnerFile } from '../../stores/context.tsx'
import { Button, Card, CopyField } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { Fields, OwnerPending } from './FieldsPanel.tsx'
import { unknownFields } from './fields.ts'

/** `owner.yaml` as it stands on the disk, with what is wrong with it. It is edited by its fields, or in an editor. */
export function FilePanel() {
  const { t } = useTranslation('settings')
  const { file, loadError, load } = useOwnerFile((state) => state)
  const view = useOwner((state) => state.view)
  const offline = useConnection((state) => state.phase === 'offline')

  // Whenever the values were read again the text may have changed.
  // biome-ignore lint/correctness/useExhaustiveDependencies: read again with the values
  useEffect(() => {
    if (!offline) void load()
  }, [load, offline, view])

  const rest = view === null ? [] : unknownFields(view.fields)
  return (
    <>
      <Card
        id="owner-file"
        title={t('file.title')}
        aside={
          <Button disabled={offline} onClick={() => void load()}>
            <RefreshCw size={15} aria-hidden="true" />
            {t('file.again')}
          </Button>
        }
      >
        <p className="muted hint">{t('file.text')}</p>
        <OwnerPending>
          {file === null ? (
            <Pending what={t('file.what')} error={loadError} onRetry={() => void load()} />
          ) : (
            <>
              <dl className="copy-list">
                <CopyField name={t('file.place')} what={t('storage.path')} value={file.path} />
              </dl>
              <Lines text={file.text} wrong={view?.problem?.line ?? null} />
            </>
          )}
        </OwnerPending>
      </Card>
      {rest.length === 0 ? null : (
        <Card id="settings-rest" title={t('file.rest')}>
          <Fields fields={rest} />
        </Card>
      )}
    </>
  )
}

function Lines({ text, wrong }: { text: string; wrong: number | null }) {
  const { t } = useTranslation('settings')
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must be able to
    <section className="yaml" tabIndex={0} aria-label={t('file.content')}>
      <ol>
        {text
          .replace(/\n$/, '')
          .split('\n')
          .map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
            <li key={index} data-wrong={index + 1 === wrong} data-comment={/^\s*#/.test(line)}>
              <code>{line === '' ? ' ' : line}</code>
            </li>
          ))}
      </ol>
    </section>
  )
}
