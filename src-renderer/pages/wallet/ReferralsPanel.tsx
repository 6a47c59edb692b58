import { UserPlus } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatTrm, shortHex } from '../../format/index.ts'
import { useStatus, useWallet } from '../../stores/context.tsx'
import { Badge, Button, Card, CopyField, ErrorState } from '../../widgets/index.ts'
import { useSubject } from '../use-subject.ts'

const NODE_ID = /^[0-9a-f]{64}$/

export function ReferralsPanel({ referrals }: Pick<WalletView, 'referrals'>) {
  const nodeId = useStatus((state) => state.status?.nodeId)
  return (
    <Card id="referrals" title="Referrals">
      <p className="muted wallet__hint">
        Vouch for a newcomer by its node id. When it has earned enough and repaid its welcome loan, this node
        is paid a bonus.
      </p>
      {nodeId === undefined ? null : (
        <dl className="ids">
          <CopyField name="Your own node id, for whoever refers you" what="node id" value={nodeId} />
        </dl>
      )}
      <ReferForm />
      {referrals.length === 0 ? (
        <p className="muted">You have referred nobody yet.</p>
      ) : (
        <ul className="wallet__rows" aria-label="Nodes that you referred">
          {referrals.map((referral) => (
            <ReferralRow key={referral.referred} referral={referral} />
          ))}
        </ul>
      )}
    </Card>
  )
}

function ReferralRow({ referral }: { referral: WalletView['referrals'][number] }) {
  const { referred, earnedEnough, repaid, bonusTrm } = referral
  return (
    <li className="wallet__row">
      <code title={referred}>{shortHex(referred)}</code>
      <p className="referral__facts">
        <Badge tone={earnedEnough ? 'earning' : 'plain'}>
          {earnedEnough ? 'Has earned enough' : 'Has not earned enough yet'}
        </Badge>
        <Badge tone={repaid ? 'earning' : 'plain'}>{repaid ? 'Loan repaid' : 'Loan not repaid yet'}</Badge>
        <span className="figures">{bonusTrm === null ? 'No bonus yet' : `${formatTrm(bonusTrm)} bonus`}</span>
      </p>
    </li>
  )
}

function ReferForm() {
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
      setDone(`You vouch for ${shortHex(nodeId)} now.`)
    }
  }

  return (
    <form className="refer" onSubmit={(event) => void submit(event)} noValidate>
      <label htmlFor={fieldId}>Node id of the newcomer</label>
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
          Refer
        </Button>
      </div>
      <p id={`${fieldId}-problem`} className="amount__problem" role="status">
        {text === '' || valid ? null : 'A node id is 64 digits from 0 to 9 and a to f.'}
      </p>
      {error === null ? null : <ErrorState error={error} />}
      <p role="status" className="wallet__done">
        {done}
      </p>
    </form>
  )
}
