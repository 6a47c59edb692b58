import { HardDrive, Play, Trash2 } from 'lucide-react'
import { useId } from 'react'
import type { InstalledModel } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatLicense, groupDigits, withSiPrefix } from '../../format/index.ts'
import { useTranslation } from '../../i18n/index.ts'
import { useConnection, useModels, useStatus } from '../../stores/context.tsx'
import { Badge, Button, Card, EmptyState, ErrorState, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { isLoadingModel, useCommand } from './command.ts'
import { Fit } from './Fit.tsx'
import { hashWords, hasOwnTerms } from './words.ts'

export function InstalledPanel({ installed }: { installed: InstalledModel[] }) {
  const { t } = useTranslation('models')
  return (
    <Card
      id="installed"
      title={t('installed.title')}
      aside={<p className="muted figures">{t('count', { count: installed.length })}</p>}
    >
      {installed.length === 0 ? (
        <EmptyState icon={HardDrive} title={t('installed.empty.title')}>
          {t('installed.empty.text')}
        </EmptyState>
      ) : (
        <ul className="rows">
          {installed.map((model) => (
            <ModelRow key={model.id} model={model} />
          ))}
        </ul>
      )}
    </Card>
  )
}

function ModelRow({ model }: { model: InstalledModel }) {
  const { t } = useTranslation('models')
  const { id, name, chosen, embedded, error } = model
  const nameId = useId()
  const { running, error: refused, offline, run } = useCommand(`model ${id}`)
  const deleting = useQuestion()
  return (
    <li className="row model-row" data-chosen={chosen} aria-labelledby={nameId}>
      <div className="row__name">
        <h3 id={nameId} tabIndex={-1}>
          {name}
        </h3>
        <code className="row__id muted">{model.fileName}</code>
        <Badges model={model} />
      </div>
      <Facts model={model} />
      <Fit fit={model.fit} />
      <div className="row__actions">
        <LoadButton
          model={model}
          loading={running === 'models.load'}
          disabled={offline || running !== null}
          onLoad={() => void run('models.load', { id }).then((done) => done && focusIfLost(nameId))}
        />
        {embedded || chosen ? null : (
          <Button
            ref={deleting.trigger}
            aria-label={t('installed.deleteOf', { name })}
            busy={running === 'models.delete'}
            disabled={offline || running !== null}
            aria-expanded={deleting.open}
            onClick={deleting.ask}
          >
            {running === 'models.delete' ? null : <Trash2 size={15} aria-hidden="true" />}
            {t('delete')}
          </Button>
        )}
      </div>
      {error === null ? null : <ErrorState error={error} />}
      {refused === null ? null : <ErrorState error={refused} />}
      {deleting.open ? (
        <QuestionBar
          question={deleting}
          yes={model.owned ? t('installed.deleteFile') : t('installed.offList')}
          no={t('installed.keep')}
          onYes={() => void run('models.delete', { id }).then((done) => done && focusIfLost('installed'))}
        >
          {model.owned
            ? t('installed.deletes', { bytes: formatBytes(model.sizeBytes) })
            : t('installed.staysYours')}
        </QuestionBar>
      ) : null}
    </li>
  )
}

interface LoadButtonProps {
  model: InstalledModel
  loading: boolean
  disabled: boolean
  onLoad: () => void
}

function LoadButton({ model, loading, disabled, onLoad }: LoadButtonProps) {
  const { t } = useTranslation('models')
  const anyLoading = useModels(isLoadingModel)
  const engineFailed = useStatus((state) => state.status?.engine.state === 'failed')
  if (model.error !== null || (model.chosen && !engineFailed && !loading)) return null
  return (
    <Button
      look="accent"
      aria-label={t('installed.loadOf', { name: model.name })}
      busy={loading}
      disabled={disabled || anyLoading}
      onClick={onLoad}
    >
      {loading ? null : <Play size={15} aria-hidden="true" />}
      {loading ? t('installed.loading') : t('installed.load')}
    </Button>
  )
}

function Badges({ model }: { model: InstalledModel }) {
  const { t } = useTranslation('models')
  const offline = useConnection(({ phase }) => phase === 'offline')
  const serving = useStatus(({ status }) => status?.state === 'serving') && !offline
  const { chosen, embedded, hashOrigin } = model
  return (
    <p className="row__badges">
      {chosen ? (
        <Badge tone="earning">{serving ? t('installed.serving') : t('installed.chosen')}</Badge>
      ) : null}
      {embedded ? <Badge>{t('installed.embedded')}</Badge> : null}
      {hashOrigin === null ? null : (
        <span title={hashWords(hashOrigin).sentence}>
          <Badge tone={hashOrigin === 'server' ? 'warn' : 'plain'}>{hashWords(hashOrigin).short}</Badge>
        </span>
      )}
      {hashOrigin === null && !embedded ? <Badge>{t('hash.own')}</Badge> : null}
    </p>
  )
}

function Facts({ model }: { model: InstalledModel }) {
  const { t } = useTranslation('models')
  const { sizeBytes, parameters, contextTokens, license } = model
  const size = parameters === null ? null : withSiPrefix(parameters)
  return (
    <ul className="facts figures" aria-label={t('facts')}>
      <li>{formatBytes(sizeBytes)}</li>
      {size === null ? null : <li>{t('parameters', { count: `${size.value} ${size.prefix}` })}</li>}
      {contextTokens === null ? null : <li>{t('context', { tokens: groupDigits(contextTokens) })}</li>}
      <li>
        {license === null
          ? t('noLicence')
          : hasOwnTerms(license)
            ? t('ownTerms', { name: formatLicense(license) })
            : t('licence', { name: formatLicense(license) })}
      </li>
    </ul>
  )
}
