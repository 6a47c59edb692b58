import { Lock, LockOpen } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatMoment, formatTrm, parseTypedAmount } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useWallet } from '../../stores/context.tsx'
import {
  AmountField,
  Badge,
  Button,
  Card,
  ErrorState,
  QuestionBar,
  Stat,
  useNow,
  useQuestion,
} from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useSubject } from '../use-subject.ts'
import { formatMultiplier } from './words.ts'

type StakeView = WalletView['stake']
type Term = StakeView['terms'][number]

export const STAKE_AMOUNT_ID = 'stake-amount'
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

interface StakePanelProps {
  stake: StakeView
  availableTrm: string
}

export function StakePanel({ stake, availableTrm }: StakePanelProps) {
  const { t } = useTranslation('wallet')
  const { unlocksAtMs, locked } = stake
  return (
    <Card id="stake" title={t('stake.title')} aside={<StakeBadge stake={stake} />}>
      <p className="muted hint">{t('stake.about', { least: formatTrm(stake.minimumTrm) })}</p>
      {unlocksAtMs === null ? null : <CurrentStake stake={stake} unlocksAtMs={unlocksAtMs} />}
      {unlocksAtMs !== null && !locked ? null : <StakeForm stake={stake} availableTrm={availableTrm} />}
    </Card>
  )
}

function StakeBadge({ stake: { unlocksAtMs, locked } }: { stake: StakeView }) {
  const { t } = useTranslation('wallet')
  if (unlocksAtMs === null) return <Badge>{t('stake.none')}</Badge>
  return locked ? (
    <Badge tone="earning">{t('stake.locked')}</Badge>
  ) : (
    <Badge tone="warn">{t('stake.over')}</Badge>
  )
}

function CurrentStake({ stake, unlocksAtMs }: { stake: StakeView; unlocksAtMs: number }) {
  const { t } = useTranslation('wallet')
  const { stakedTrm, multiplier, locked } = stake
  const { blocked, running, error, run } = useSubject(useWallet, 'unstake')
  const reasonId = useId()
  return (
    <div className="stake__current">
      <dl className="stats">
        <Stat label={t('stake.staked')}>{formatTrm(stakedTrm)}</Stat>
        <Stat label={t('stake.onYield')}>{formatMultiplier(multiplier)}</Stat>
        <Stat label={locked ? t('stake.unlocks') : t('stake.unlocked')}>
          <time dateTime={new Date(unlocksAtMs).toISOString()}>{formatMoment(unlocksAtMs)}</time>
        </Stat>
      </dl>
      <div className="stake__unstake">
        <p id={reasonId} className="muted hint">
          {locked ? t('stake.backFrom', { when: formatMoment(unlocksAtMs) }) : t('stake.takeBack')}
        </p>
        <Button
          look={locked ? 'quiet' : 'accent'}
          busy={running !== null}
          disabled={blocked || locked}
          aria-describedby={reasonId}
          onClick={() => void run('wallet.unstake', {})}
        >
          {locked ? <Lock size={15} aria-hidden="true" /> : <LockOpen size={15} aria-hidden="true" />}
          {t('stake.unstake')}
        </Button>
      </div>
      {error === null ? null : <ErrorState error={error} />}
    </div>
  )
}

