import { BookCheck, LifeBuoy } from 'lucide-react'
import type { HostStatus } from '../../../src-preload/contract/index.ts'
import { formatBytes, shortHex } from '../../format/index.ts'
import { Trans, useTranslation } from '../../i18n/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { CopyButton, ErrorState } from '../../widgets/index.ts'

export function LedgerFooter() {
  const { t } = useTranslation(['home', 'common'])
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
          {t('ledger.size', {
            trades: t('common:trades', { count: ledger.trades }),
            records: t('ledger.records', { count: ledger.journalRecords }),
            bytes: formatBytes(ledger.journalBytes),
          })}
        </span>
        <span className="ledger__node">
          {t('ledger.node')} <code>{shortHex(nodeId)}</code>
          <CopyButton what={t('ledger.nodeId')} text={nodeId} />
        </span>
      </p>
    </footer>
  )
}

function NotWritable() {
  const { t } = useTranslation('home')
  return (
    <ErrorState
      error={{
        code: 'LEDGER_NOT_WRITABLE',
        message: t('ledger.notWritable.message'),
        nextStep: t('ledger.notWritable.nextStep'),
      }}
    />
  )
}

function Recovery({ recovery }: { recovery: NonNullable<HostStatus['ledger']['recovery']> }) {
  const { t } = useTranslation('home')
  return (
    <p className="ledger__recovery">
      <LifeBuoy size={16} aria-hidden="true" />
      <span>
        <strong>{t('ledger.recoveryTitle')}</strong>{' '}
        <Trans
          t={t}
          i18nKey="ledger.recovery"
          count={recovery.tornBytes}
          values={{ file: recovery.savedAs }}
          components={{ file: <code /> }}
        />
      </span>
    </p>
  )
}
