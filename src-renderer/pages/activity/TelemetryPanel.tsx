import { Download, ListFilter, ShieldCheck, ShieldX } from 'lucide-react'
import { useCallback, useEffect, useState } from 'react'
import {
  type TelemetryCheck,
  TelemetryKind,
  type TelemetryRecord,
} from '../../../src-preload/contract/index.ts'
import { formatDateTime, groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useTelemetry } from '../../stores/context.tsx'
import { type TelemetryRange, telemetryRanges } from '../../stores/telemetry.ts'
import {
  Badge,
  Button,
  Card,
  CopyField,
  Dialog,
  EmptyState,
  ErrorState,
  Select,
  Switch,
} from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { saveText } from '../save-text.ts'
import { VirtualTable } from './VirtualTable.tsx'
import { kindTone, summaryOf } from './words.ts'

const TAIL_EVERY_MS = 2_000
/** A word is asked for once it is written. */
const TYPING_MS = 300

/** Everything that the host wrote down of itself, in a chain that shows every change. */
export function TelemetryPanel() {
  const { t } = useTranslation('activity')
  const { events, loadError, load, live, tail, wish } = useTelemetry((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const [opened, setOpened] = useState<TelemetryRecord | null>(null)

  useEffect(() => {
    if (!offline) void load()
  }, [offline, load])
  useEffect(() => {
    if (!live || offline) return
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void tail()
    }, TAIL_EVERY_MS)
    return () => clearInterval(timer)
  }, [live, offline, tail])

  const isFiltered = wish.kind !== null || wish.range !== null || wish.text.trim() !== ''
  return (
    <Card id="telemetry" title={t('telemetry.title')} aside={<Chain />}>
      <p className="muted hint">{t('telemetry.lead')}</p>
      {events === null ? (
        <Pending what={t('telemetry.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <Filters />
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          {events.length === 0 ? (
            <EmptyState icon={ListFilter} title={isFiltered ? t('telemetry.noFit') : t('telemetry.none')}>
              {isFiltered ? t('telemetry.noFitText') : t('telemetry.noneText')}
            </EmptyState>
          ) : (
            <EventTable events={events} onOpen={setOpened} />
          )}
        </>
      )}
      {opened === null ? null : <EventDialog event={opened} onClose={() => setOpened(null)} />}
    </Card>
  )
}

function Filters() {
  const { t } = useTranslation('activity')
  const { wish, wishFor, live, setLive, exported, exportError, exportCsv } = useTelemetry((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const [text, setText] = useState(wish.text)
  useEffect(() => {
    if (text === wish.text) return
    const timer = setTimeout(() => void wishFor({ text }), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text, wish.text, wishFor])
  const ranges = Object.keys(telemetryRanges) as TelemetryRange[]
  const save = async () => {
    const csv = await exportCsv()
    if (csv !== null) saveText(csv, 'telemetry.csv', 'text/csv')
  }
  return (
    <>
      <div className="telemetry__filters">
        <Select
          label={t('telemetry.kind')}
          options={[
            { value: 'all', label: t('telemetry.allKinds') },
            ...TelemetryKind.options.map((kind) => ({ value: kind, label: t(`kinds.${kind}`) })),
          ]}
          value={wish.kind ?? 'all'}
          onChange={(value) =>
            void wishFor({ kind: TelemetryKind.options.find((kind) => kind === value) ?? null })
          }
        />
        <Select
          label={t('telemetry.time')}
          options={[
            { value: 'all', label: t('telemetry.anyTime') },
            ...ranges.map((range) => ({ value: range, label: t(`ranges.${range}`) })),
          ]}
          value={wish.range ?? 'all'}
          onChange={(value) => void wishFor({ range: ranges.find((range) => range === value) ?? null })}
        />
        <label className="telemetry__text">
          <span>{t('telemetry.text')}</span>
          <input
            type="search"
            maxLength={200}
            value={text}
            placeholder={t('telemetry.textExample')}
            onChange={(change) => setText(change.target.value)}
          />
        </label>
        <Switch label={t('telemetry.live')} on={live} onChange={setLive} />
        <Button busy={exported !== null} disabled={offline || exported !== null} onClick={() => void save()}>
          {exported === null ? <Download size={16} aria-hidden="true" /> : null}
          {exported === null || exported === 0
            ? t('telemetry.export')
            : t('telemetry.exporting', { count: exported })}
        </Button>
      </div>
      {exportError === null ? null : <ErrorState error={exportError} onRetry={() => void save()} />}
    </>
  )
}

function EventTable({
  events,
  onOpen,
}: {
  events: readonly TelemetryRecord[]
  onOpen: (event: TelemetryRecord) => void
}) {
  const { t } = useTranslation('activity')
  const loadOlder = useTelemetry((state) => state.loadOlder)
  const nearEnd = useCallback(() => void loadOlder(), [loadOlder])
  return (
    <VirtualTable
      look="telemetry"
      label={t('telemetry.title')}
      columns={[
        { key: 'seq', name: t('telemetry.number'), number: true, wide: true },
        { key: 'when', name: t('telemetry.when') },
        { key: 'kind', name: t('telemetry.kind') },
        { key: 'what', name: t('telemetry.whatHappened') },
      ]}
      rows={events}
      keyOf={({ seq }) => seq}
      total={null}
      onNearEnd={nearEnd}
      cells={(event) => {
        const when = formatDateTime(Date.parse(event.ts))
        return [
          groupDigits(event.seq),
          <button
            key="when"
            type="button"
            className="log__open"
            aria-label={t('telemetry.open', { number: groupDigits(event.seq), when })}
            onClick={() => onOpen(event)}
          >
            <time dateTime={event.ts}>{when}</time>
          </button>,
          <Badge key="kind" tone={kindTone(event)}>
            {kindName(t, event.event_type)}
          </Badge>,
          summaryOf(event) || <span className="muted">{t('telemetry.nothingKnown')}</span>,
        ]
      }}
    />
  )
}

type Translate = ReturnType<typeof useTranslation<'activity'>>['t']

/** An event of a later version keeps its own name. */
function kindName(t: Translate, name: string): string {
  const kind = TelemetryKind.options.find((known) => known === name)
  return kind === undefined ? name : t(`kinds.${kind}`)
}

function EventDialog({ event, onClose }: { event: TelemetryRecord; onClose: () => void }) {
  const { t } = useTranslation('activity')
  return (
    <Dialog
      title={t('telemetry.event', { number: groupDigits(event.seq), kind: kindName(t, event.event_type) })}
      open
      wide
      onClose={onClose}
    >
      <p className="muted">{formatDateTime(Date.parse(event.ts))}</p>
      <pre className="telemetry__payload">{JSON.stringify(event.payload, null, 2)}</pre>
      <dl className="ids">
        <CopyField name={t('telemetry.hash')} what={t('telemetry.hash')} value={event.hash} />
        <CopyField name={t('telemetry.before')} what={t('telemetry.before')} value={event.prevHash} />
      </dl>
    </Dialog>
  )
}

/** Whether the chain is whole, on demand: the whole log is read. */
function Chain() {
  const { t } = useTranslation('activity')
  const { check, checking, checkError, verify, events } = useTelemetry((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  if (events === null) return null
  return (
    <div className="chain">
      <span role="status">
        {checkError === null ? null : <span className="chain__bad">{checkError.message}</span>}
        {check === null || checkError !== null ? null : <Verdict check={check} />}
      </span>
      <Button busy={checking} disabled={checking || offline} onClick={() => void verify()}>
        {checking ? null : <ShieldCheck size={16} aria-hidden="true" />}
        {t('chain.check')}
      </Button>
    </div>
  )
}

function Verdict({ check }: { check: TelemetryCheck }) {
  const { t } = useTranslation('activity')
  const [fault] = check.faults
  if (check.ok && check.writable && check.lost === 0) {
    return (
      <span className="chain__good" title={check.head.hash}>
        <ShieldCheck size={15} aria-hidden="true" />
        {t('chain.whole', { count: check.events })}
        {check.from === null || check.from.seq === 1
          ? null
          : ` ${t('chain.from', { date: formatDateTime(check.from.atMs) })}`}
      </span>
    )
  }
  return (
    <span className="chain__bad">
      <ShieldX size={15} aria-hidden="true" />
      {fault === undefined
        ? t('chain.lost', { count: check.lost })
        : t('chain.broken', { count: check.faultCount, file: fault.file, line: fault.line })}
    </span>
  )
}
