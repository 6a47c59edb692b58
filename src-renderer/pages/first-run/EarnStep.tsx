import { CircleCheck, Eye, Gift, KeyRound, MessageSquareText, ShieldAlert } from 'lucide-react'
import { useEffect } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { groupDigits } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useStatus, useWallet } from '../../stores/context.tsx'
import { Button, ErrorState } from '../../widgets/index.ts'
import { Pending } from '../Pending.tsx'
import { useSubject } from '../use-subject.ts'

export function EarnStep() {
  const { t } = useTranslation('first-run')
  const { view, loadError, load } = useWallet((state) => state)
  const model = useStatus((state) => state.status?.model?.name ?? null)
  const offline = useConnection((state) => state.phase === 'offline')
  useEffect(() => {
    if (!offline) void load()
  }, [load, offline])
  if (view === null) return <Pending what={t('earn.what')} error={loadError} onRetry={() => void load()} />
  return (
    <ul className="guide__facts">
      <Welcome view={view} />
      <li>
        <MessageSquareText className="guide__icon" size={20} aria-hidden="true" />
        <span>
          <strong>{t('earn.try')}</strong>
          <span className="muted guide__note">
            {model === null ? t('earn.tryText') : t('earn.tryWith', { model })}
          </span>
        </span>
      </li>
      <li>
        <KeyRound className="guide__icon" size={20} aria-hidden="true" />
        <span>
          <strong>{t('earn.guest')}</strong>
          <span className="muted guide__note">{t('earn.guestText')}</span>
        </span>
      </li>
      <li>
        <Eye className="guide__icon" size={20} aria-hidden="true" />
        <span>
          <strong>{t('earn.privacy')}</strong>
          <span className="muted guide__note">{t('earn.privacyText')}</span>
        </span>
      </li>
      <li>
        <ShieldAlert className="guide__icon" size={20} aria-hidden="true" />
        <span>
          <strong>{t('earn.backup')}</strong>
          <span className="muted guide__note">{t('earn.backupText')}</span>
        </span>
      </li>
    </ul>
  )
}

/** Without a stake strangers may pay a host only a little; the welcome loan lifts that for a while. */
function Welcome({ view }: { view: WalletView }) {
  const { t } = useTranslation('first-run')
  const { blocked, running, error, run } = useSubject(useWallet, 'welcome')
  const open = view.eligibility === 'staked' || view.eligibility === 'welcome-loan'
  const Icon = open ? CircleCheck : Gift
  return (
    <li>
      <Icon className="guide__icon" size={20} aria-hidden="true" />
      <span>
        <strong>{t(open ? 'earn.open' : 'earn.closed')}</strong>
        <span className="muted guide__note">
          {open
            ? t(view.eligibility === 'staked' ? 'earn.staked' : 'earn.loanRuns')
            : t('earn.loanText', { stake: groupDigits(view.stake.minimumTrm) })}
        </span>
        {error === null ? null : <ErrorState error={error} />}
      </span>
      {!open && view.welcomeLoan === 'available' ? (
        <Button
          look="accent"
          busy={running !== null}
          disabled={blocked}
          onClick={() => void run('wallet.claimWelcome', {})}
        >
          {t('earn.claim')}
        </Button>
      ) : null}
    </li>
  )
}
