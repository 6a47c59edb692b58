import { Clock, Moon, MoonStar, MousePointer2, Zap } from 'lucide-react'
import { useEffect, useId } from 'react'
import type { EarningPolicyChange, EarningView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useEarningPolicy } from '../../stores/context.tsx'
import { ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { presets, sameSchedule } from '../settings/schedule.ts'
import { useSubject } from '../use-subject.ts'
import { useWanted } from '../use-wanted.ts'

const choices = [
  { name: 'nights', icon: Moon, change: { mode: 'schedule', schedule: presets.nights } },
  { name: 'idle', icon: MousePointer2, change: { mode: 'when-idle' } },
  { name: 'always', icon: Clock, change: { mode: 'now' } },
] as const satisfies readonly { name: string; icon: typeof Moon; change: EarningPolicyChange }[]

type Choice = (typeof choices)[number]['name']

/** Chosen at once: the host has it before the next step. */
export function HoursStep() {
  const { t } = useTranslation('first-run')
  const { view, loadError, load } = useEarningPolicy((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])
  if (view === null) return <Pending what={t('hours.what')} error={loadError} onRetry={() => void load()} />
  return <Choices view={view} />
}

function Choices({ view }: { view: EarningView }) {
  const { t } = useTranslation('first-run')
  const { offline, running, error, run } = useSubject(useEarningPolicy, 'guide')
  const name = useId()
  const [shown, choose] = useWanted<Choice | ''>(chosenOf(view), running !== null, async (wanted) => {
    const choice = choices.find((one) => one.name === wanted)
    return choice ? run('earning.setPolicy', choice.change) : null
  })
  return (
    <>
      <fieldset className="guide__choices" disabled={offline}>
        <legend className="visually-hidden">{t('hours.title')}</legend>
        {choices.map(({ name: choice, icon: Icon }) => (
          <label key={choice} className="option-card">
            <input type="radio" name={name} checked={shown === choice} onChange={() => choose(choice)} />
            <Icon className="guide__icon" size={20} aria-hidden="true" />
            <span>
              <strong>{t(`hours.choice.${choice}`)}</strong>
              <span className="muted guide__note">{t(`hours.text.${choice}`)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <ul className="guide__facts">
        <li>
          <MoonStar className="guide__icon" size={20} aria-hidden="true" />
          <span>
            <strong>{t('hours.meanwhile')}</strong>
            <span className="muted guide__note">{t('hours.meanwhileText')}</span>
          </span>
        </li>
        <li>
          <Zap className="guide__icon" size={20} aria-hidden="true" />
          <span>
            <strong>{t('hours.cost')}</strong>
            <span className="muted guide__note">{t('hours.costText')}</span>
          </span>
        </li>
      </ul>
      <p className="muted guide__note">{t('hours.later')}</p>
      {error === null ? null : <ErrorState error={error} />}
    </>
  )
}

/** Which of the choices is in force; empty for hours of the owner's own. */
function chosenOf({ policy }: EarningView): Choice | '' {
  const chosen = choices.find(({ change }) => {
    if (policy.mode !== change.mode) return false
    return change.mode !== 'schedule' || sameSchedule(policy.schedule, change.schedule)
  })
  return chosen?.name ?? ''
}
