import { FlaskConical } from 'lucide-react'
import type { HostStatus, InstalledModel, ModelsView } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatMemory, groupDigits } from '../../format/index.ts'
import { useConnection, useModels, useStatus } from '../../stores/context.tsx'
import {
  Badge,
  Button,
  Card,
  EmptyState,
  ErrorState,
  OptionalNumber,
  Spinner,
  Stat,
} from '../../widgets/index.ts'
import { computesOn, engineState } from '../engine-words.ts'
import { Pending } from '../Pending.tsx'
import { isLoadingModel, useCommand } from './command.ts'

/** What the engine holds, or will hold. */
export function ServingPanel({ view }: { view: ModelsView }) {
  const { status, loadError, load } = useStatus((state) => state)
  return (
    <Card
      id="serving"
      title="Serving now"
      aside={<Button onClick={() => document.getElementById('installed')?.focus()}>Load another</Button>}
    >
      {status === null ? (
        <Pending what="the state of the host" error={loadError} onRetry={() => void load()} />
      ) : (
        <Serving status={status} chosen={view.installed.find(({ chosen }) => chosen) ?? null} />
      )}
      <IdleUnload minutes={view.settings.idleUnloadMinutes} />
    </Card>
  )
}

function Serving({ status, chosen }: { status: HostStatus; chosen: InstalledModel | null }) {
  const { model, engine } = status
  const loading = useModels(isLoadingModel)
  const offline = useConnection(({ phase }) => phase === 'offline')
  const { tone, label } = engineState(engine.state)
  if (model === null && chosen === null) {
    return (
      <EmptyState icon={FlaskConical} title="No model is chosen">
        Load one of those on this machine, and the host serves it.
      </EmptyState>
    )
  }
  return (
    <div className="serving">
      <div className="serving__name">
        <h3>{model?.name ?? chosen?.name}</h3>
        {offline ? null : <Badge tone={tone}>{label}</Badge>}
        {model?.demonstration ? (
          <Badge tone="warn">
            <FlaskConical size={12} aria-hidden="true" />
            Demonstration size
          </Badge>
        ) : null}
      </div>
      <div role="status" className="serving__state">
        {loading ? (
          <p className="serving__loading">
            <Spinner /> Loading another model. The one before is put back if it cannot be loaded.
          </p>
        ) : (
          <p className="muted">
            {offline
              ? 'Whether it is served now is not known: the host is out of reach.'
              : stateSentence(status)}
          </p>
        )}
      </div>
      {engine.error === null ? null : <ErrorState error={engine.error} />}
      <dl className="serving__stats figures">
        <Stat label="Context">
          {model === null ? 'Not known yet' : `${groupDigits(model.contextTokens)} tokens`}
        </Stat>
        <Stat label="Memory, by rule">
          {chosen?.fit.needBytes == null ? 'Not known' : formatMemory(chosen.fit.needBytes)}
        </Stat>
        <Stat label="Computes on">{computesOn(engine)}</Stat>
        <Stat label="Slots">{engine.slots ?? '–'}</Stat>
        {model === null ? null : <Stat label="File">{formatBytes(model.sizeBytes)}</Stat>}
      </dl>
    </div>
  )
}

function stateSentence({ state, engine, reason }: HostStatus): string {
  if (state === 'serving' && engine.state === 'unloaded') {
    return 'Idle: its memory was given back. The next request loads it again.'
  }
  return reason
}

function IdleUnload({ minutes }: { minutes: number | null }) {
  const { running, error, offline, run } = useCommand('setting idle-unload')
  return (
    <OptionalNumber
      label="Give the memory back when idle"
      hint="For your games and your work: without a request for so long, the model leaves the memory. The next request loads it again and waits for that."
      none="Never"
      some="After"
      unit="minutes"
      min={1}
      max={1440}
      step={1}
      proposal={15}
      value={minutes}
      busy={running !== null}
      disabled={offline}
      error={error}
      onSave={(idleUnloadMinutes) => void run('models.configure', { idleUnloadMinutes })}
    />
  )
}