/** The first stake, or more of it: the whole is then locked anew. */
function StakeForm({ stake, availableTrm }: StakePanelProps) {
  const { t } = useTranslation('wallet')
  const [text, setText] = useState('')
  const { blocked, running, error, run, forgive } = useSubject(useWallet, 'stake')
  const confirming = useQuestion()
  const now = useNow(MINUTE_MS)
  const [days, setDays] = useState(() => firstTerm(stake, now))
  const adding = stake.unlocksAtMs !== null
  const term = stake.terms.find((offer) => offer.days === days)
  const typed = parseTypedAmount(text, leastTrm(stake, term))
  const unlocks = formatMoment(now + days * DAY_MS)
  const tooShort = now + days * DAY_MS < (stake.unlocksAtMs ?? 0)
  const ready = typed.amountTrm !== null && !tooShort && !blocked

  function submit(event: FormEvent) {
    event.preventDefault()
    if (ready) confirming.ask()
  }

  async function commit() {
    if (typed.amountTrm === null) return
    if (await run('wallet.stake', { amountTrm: typed.amountTrm, days })) setText('')
    focusIfLost('stake')
  }

  return (
    <form className="wallet__form" onSubmit={submit} noValidate>
      <h3>{adding ? t('stake.extend') : t('stake.begin')}</h3>
      <Terms
        terms={stake.terms}
        days={days}
        disabled={confirming.open}
        onChange={(chosen) => {
          setDays(chosen)
          forgive()
        }}
      />
      <AmountField
        id={STAKE_AMOUNT_ID}
        label={adding ? t('stake.add') : t('stake.amount')}
        hint={t('available', { amount: formatTrm(availableTrm) })}
        value={text}
        problem={text === '' ? null : typed.problem}
        disabled={confirming.open}
        onChange={(amount) => {
          setText(amount)
          forgive()
        }}
      />
      <p className="wallet__outcome" role="status">
        {tooShort ? t('stake.tooShort') : null}
        {typed.amountTrm === null || tooShort ? null : (
          <Trans
            t={t}
            i18nKey={adding ? 'stake.wholeLocked' : 'stake.amountLocked'}
            values={{
              amount: formatTrm(typed.amountTrm),
              when: unlocks,
              multiplier: formatMultiplier(term?.multiplier ?? 1),
            }}
            components={{ b: <strong /> }}
          />
        )}
      </p>
      <Button
        ref={confirming.trigger}
        type="submit"
        look="accent"
        busy={running !== null}
        disabled={!ready}
        aria-expanded={confirming.open}
      >
        {running === null ? <Lock size={15} aria-hidden="true" /> : null}
        {adding ? t('stake.addButton') : t('stake.button')}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open && typed.amountTrm !== null ? (
        <QuestionBar
          question={confirming}
          yes={t('stake.lock', { amount: formatTrm(typed.amountTrm) })}
          no={t('notNow')}
          onYes={() => void commit()}
        >
          <Trans
            t={t}
            i18nKey={adding ? 'stake.questionAdding' : 'stake.question'}
            values={{ amount: formatTrm(typed.amountTrm), when: unlocks }}
            components={{ b: <strong /> }}
          />
        </QuestionBar>
      ) : null}
    </form>
  )
}

/** The shortest one that does not end before the stake that there is. */
function firstTerm({ terms, unlocksAtMs }: StakeView, nowMs: number): Term['days'] {
  return terms.find(({ days }) => nowMs + days * DAY_MS >= (unlocksAtMs ?? 0))?.days ?? 365
}

function leastTrm(stake: StakeView, term: Term | undefined): bigint {
  const least = BigInt(term?.minimumTrm ?? '1') - BigInt(stake.stakedTrm)
  return least > 1n ? least : 1n
}

interface TermsProps {
  terms: Term[]
  days: Term['days']
  disabled: boolean
  onChange: (days: Term['days']) => void
}

function Terms({ terms, days, disabled, onChange }: TermsProps) {
  const { t } = useTranslation('wallet')
  const name = useId()
  return (
    <fieldset className="terms" disabled={disabled}>
      <legend>{t('stake.term')}</legend>
      {terms.map((term) => (
        <label key={term.days} className="option-card">
          <input type="radio" name={name} checked={term.days === days} onChange={() => onChange(term.days)} />
          <span>
            <strong>{t('stake.days', { count: term.days })}</strong>
            <span className="terms__fact">
              {t('stake.termYield', { multiplier: formatMultiplier(term.multiplier) })}
            </span>
            <span className="terms__fact figures">
              {t('stake.termLeast', { amount: formatTrm(term.minimumTrm) })}
            </span>
          </span>
        </label>
      ))}
    </fieldset>
  )
}
