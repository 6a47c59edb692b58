import { BookCheck, LifeBuoy } from 'lucide-react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { formatBytes, plural, shortHex } from '../../format/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { CopyButton, ErrorState } from '../../widgets/index.ts'

export function LedgerFooter() {
  const status = useStatus((state) => state.status)
  if (status === null) return null
  const { ledger, nodeId } = status
  return (
    <footer className="ledger">
      {ledger.writable ? null : <NotWritable />}
      {ledger.recovery === null ? null : <Recovery recovery={ledger.recovery} />}
      <p className="ledger__line figures">
        <span className="ledger__size">
          <BookCheck size={16} aria-hidden="true" />
          Ledger: {plural(ledger.trades, 'trade')}, {plural(ledger.journalRecords, 'record')},{' '}
          {formatBytes(ledger.journalBytes)} on this disk
        </span>
        <span className="ledger__node">
          This node: <code>{shortHex(nodeId)}</code>
          <CopyButton what="node id" text={nodeId} />
        </span>
      </p>
    </footer>
  )
}

function NotWritable() {
  return (
    <ErrorState
      error={{
        code: 'LEDGER_NOT_WRITABLE',
        message: 'The ledger could not be written, so nothing more is sold.',
        nextStep: 'Check that the disk has room, then start Tirami Host again. What was booked is safe.',
      }}
    />
  )
}

function Recovery({ recovery }: { recovery: NonNullable<HostStatus['ledger']['recovery']> }) {
  return (
    <p className="ledger__recovery">
      <LifeBuoy size={16} aria-hidden="true" />
      <span>
        <strong>The last run ended in the middle of a write.</strong> The unfinished{' '}
        {plural(recovery.tornBytes, 'byte')} were set aside in <code>{recovery.savedAs}</code>; every record
        before them is in the ledger. There is nothing to do.
      </span>
    </p>
  )
}
