import { Moon, Plus, Trash2 } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { EarningSchedule, EarningView, ScheduleWindow } from '../../../src-preload/contract/index.ts'
import { formatMoment } from '../../format/index.ts'
import { hostWords, useTranslation } from '../../i18n/index.ts'
import { useConnection, useEarningPolicy } from '../../stores/context.tsx'
import { Button, Card, ErrorState, Menu, Notice, Segmented, TimeField } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { useSubject } from '../use-subject.ts'
import { useWanted } from '../use-wanted.ts'
import {
  daySpans,
  inputTime,
  presets,
  sameSchedule,
  scheduleProblem,
  type Weekday,
  weekdays,
} from './schedule.ts'

const WINDOWS_MAX = 6
const NEW_WINDOW: ScheduleWindow = { from: '22:00', to: '07:00' }

/** When to earn: the mode, and the hours of the week. */
export function HoursPanel() {
  const { t } = useTranslation('settings')
  const view = useEarningPolicy((state) => state.view)
  const loadError = useEarningPolicy((state) => state.loadError)
  const load = useEarningPolicy((state) => state.load)
  const offline = useConnection((state) => state.phase === 'offline')
  return (
    <Card id="hours" title={t('hours.title')}>
      {view === null ? (
        <Pending what={t('hours.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          {loadError === null || offline ? null : (
            <ErrorState error={loadError} onRetry={() => void load()} />
          )}
          <Mode view={view} />
          <Week view={view} />
        </>
      )}
    </Card>
  )
}

