import { History } from 'lucide-react'
import { useEffect } from 'react'
import type { TelemetryRecord } from '../../../src-preload/contract/index.ts'
import { formatDateTime } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useGuardHistory, useSentinel } from '../../stores/context.tsx'
import { Badge, Button, Card, EmptyState, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { guardTones, type HistoryLine, historyLine } from './words.ts'

/** What the sentinel did and what the owner decided, newest first. */
export function HistoryPanel() {
  const { t } = useTranslation('safety')
  const { events, olderBefore, loading, loadError, load, loadOlder } = useGuardHistory((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  // Whatever changes the sentinel's view is a line here.
  const sentinel = useSentinel((state) => state.view)
  const mark = `${sentinel?.level} ${sentinel?.pausedAtMs}`

  // biome-ignore lint/correctness/useExhaustiveDependencies: read again when the sentinel has changed
  useEffect(() => {
    if (!offline) void load()
  }, [offline, load, mark])

  return (
    <Card id="guard-history" title={t('history.title')}>
      {events === null ? (
        <Pending what={t('history.what')} error={loadError} onRetry={() => void load()} />
      ) : events.length === 0 ? (
        <EmptyState icon={History} title={t('history.none')}>
          {t('history.noneText')}
        </EmptyState>
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <ol className="guard-history">
            {events.map((event) => (
              <Line key={event.seq} event={event} />
            ))}
          </ol>
          {olderBefore === null ? null : (
            <p>
              <Button busy={loading} disabled={loading || offline} onClick={() => void loadOlder()}>
                {t('history.older')}
              </Button>
            </p>
          )}
        </>
      )}
    </Card>
  )
}

function Line({ event }: { event: TelemetryRecord }) {
  const line = historyLine(event)
  if (line === null) return null
  return (
    <li className="guard-history__line">
      <time className="muted figures" dateTime={event.ts}>
        {formatDateTime(Date.parse(event.ts))}
      </time>
      <Words line={line} />
    </li>
  )
}

function Words({ line }: { line: HistoryLine }) {
  const { t } = useTranslation('safety')
  const source = 'source' in line ? t(`history.source.${sourceOf(line.source)}`) : ''
  switch (line.kind) {
    case 'sentinel':
      return (
        <p>
          <Badge tone={guardTones[line.level]}>{t(`sentinel.level.${line.level}`)}</Badge>{' '}
          {line.reason === null ? (
            t('history.allClear')
          ) : (
            <span {...(line.english ? { lang: 'en' } : {})}>{line.reason}</span>
          )}
        </p>
      )
    case 'set':
      return (
        <p>
          {t(`settings:names.${line.key}` as 'settings:names.prices.currency', { defaultValue: '' })}{' '}
          <code className="muted">{line.key}</code>
          {t('history.colon')} {line.before} → <strong>{line.after}</strong>{' '}
          <span className="muted">{source}</span>
        </p>
      )
    case 'resumed':
      return (
        <p>
          {t('history.resumed')} <span className="muted">{source}</span>
        </p>
      )
    case 'refused':
      return (
        <p>
          {line.line === null ? t('history.refused') : t('history.refusedAt', { line: line.line })}{' '}
          <span className="muted">{source}</span>
        </p>
      )
  }
}

const sourceOf = (source: string): 'window' | 'api' | 'file' =>
  source === 'window' || source === 'api' ? source : 'file'
