import { UserPlus } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatTrm, shortHex } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useStatus, useWallet } from '../../stores/context.tsx'
import { Badge, Button, Card, CopyField, ErrorState } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

const NODE_ID = /^[0-9a-f]{64}$/

export function ReferralsPanel({ referrals }: Pick<WalletView, 'referrals'>) {
  const { t } = useTranslation('wallet')
  const nodeId = useStatus((state) => state.status?.nodeId)
  return (
    <Card id="referrals" title={t('referrals.title')}>
      <p className="muted hint">{t('referrals.about')}</p>
      {nodeId === undefined ? null : (
        <dl className="ids">
          <CopyField name={t('referrals.ownId')} what={t('referrals.nodeId')} value={nodeId} />
        </dl>
      )}
      <ReferForm />
      {referrals.length === 0 ? (
        <p className="muted">{t('referrals.none')}</p>
      ) : (
        <ul className="wallet__rows" aria-label={t('referrals.list')}>
          {referrals.map((referral) => (
            <ReferralRow key={referral.referred} referral={referral} />
          ))}
        </ul>
      )}
    </Card>
  )
}

function ReferralRow({ referral }: { referral: WalletView['referrals'][number] }) {
  const { t } = useTranslation('wallet')
  const { referred, earnedEnough, repaid, bonusTrm } = referral
  return (
    <li className="wallet__row">
      <code title={referred}>{shortHex(referred)}</code>
      <p className="referral__facts">
        <Badge tone={earnedEnough ? 'earning' : 'plain'}>
          {earnedEnough ? t('referrals.earned') : t('referrals.notEarned')}
        </Badge>
        <Badge tone={repaid ? 'earning' : 'plain'}>
          {repaid ? t('referrals.repaid') : t('referrals.notRepaid')}
        </Badge>
        <span className="figures">
          {bonusTrm === null ? t('referrals.noBonus') : t('referrals.bonus', { amount: formatTrm(bonusTrm) })}
        </span>
      </p>
    </li>
  )
}

function ReferForm() {
  const { t } = useTranslation('wallet')
  const [text, setText] = useState('')
  const [done, setDone] = useState<string | null>(null)
  const { blocked, running, error, run, forgive } = useSubject(useWallet, 'refer')
  const fieldId = useId()
  const nodeId = text.trim().toLowerCase()
  const valid = NODE_ID.test(nodeId)

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (!valid || blocked) return
    setDone(null)
    if (await run('wallet.refer', { nodeId })) {
      setText('')
      setDone(t('referrals.done', { node: shortHex(nodeId) }))
    }
  }

  return (
    <form className="refer" onSubmit={(event) => void submit(event)} noValidate>
      <label htmlFor={fieldId}>{t('referrals.label')}</label>
      <div className="refer__line">
        <input
          id={fieldId}
          className="field"
          type="text"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          maxLength={80}
          value={text}
          aria-invalid={(text !== '' && !valid) || error !== null}
          aria-describedby={`${fieldId}-problem`}
          onChange={(event) => {
            setText(event.target.value)
            setDone(null)
            forgive()
          }}
        />
        <Button type="submit" busy={running !== null} disabled={blocked || !valid}>
          {running === null ? <UserPlus size={15} aria-hidden="true" /> : null}
          {t('referrals.refer')}
        </Button>
      </div>
      <p id={`${fieldId}-problem`} className="amount__problem" role="status">
        {text === '' || valid ? null : t('referrals.problem')}
      </p>
      {error === null ? null : <ErrorState error={error} />}
      <p role="status" className="wallet__done">
        {done}
      </p>
    </form>
  )
}
