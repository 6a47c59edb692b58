import { type FormEvent, type ReactNode, useState } from 'react'
import type { WalletView } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatTrm, parseTypedAmount, shortHex } from '../../format/index.ts'
import { useWallet } from '../../stores/context.tsx'
import { AmountField, Button, Card, ErrorState, QuestionBar, Stat, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { useSubject } from '../use-subject.ts'
import { BorrowForm } from './BorrowForm.tsx'
import { formatScore, ratePerHour, ratePerYear } from './words.ts'

export function PoolPanel({ view: { pool, loans, availableTrm } }: { view: WalletView }) {
  const { totalTrm, yourDepositTrm, maxBorrowTrm, offeredRatePerHour, creditScore } = pool
  return (
    <Card id="pool" title="Lending pool">
      <p className="muted wallet__hint">
        Deposits are lent to nodes that need TRM, against collateral. What lies in the pool can be withdrawn;
        what is lent out comes back when it is repaid.
      </p>
      <dl className="wallet__stats">
        <Stat label="In the pool">
          {formatTrm(totalTrm)}
          <span className="wallet__per-year">{formatTrm(pool.availableTrm)} not lent out</span>
        </Stat>
        <Stat label="Your deposit">{formatTrm(yourDepositTrm)}</Stat>
        <Stat label="Offered rate">
          {ratePerHour(offeredRatePerHour)}
          <span className="wallet__per-year">{ratePerYear(offeredRatePerHour)}, simple</span>
        </Stat>
        <Stat label="Your credit score">{formatScore(creditScore)}</Stat>
        <Stat label="You may borrow">up to {formatTrm(maxBorrowTrm)}</Stat>
      </dl>
      <div className="pool__forms">
        <MoveForm
          subject="deposit"
          procedure="wallet.deposit"
          verb="Deposit"
          hint={`${formatTrm(availableTrm)} available`}
          question={(amount) =>
            `${amount} will be lent to others through the pool. While it is lent out it is locked; a loan that is not repaid is covered by its collateral only.`
          }
        />
        <MoveForm
          subject="withdraw"
          procedure="wallet.withdraw"
          verb="Withdraw"
          hint={`${formatTrm(yourDepositTrm)} are yours, ${formatTrm(pool.availableTrm)} are not lent out`}
          question={null}
        />
        <BorrowForm pool={pool} />
      </div>
      <Loans loans={loans} />
    </Card>
  )
}

interface MoveFormProps {
  subject: string
  procedure: 'wallet.deposit' | 'wallet.withdraw'
  verb: string
  hint: string
  /** Asked first; null where nothing is bound by it. */
  question: ((amount: string) => ReactNode) | null
}

function MoveForm({ subject, procedure, verb, hint, question }: MoveFormProps) {
  const [text, setText] = useState('')
  const { blocked, running, error, run, forgive } = useSubject(useWallet, subject)
  const confirming = useQuestion()
  const { amountTrm, problem } = parseTypedAmount(text)

  async function commit() {
    if (amountTrm !== null && (await run(procedure, { amountTrm }))) setText('')
    focusIfLost('pool')
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    if (amountTrm === null || blocked) return
    if (question === null) void commit()
    else confirming.ask()
  }

  return (
    <form className="wallet__form" onSubmit={submit} noValidate>
      <h3>{verb}</h3>
      <AmountField
        label={`${verb} amount`}
        hint={hint}
        value={text}
        problem={text === '' ? null : problem}
        disabled={confirming.open}
        onChange={(amount) => {
          setText(amount)
          forgive()
        }}
      />
      <Button
        ref={confirming.trigger}
        type="submit"
        busy={running !== null}
        disabled={blocked || amountTrm === null}
        aria-expanded={question === null ? undefined : confirming.open}
      >
        {verb}
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open && question !== null && amountTrm !== null ? (
        <QuestionBar question={confirming} yes={verb} no="Not now" onYes={() => void commit()}>
          {question(formatTrm(amountTrm))}
        </QuestionBar>
      ) : null}
    </form>
  )
}

function Loans({ loans }: { loans: WalletView['loans'] }) {
  return (
    <section className="loans" aria-labelledby="loans-title">
      <h3 id="loans-title" tabIndex={-1}>
        What you owe
      </h3>
      {loans.length === 0 ? (
        <p className="muted">No loan is open.</p>
      ) : (
        <ul className="wallet__rows">
          {loans.map((loan) => (
            <LoanRow key={loan.loanId} loan={loan} />
          ))}
        </ul>
      )}
    </section>
  )
}

function LoanRow({ loan }: { loan: WalletView['loans'][number] }) {
  const { loanId, principalTrm, collateralTrm, dueAtMs } = loan
  const { blocked, running, error, run } = useSubject(useWallet, `loan ${loanId}`)
  const confirming = useQuestion()
  return (
    <li className="wallet__row" aria-label={`Loan ${shortHex(loanId)}`}>
      <p className="figures">
        <strong>{formatTrm(principalTrm)}</strong> due{' '}
        <time dateTime={new Date(dueAtMs).toISOString()}>{formatDateTime(dueAtMs)}</time>
        <span className="muted wallet__per-year">
          against {formatTrm(collateralTrm)} of collateral, locked until it is repaid
        </span>
      </p>
      <Button
        ref={confirming.trigger}
        busy={running !== null}
        disabled={blocked}
        aria-expanded={confirming.open}
        onClick={confirming.ask}
      >
        Repay
      </Button>
      {error === null ? null : <ErrorState error={error} />}
      {confirming.open ? (
        <QuestionBar
          question={confirming}
          yes="Repay"
          no="Not now"
          onYes={() =>
            void run('wallet.repay', { loanId }).then((done) => done && focusIfLost('loans-title'))
          }
        >
          This pays back {formatTrm(principalTrm)} and the interest of the whole term, however early it is,
          and frees the collateral.
        </QuestionBar>
      ) : null}
    </li>
  )
}
