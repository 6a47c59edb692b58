import { CircleCheck, Footprints } from 'lucide-react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useWallet } from '../../stores/context.tsx'
import { Badge, Button, Card, ErrorState } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useSubject } from '../use-subject.ts'
import { STAKE_AMOUNT_ID } from './StakePanel.tsx'
import { nextActionOf, standingWords, stepWords } from './words.ts'

/** What the host suggests, with the button that does it. */
export function NextStepPanel({ view }: { view: WalletView }) {
  const { t } = useTranslation('wallet')
  const { nextStep, eligibility, welcomeLoan } = view
  const standing = standingWords(eligibility)
  const Icon = nextStep === null ? CircleCheck : Footprints
  return (
    <Card
      id="next-step"
      title={t('next.title')}
      aside={<Badge tone={standing.open ? 'earning' : 'warn'}>{standing.label}</Badge>}
    >
      <div className="next">
        <Icon className="next__icon" size={24} aria-hidden="true" />
        <div className="next__text">
          <p className="next__sentence" role="status">
            {nextStep === null ? t('next.nothing') : stepWords(view)}
          </p>
          <p className="muted">
            {standing.sentence} {t('next.welcome', { state: t(`next.welcomeStates.${welcomeLoan}`) })}
          </p>
        </div>
        <NextButton view={view} />
      </div>
      <ClaimError />
    </Card>
  )
}

function NextButton({ view }: { view: WalletView }) {
  const { t } = useTranslation('wallet')
  const { blocked, running, run } = useSubject(useWallet, 'welcome')
  switch (nextActionOf(view)) {
    case 'claim':
      return (
        <Button
          look="accent"
          busy={running !== null}
          disabled={blocked}
          onClick={() => void run('wallet.claimWelcome', {}).then((done) => done && focusIfLost('next-step'))}
        >
          {t('next.claim')}
        </Button>
      )
    case 'stake':
      return (
        <Button look="accent" onClick={() => document.getElementById(STAKE_AMOUNT_ID)?.focus()}>
          {t('next.stake')}
        </Button>
      )
    case 'guests':
      return (
        <a className="button button--quiet next__link" href="#/keys">
          {t('next.guests')}
        </a>
      )
    case null:
      return null
  }
}

function ClaimError() {
  const { error } = useSubject(useWallet, 'welcome')
  return error === null ? null : <ErrorState error={error} />
}