function Mode({ view }: { view: EarningView }) {
  const { t } = useTranslation('settings')
  const { running, error, run } = useSubject(useEarningPolicy, 'mode')
  const { decision, schedule, policy } = view
  const [shown, choose] = useWanted(policy.mode, running !== null, (mode) =>
    run('earning.setPolicy', { mode }),
  )
  const modes = (['now', 'when-idle', 'schedule'] as const).map((value) => ({
    value,
    content: t(`hours.mode.${value}`),
  }))
  return (
    <div className="hours__mode">
      <Segmented label={t('hours.modeLabel')} options={modes} value={shown} onChange={choose} />
      <p className="hours__now" role="status">
        {hostWords(`earning.${decision.code}`, decision.sentence, decision.params)}{' '}
        <span className="muted">
          {policy.mode !== 'schedule'
            ? ''
            : schedule.nextChangeAtMs === null
              ? t('hours.neverChanges')
              : t(schedule.openNow ? 'hours.closesAt' : 'hours.opensAt', {
                  date: formatMoment(schedule.nextChangeAtMs),
                  zone: schedule.timeZone,
                })}
        </span>
      </p>
      <p className="muted hint">{t(`hours.modeText.${shown}`)}</p>
      {view.keepAwakeProblem === null ? null : (
        <Notice title={t('hours.maySleep')}>{t(`hours.maySleepText.${view.keepAwakeProblem}`)}</Notice>
      )}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

function Week({ view }: { view: EarningView }) {
  const { t } = useTranslation(['settings', 'common'])
  const { blocked, running, error, run, forgive } = useSubject(useEarningPolicy, 'schedule')
  const said = JSON.stringify(view.policy.schedule)
  const [week, setWeek] = useState<EarningSchedule>(view.policy.schedule)
  const [saved, setSaved] = useState(false)

  // What the host says goes before what was left in the form; a view that says the same changes nothing.
  useEffect(() => setWeek(JSON.parse(said) as EarningSchedule), [said])

  const changed = !sameSchedule(week, view.policy.schedule)
  const problem = weekdays.find((day) => scheduleProblem(week[day]) !== null)

  function change(next: EarningSchedule) {
    setWeek(next)
    setSaved(false)
    forgive()
  }
  async function save() {
    const answer = await run('earning.setPolicy', { schedule: week })
    setSaved(answer !== null)
  }
  return (
    <div className="week">
      <div className="week__head">
        <h3>{t('week.title')}</h3>
        <Menu
          label={t('week.presets')}
          className="button button--quiet"
          entries={Object.keys(presets).map((id) => {
            const name = id as keyof typeof presets
            return { id: name, name: t(`week.preset.${name}`) }
          })}
          onChoose={(name) => change(presets[name])}
        >
          <Moon size={15} aria-hidden="true" />
          {t('week.presets')}
        </Menu>
      </div>
      <ul className="week__days">
        {weekdays.map((day) => (
          <Day
            key={day}
            day={day}
            windows={week[day]}
            before={week[dayBefore(day)]}
            onChange={(windows) => change({ ...week, [day]: windows })}
            onToAll={() =>
              change(Object.fromEntries(weekdays.map((name) => [name, week[day]])) as EarningSchedule)
            }
          />
        ))}
      </ul>
      <div className="week__save">
        <Button
          look={changed ? 'accent' : 'quiet'}
          busy={running !== null}
          disabled={blocked || !changed || problem !== undefined}
          onClick={() => void save()}
        >
          {t('week.save')}
        </Button>
        {changed ? <Button onClick={() => change(view.policy.schedule)}>{t('week.undo')}</Button> : null}
        <span role="status" className="week__saved">
          {saved && !changed ? t('week.saved') : ''}
        </span>
      </div>
      {view.policy.mode === 'schedule' ? null : <p className="muted hint">{t('week.notInForce')}</p>}
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

const dayBefore = (day: Weekday): Weekday => weekdays[(weekdays.indexOf(day) + 6) % 7] ?? 'sunday'

interface DayProps {
  day: Weekday
  windows: readonly ScheduleWindow[]
  /** Those of the day before may reach into this one. */
  before: readonly ScheduleWindow[]
  onChange: (windows: ScheduleWindow[]) => void
  onToAll: () => void
}

function Day({ day, windows, before, onChange, onToAll }: DayProps) {
  const { t } = useTranslation('settings')
  const name = t(`week.day.${day}`)
  const problem = scheduleProblem(windows)
  const put = (index: number, change: Partial<ScheduleWindow>) =>
    onChange(windows.map((window, at) => (at === index ? { ...window, ...change } : window)))
  return (
    <li className="day" aria-label={name}>
      <p className="day__name">{name}</p>
      <DayBar windows={windows} before={before} />
      <div className="day__windows">
        {windows.length === 0 ? <span className="muted">{t('week.closed')}</span> : null}
        {windows.map((window, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a window has no name but its place
          <span key={index} className="day__window">
            <TimeField
              label={t('week.from', { day: name, number: index + 1 })}
              labelHidden
              value={inputTime(window.from)}
              onChange={(from) => put(index, { from })}
            />
            –
            <TimeField
              label={t('week.to', { day: name, number: index + 1 })}
              labelHidden
              value={inputTime(window.to)}
              onChange={(to) => put(index, { to })}
            />
            {window.to <= window.from ? <span className="muted day__next">{t('week.nextDay')}</span> : null}
            <Button
              icon
              look="bare"
              aria-label={t('week.remove', { day: name, number: index + 1 })}
              onClick={() => onChange(windows.filter((_, at) => at !== index))}
            >
              <Trash2 size={15} aria-hidden="true" />
            </Button>
          </span>
        ))}
        {problem === null ? null : (
          <span className="setting__invalid" role="alert">
            {t(`week.problem.${problem}`)}
          </span>
        )}
      </div>
      <div className="day__actions">
        {windows.length >= WINDOWS_MAX ? null : (
          <Button
            icon
            aria-label={t('week.add', { day: name })}
            onClick={() => onChange([...windows, NEW_WINDOW])}
          >
            <Plus size={15} aria-hidden="true" />
          </Button>
        )}
        <Button aria-label={t('week.toAllOf', { day: name })} onClick={onToAll}>
          {t('week.toAll')}
        </Button>
      </div>
    </li>
  )
}

/** The day from 0 to 24 h; the words beside it say the same. */
function DayBar({ windows, before }: Pick<DayProps, 'windows' | 'before'>) {
  return (
    <svg className="day__bar" viewBox="0 0 1440 10" preserveAspectRatio="none" aria-hidden="true">
      <rect className="day__night" width="1440" height="10" />
      {daySpans(windows, before).map(({ start, end }) => (
        <rect key={`${start} ${end}`} className="day__open" x={start} width={end - start} height="10" />
      ))}
    </svg>
  )
}
