import { ScanSearch } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { AuditResult, AuditsView } from '../../../src-preload/contract/index.ts'
import { formatDateTime, formatNumber, formatTrm, groupDigits } from '../../format/index.ts'
import { hostWords, useTranslation } from '../../i18n/index.ts'
import { useAudits, useConnection, useOwner } from '../../stores/context.tsx'
import { Badge, Button, Card, CopyField, Dialog, EmptyState, ErrorState, Stat } from '../../widgets/index.ts'
import { VirtualTable } from '../activity/VirtualTable.tsx'
import { Pending } from '../Pending.tsx'
import { readNowAndThen } from '../read-now-and-then.ts'
import { Fields } from '../settings/FieldsPanel.tsx'
import { hostName } from './words.ts'

/** Whether others serve what they say: what was checked, and what can be. */
export function AuditsPanel() {
  const { t } = useTranslation('market')
  const { view, loadError, load, auditError } = useAudits((state) => state)
  const offline = useConnection((state) => state.phase === 'offline')
  const fields = useOwner((state) => state.view?.fields)
  useEffect(() => {
    if (offline) return
    return readNowAndThen(() => void load(), document)
  }, [offline, load])
  return (
    <Card
      id="market-audits"
      title={t('audits.title')}
      aside={
        view === null ? null : (
          <p className="muted figures market__count">
            {t('audits.spent', {
              spent: groupDigits(view.spentTrm),
              budget: formatTrm(view.budgetTrmPerDay),
            })}
          </p>
        )
      }
    >
      <p className="muted market__hint">{t('audits.text')}</p>
      {view === null ? (
        <Pending what={t('audits.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <>
          <Offers offers={view.offers} />
          {auditError === null ? null : <ErrorState error={auditError} />}
          <h3 className="market__sub">{t('audits.results')}</h3>
          <Results results={view.results} />
        </>
      )}
      {fields === undefined ? null : (
        <Fields fields={fields.filter(({ key }) => key === 'mesh.audit_trm_per_day')} />
      )}
    </Card>
  )
}

function Offers({ offers }: Pick<AuditsView, 'offers'>) {
  const { t } = useTranslation('market')
  if (offers.length === 0) {
    return (
      <EmptyState icon={ScanSearch} title={t('audits.nothing')}>
        {t('audits.nothingText')}
      </EmptyState>
    )
  }
  return (
    <VirtualTable
      look="audits"
      label={t('audits.offers')}
      columns={[
        { key: 'host', name: t('hosts.host') },
        { key: 'model', name: t('offers.model') },
        { key: 'passed', name: t('audits.passed'), number: true },
        { key: 'failed', name: t('audits.failed'), number: true },
        { key: 'act', name: t('audits.act') },
      ]}
      rows={offers}
      keyOf={({ nodeId, model }) => `${nodeId} ${model}`}
      total={offers.length}
      cells={(offer) => [
        hostName(offer.nodeId),
        <span key="model" title={offer.model}>
          {offer.model}
        </span>,
        groupDigits(offer.passed),
        groupDigits(offer.failed),
        <span key="act" className="market__act">
          <AuditButton offer={offer} />
          <Doubt offer={offer} />
        </span>,
      ]}
    />
  )
}

function Doubt({ offer: { excluded, suspected } }: { offer: AuditsView['offers'][number] }) {
  const { t } = useTranslation('market')
  if (excluded) return <Badge tone="bad">{t('audits.excluded')}</Badge>
  return suspected ? <Badge tone="warn">{t('audits.suspected')}</Badge> : null
}

function AuditButton({ offer: { nodeId, model, state } }: { offer: AuditsView['offers'][number] }) {
  const { t } = useTranslation('market')
  const running = useAudits((audits) => audits.running)
  const audit = useAudits((audits) => audits.audit)
  const offline = useConnection((connection) => connection.phase === 'offline')
  if (state !== 'auditable') return <span className="muted">{t(`audits.states.${state}`)}</span>
  const busy = running?.nodeId === nodeId && running.model === model
  return (
    <Button
      className="log__button"
      busy={busy}
      disabled={offline || running !== null}
      aria-label={t('audits.now', { host: hostName(nodeId), model })}
      onClick={() => void audit(nodeId, model)}
    >
      {t('audits.check')}
    </Button>
  )
}

const tones = { passed: 'earning', suspected: 'warn', failed: 'bad', inconclusive: 'plain' } as const

function Verdict({ verdict }: Pick<AuditResult, 'verdict'>) {
  const { t } = useTranslation('market')
  return <Badge tone={tones[verdict]}>{t(`audits.verdicts.${verdict}`)}</Badge>
}

function Results({ results }: Pick<AuditsView, 'results'>) {
  const { t } = useTranslation('market')
  const [opened, setOpened] = useState<AuditResult | null>(null)
  if (results.length === 0) return <p className="muted market__hint">{t('audits.noResults')}</p>
  return (
    <>
      <VirtualTable
        look="audits"
        label={t('audits.results')}
        columns={[
          { key: 'when', name: t('deals.when') },
          { key: 'host', name: t('hosts.host') },
          { key: 'model', name: t('offers.model') },
          { key: 'verdict', name: t('audits.verdict') },
          { key: 'count', name: t('audits.tokens'), number: true, wide: true },
          { key: 'amount', name: 'TRM', number: true },
        ]}
        rows={results}
        keyOf={({ auditId }) => auditId}
        total={results.length}
        cells={(result) => {
          const when = formatDateTime(result.atMs)
          return [
            <button
              key="when"
              type="button"
              className="log__open"
              aria-label={t('audits.open', { when })}
              onClick={() => setOpened(result)}
            >
              <time dateTime={new Date(result.atMs).toISOString()}>{when}</time>
            </button>,
            hostName(result.provider),
            <span key="model" title={result.model}>
              {result.model}
            </span>,
            <Verdict key="verdict" verdict={result.verdict} />,
            groupDigits(result.tokens),
            groupDigits(result.costTrm),
          ]
        }}
      />
      {opened === null ? null : <AuditDialog result={opened} onClose={() => setOpened(null)} />}
    </>
  )
}

const nats = (value: number | null): string =>
  value === null ? '–' : formatNumber(value, { maximumFractionDigits: 4 })

function AuditDialog({ result, onClose }: { result: AuditResult; onClose: () => void }) {
  const { t } = useTranslation('market')
  return (
    <Dialog title={t('audits.dialog', { host: hostName(result.provider) })} open wide onClose={onClose}>
      <p className="host-dialog__state">
        <Verdict verdict={result.verdict} /> <span className="muted">{formatDateTime(result.atMs)}</span>
      </p>
      <p className="market__hint">{hostWords(`audits.${result.verdict}`, result.sentence)}</p>
      <dl className="trade__stats">
        <Stat label={t('offers.model')}>{result.model}</Stat>
        <Stat label={t('audits.probe')}>{t(`audits.probes.${result.probe}`)}</Stat>
        <Stat label={t('audits.tokens')}>{groupDigits(result.tokens)}</Stat>
        <Stat label={t('audits.mean')}>{nats(result.meanDeltaNats)}</Stat>
        <Stat label={t('audits.parted')}>{nats(result.partedNats)}</Stat>
        <Stat label={t('audits.cost')}>{formatTrm(result.costTrm)}</Stat>
        <Stat label={t('audits.burned')}>{formatTrm(result.burnedTrm)}</Stat>
      </dl>
      <dl className="ids">
        <CopyField name={t('audits.provider')} value={result.provider} />
        <CopyField name={t('audits.challenger')} value={result.challenger} />
        <CopyField name={t('audits.weights')} value={result.weights} />
        <CopyField name={t('audits.id')} value={result.auditId} />
      </dl>
    </Dialog>
  )
}
