import { CircleCheck, CircleX, ShieldCheck, X } from 'lucide-react'
import { type ReactNode, useEffect, useId, useRef } from 'react'
import type { Trade, TradeProof } from '../../../src-preload/contract/index.ts'
import {
  formatDateTime,
  formatDuration,
  formatFlop,
  formatTrm,
  groupDigits,
  shortHex,
} from '../../format/index.ts'
import { useTrades } from '../../stores/context.tsx'
import { Badge, Button, CopyField, ErrorState, Stat } from '../../widgets/index.ts'

export function TradeDialog({ trade, onClose }: { trade: Trade; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()

  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])

  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={titleId} onClose={onClose}>
      <header className="dialog__head">
        <div>
          <h2 id={titleId}>Trade {shortHex(trade.tradeId)}</h2>
          <p className="muted">
            {formatDateTime(trade.timestampMs)} · {trade.consumerLabel}{' '}
            {trade.ownKey ? <Badge>own key</Badge> : null}
          </p>
        </div>
        <Button icon look="quiet" aria-label="Close" onClick={onClose}>
          <X size={16} aria-hidden="true" />
        </Button>
      </header>
      <dl className="dialog__stats">
        <Stat label="Amount">{formatTrm(trade.amountTrm)}</Stat>
        <Stat label="Work">{formatFlop(trade.flop)}</Stat>
        <Stat label="Tokens in / out">
          {groupDigits(trade.promptTokens)} / {groupDigits(trade.completionTokens)}
        </Stat>
        <Stat label="Took">{formatDuration(trade.latencyMs)}</Stat>
      </dl>
      <Signatures trade={trade} />
      <dl className="ids">
        <CopyField name="Trade (Merkle leaf)" what="trade id" value={trade.tradeId} />
        <CopyField name="Provider key (this host)" what="provider key" value={trade.provider} />
        <CopyField name="Consumer key" what="consumer key" value={trade.consumer} />
        <CopyField name="Model" what="model id" value={trade.modelId} />
        <CopyField name="Exact FLOP" what="FLOP" value={trade.flop} />
        <CopyField name="Position in the log" what="position" value={trade.index.toString()} />
      </dl>
    </dialog>
  )
}

function Signatures({ trade }: { trade: Trade }) {
  const state = useTrades(({ proofs }) => proofs[trade.tradeId])
  const prove = useTrades((trades) => trades.prove)
  const checking = state?.phase === 'checking'
  return (
    <div className="proof">
      <div className="proof__ask">
        <p>Both sides sign the same bytes. Check them against the keys below.</p>
        <Button look="accent" busy={checking} disabled={checking} onClick={() => void prove(trade.tradeId)}>
          {checking ? null : <ShieldCheck size={16} aria-hidden="true" />}
          Check signatures
        </Button>
      </div>
      <div role="status">{state?.phase === 'checked' ? <Verdict proof={state.proof} /> : null}</div>
      {state?.phase === 'failed' ? <ErrorState error={state.error} /> : null}
    </div>
  )
}

function Verdict({ proof }: { proof: TradeProof }) {
  return (
    <>
      <ul className="proof__verdicts">
        <Party valid={proof.providerValid}>Provider signature</Party>
        <Party valid={proof.consumerValid}>Consumer signature</Party>
      </ul>
      <dl className="ids">
        <CopyField name="Signed bytes" what="signed bytes" value={proof.signedBytesHex} />
        <CopyField name="Provider signature" what="provider signature" value={proof.providerSignatureHex} />
        <CopyField name="Consumer signature" what="consumer signature" value={proof.consumerSignatureHex} />
      </dl>
    </>
  )
}

function Party({ valid, children }: { valid: boolean; children: ReactNode }) {
  const Icon = valid ? CircleCheck : CircleX
  return (
    <li className={valid ? 'signed' : 'signed signed--bad'}>
      <Icon size={16} aria-hidden="true" />
      {children} {valid ? 'valid' : 'not valid'}
    </li>
  )
}
