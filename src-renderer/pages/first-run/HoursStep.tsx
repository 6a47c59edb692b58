import { Clock, Moon, MousePointer2 } from 'lucide-react'
import { useEffect, useId } from 'react'
import type { EarningPolicyChange, EarningView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useEarningPolicy } from '../../stores/context.tsx'
import { ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { presets, sameSchedule } from '../settings/schedule.ts'
import { useSubject } from '../use-subject.ts'

const choices = [
  { name: 'nights', icon: Moon, change: { mode: 'schedule', schedule: presets.nights } },
  { name: 'idle', icon: MousePointer2, change: { mode: 'when-idle' } },
  { name: 'always', icon: Clock, change: { mode: 'now' } },
] as const satisfies readonly { name: string; icon: typeof Moon; change: EarningPolicyChange }[]

/** Chosen at once: the host has it before the next step. */
export function HoursStep() {
  const { t } = useTranslation('first-run')
  const { view, loadError, load } = useEarningPolicy((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const { blocked, error, run } = useSubject(useEarningPolicy, 'guide')
  const name = useId()
  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])
  if (view === null) return <Pending what={t('hours.what')} error={loadError} onRetry={() => void load()} />
  return (
    <>
      <fieldset className="guide__choices" disabled={blocked}>
        <legend className="visually-hidden">{t('hours.title')}</legend>
        {choices.map(({ name: choice, icon: Icon, change }) => (
          <label key={choice} className="guide__choice">
            <input
              type="radio"
              name={name}
              checked={isChosen(view, change)}
              onChange={() => void run('earning.setPolicy', change)}
            />
            <Icon className="guide__icon" size={20} aria-hidden="true" />
            <span>
              <strong>{t(`hours.choice.${choice}`)}</strong>
              <span className="muted guide__note">{t(`hours.text.${choice}`)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <p className="muted guide__note">{t('hours.later')}</p>
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

function isChosen({ policy }: EarningView, change: (typeof choices)[number]['change']): boolean {
  if (policy.mode !== change.mode) return false
  return change.mode !== 'schedule' || sameSchedule(policy.schedule, change.schedule)
}
