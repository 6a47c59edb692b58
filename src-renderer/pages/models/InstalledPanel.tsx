import { HardDrive, Play, Trash2 } from 'lucide-react'
import { useId } from 'react'
import type { InstalledModel } from '../../../src-preload/contract/index.ts'
import { formatBytes, groupDigits, plural, withSiPrefix } from '../../format/index.ts'
import { useConnection, useModels, useStatus } from '../../stores/context.tsx'
import { Badge, Button, Card, EmptyState, ErrorState, QuestionBar, useQuestion } from '../../widgets/index.ts'
import { focusIfLost } from '../focus.ts'
import { isLoadingModel, useCommand } from './command.ts'
import { Fit } from './Fit.tsx'
import { hashWords, hasOwnTerms, licenseName } from './words.ts'

export function InstalledPanel({ installed }: { installed: InstalledModel[] }) {
  return (
    <Card
      id="installed"
      title="On this machine"
      aside={<p className="muted figures models__count">{plural(installed.length, 'model')}</p>}
    >
      {installed.length === 0 ? (
        <EmptyState icon={HardDrive} title="No model is here">
          Download one from the catalogue, or add a file that you have.
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
  const { id, name, chosen, embedded, error } = model
  const nameId = useId()
  const { running, error: refused, offline, run } = useCommand(`model ${id}`)
  const deleting = useQuestion()
  return (
    <li className="row" data-chosen={chosen} aria-labelledby={nameId}>
      <div className="row__name">
        <h3 id={nameId} tabIndex={-1}>
          {name}
        </h3>
        <code className="muted">{model.fileName}</code>
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
            aria-label={`Delete ${name}`}
            busy={running === 'models.delete'}
            disabled={offline || running !== null}
            aria-expanded={deleting.open}
            onClick={deleting.ask}
          >
            {running === 'models.delete' ? null : <Trash2 size={15} aria-hidden="true" />}
            Delete
          </Button>
        )}
      </div>
      {error === null ? null : <ErrorState error={error} />}
      {refused === null ? null : <ErrorState error={refused} />}
      {deleting.open ? (
        <QuestionBar
          question={deleting}
          yes={model.owned ? 'Delete the file' : 'Take it off the list'}
          no="Keep it"
          onYes={() => void run('models.delete', { id }).then((done) => done && focusIfLost('installed'))}
        >
          {model.owned
            ? `This deletes the file and frees ${formatBytes(model.sizeBytes)}. It would have to be downloaded again.`
            : 'This only takes it off the list: the file is yours and stays where it is.'}
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
  const anyLoading = useModels(isLoadingModel)
  const engineFailed = useStatus((state) => state.status?.engine.state === 'failed')
  if (model.error !== null || (model.chosen && !engineFailed && !loading)) return null
  return (
    <Button
      look="accent"
      aria-label={`Load ${model.name}`}
      busy={loading}
      disabled={disabled || anyLoading}
      onClick={onLoad}
    >
      {loading ? null : <Play size={15} aria-hidden="true" />}
      {loading ? 'Loading…' : 'Load'}
    </Button>
  )
}

function Badges({ model }: { model: InstalledModel }) {
  const offline = useConnection(({ phase }) => phase === 'offline')
  const serving = useStatus(({ status }) => status?.state === 'serving') && !offline
  const { chosen, embedded, hashOrigin } = model
  return (
    <p className="row__badges">
      {chosen ? <Badge tone="earning">{serving ? 'Serving' : 'Chosen'}</Badge> : null}
      {embedded ? <Badge>Ships with the app</Badge> : null}
      {hashOrigin === null ? null : (
        <span title={hashWords[hashOrigin].sentence}>
          <Badge tone={hashOrigin === 'server' ? 'warn' : 'plain'}>{hashWords[hashOrigin].short}</Badge>
        </span>
      )}
      {hashOrigin === null && !embedded ? <Badge>your own file</Badge> : null}
    </p>
  )
}

function Facts({ model }: { model: InstalledModel }) {
  const { sizeBytes, parameters, contextTokens, license } = model
  const size = parameters === null ? null : withSiPrefix(parameters)
  return (
    <ul className="facts figures" aria-label="Facts">
      <li>{formatBytes(sizeBytes)}</li>
      {size === null ? null : <li>{`${size.value} ${size.prefix} parameters`}</li>}
      {contextTokens === null ? null : <li>context {groupDigits(contextTokens)}</li>}
      <li>
        {license === null
          ? 'Licence not stated'
          : hasOwnTerms(license)
            ? `${licenseName(license)}: terms of its own`
            : `Licence ${license}`}
      </li>
    </ul>
  )
}
