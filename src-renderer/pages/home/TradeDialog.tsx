import { CircleCheck, CircleX, ShieldCheck } from 'lucide-react'
import type { Trade, TradeProof } from '../../../src-preload/contract/index.ts'
import {
  formatDateTime,
  formatDuration,
  formatFlop,
  formatTrm,
  groupDigits,
  shortHex,
} from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useTrades } from '../../stores/context.tsx'
import { Badge, Button, CopyField, Dialog, ErrorState, Stat } from '../../widgets/index.ts'
import { consumerName } from '../consumer-name.ts'

export function TradeDialog({ trade, onClose }: { trade: Trade; onClose: () => void }) {
  const { t } = useTranslation('home')
  return (
    <Dialog title={t('trade.title', { id: shortHex(trade.tradeId) })} open wide onClose={onClose}>
      <p className="muted">
        {formatDateTime(trade.timestampMs)} · {consumerName(trade)}{' '}
        {trade.ownKey ? <Badge>{t('trades.ownKey')}</Badge> : null}
      </p>
      <dl className="trade__stats">
        <Stat label={t('trade.amount')}>{formatTrm(trade.amountTrm)}</Stat>
        {trade.passedOnTrm === undefined ? null : (
          <Stat label={t('trade.passedOn')}>{formatTrm(trade.passedOnTrm)}</Stat>
        )}
        <Stat label={t('trade.work')}>{formatFlop(trade.flop)}</Stat>
        <Stat label={t('trades.tokens')}>
          {groupDigits(trade.promptTokens)} / {groupDigits(trade.completionTokens)}
        </Stat>
        <Stat label={t('trades.took')}>{formatDuration(trade.latencyMs)}</Stat>
      </dl>
      <Signatures tradeId={trade.tradeId} />
      <dl className="ids">
        <CopyField name={t('trade.id')} value={trade.tradeId} />
        <CopyField name={t('trade.provider')} value={trade.provider} />
        <CopyField name={t('trade.consumer')} value={trade.consumer} />
        <CopyField name={t('trades.model')} value={trade.modelId} />
        <CopyField name={t('trade.flop')} value={trade.flop} />
        <CopyField name={t('trade.position')} value={trade.index.toString()} />
      </dl>
    </Dialog>
  )
}

/** Both signatures of a trade, checked when somebody asks. */
export function Signatures({ tradeId }: { tradeId: string }) {
  const { t } = useTranslation('home')
  const state = useTrades(({ proofs }) => proofs[tradeId])
  const prove = useTrades((trades) => trades.prove)
  const checking = state?.phase === 'checking'
  return (
    <div className="proof">
      <div className="proof__ask">
        <p>{t('trade.ask')}</p>
        <Button look="accent" busy={checking} disabled={checking} onClick={() => void prove(tradeId)}>
          {checking ? null : <ShieldCheck size={16} aria-hidden="true" />}
          {t('trade.check')}
        </Button>
      </div>
      <div role="status">{state?.phase === 'checked' ? <Verdict proof={state.proof} /> : null}</div>
      {state?.phase === 'failed' ? <ErrorState error={state.error} /> : null}
    </div>
  )
}

function Verdict({ proof }: { proof: TradeProof }) {
  const { t } = useTranslation('home')
  return (
    <>
      <ul className="proof__verdicts">
        <Party valid={proof.providerValid} signature={t('trade.providerSignature')} />
        <Party valid={proof.consumerValid} signature={t('trade.consumerSignature')} />
      </ul>
      <dl className="ids">
        <CopyField name={t('trade.bytes')} value={proof.signedBytesHex} />
        <CopyField name={t('trade.providerSignature')} value={proof.providerSignatureHex} />
        <CopyField name={t('trade.consumerSignature')} value={proof.consumerSignatureHex} />
      </dl>
    </>
  )
}

function Party({ valid, signature }: { valid: boolean; signature: string }) {
  const { t } = useTranslation('home')
  const Icon = valid ? CircleCheck : CircleX
  return (
    <li className={valid ? 'signed' : 'signed signed--bad'}>
      <Icon size={16} aria-hidden="true" />
      {valid ? t('trade.valid', { what: signature }) : t('trade.notValid', { what: signature })}
    </li>
  )
}
