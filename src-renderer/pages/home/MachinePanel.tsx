import { FlaskConical } from 'lucide-react'
import type { EngineStatus, HostStatus, ModelInfo } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatDuration, formatFlop, groupDigits, withSiPrefix } from '../../format/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Badge, Card, EmptyState, ErrorState, Stat, useNow } from '../../widgets/index.ts'
import { Pending } from './Pending.tsx'

export function MachinePanel() {
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const load = useStatus((state) => state.load)
  return (
    <Card id="machine" title="Model and machine">
      {status === null ? (
        <Pending what="model and machine" error={loadError} onRetry={() => void load()} />
      ) : (
        <Machine status={status} />
      )}
    </Card>
  )
}

function Machine({ status }: { status: HostStatus }) {
  return (
    <>
      {status.model === null ? (
        <EmptyState icon={FlaskConical} title="No model loaded">
          The host serves as soon as a model is loaded. Start it with a model to begin.
        </EmptyState>
      ) : (
        <Model model={status.model} />
      )}
      <Engine engine={status.engine} />
    </>
  )
}

function Model({ model }: { model: ModelInfo }) {
  const { value, prefix } = withSiPrefix(model.parameters)
  return (
    <div className="machine__part">
      <div className="machine__name">
        <h3>{model.name}</h3>
        <code className="muted">{model.fileName}</code>
      </div>
      {model.demonstration ? (
        <p>
          <Badge tone="warn">
            <FlaskConical size={12} aria-hidden="true" />
            Demonstration-size model: it only knows this app
          </Badge>
        </p>
      ) : null}
      <dl className="machine__stats">
        <Stat label="Size">{formatBytes(model.sizeBytes)}</Stat>
        <Stat label="Parameters">{`${value} ${prefix}`.trim()}</Stat>
        <Stat label="Context">{groupDigits(model.contextTokens)} tokens</Stat>
        <Stat label="Work per token">{formatFlop(model.flopPerToken)}</Stat>
        <Stat label="Licence">{model.license ?? 'Not stated'}</Stat>
      </dl>
    </div>
  )
}

const backends = { cpu: 'CPU, no GPU in use', metal: 'Metal', cuda: 'CUDA', vulkan: 'Vulkan' } as const
const engineStates = {
  starting: { tone: 'warn', label: 'Starting' },
  ready: { tone: 'earning', label: 'Ready' },
  restarting: { tone: 'warn', label: 'Restarting' },
  stopped: { tone: 'plain', label: 'Stopped' },
  failed: { tone: 'bad', label: 'Failed' },
} as const

function computesOn({ backend, state }: EngineStatus): string {
  if (backend !== null) return backends[backend]
  return state === 'stopped' ? 'Nothing now' : 'Not reported yet'
}

function Engine({ engine }: { engine: EngineStatus }) {
  const { tone, label } = engineStates[engine.state]
  return (
    <div className="machine__part">
      <div className="machine__name">
        <h3>Engine</h3>
        <Badge tone={tone}>{label}</Badge>
      </div>
      {engine.error === null ? null : <ErrorState error={engine.error} />}
      {engine.retryAtMs === null ? null : <RetryCountdown atMs={engine.retryAtMs} />}
      <dl className="machine__stats">
        <Stat label="Computes on">{computesOn(engine)}</Stat>
        {engine.deviceName === null ? null : <Stat label="Device">{engine.deviceName}</Stat>}
        <Stat label="Threads">{engine.threads ?? '–'}</Stat>
        <Stat label="Slots">{engine.slots ?? '–'}</Stat>
        <Stat label="Restarts">{groupDigits(engine.restarts)}</Stat>
      </dl>
    </div>
  )
}

function RetryCountdown({ atMs }: { atMs: number }) {
  const leftMs = atMs - useNow(1_000)
  const when = leftMs < 1_000 ? 'now' : `in ${formatDuration(Math.ceil(leftMs / 1_000) * 1_000)}`
  return <p className="machine__retry figures">The next start is tried {when}.</p>
}
