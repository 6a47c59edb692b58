import { CircleCheck, FlaskConical, TriangleAlert } from 'lucide-react'
import type {
  EngineStatus,
  HardwareInfo,
  HostStatus,
  ModelInfo,
} from '../../../src-preload/contract/index.ts'
import {
  formatBytes,
  formatDuration,
  formatFlop,
  formatMemory,
  groupDigits,
  plural,
  withSiPrefix,
} from '../../format/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Badge, Card, EmptyState, ErrorState, Stat, useNow } from '../../widgets/index.ts'
import { computesOn, engineStates } from '../engine-words.ts'
import { Pending } from '../Pending.tsx'

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
          The host serves as soon as a model is loaded. Choose one on the page <a href="#/models">Models</a>.
        </EmptyState>
      ) : (
        <Model model={status.model} />
      )}
      <Engine engine={status.engine} />
      <Hardware hardware={status.hardware} />
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

function Hardware({ hardware }: { hardware: HardwareInfo | null }) {
  return (
    <div className="machine__part">
      <div className="machine__name">
        <h3>Machine</h3>
      </div>
      {hardware === null ? (
        <p className="muted">The host is looking at the machine.</p>
      ) : (
        <>
          <Compute compute={hardware.compute} />
          <dl className="machine__stats">
            <Stat label="Processor">{hardware.cpu.model}</Stat>
            <Stat label="Cores">{coresOf(hardware.cpu)}</Stat>
            <Stat label="Memory">{formatMemory(hardware.memoryTotalBytes)}</Stat>
            {hardware.gpus.length === 0 ? <Stat label="GPU">None found</Stat> : null}
            {hardware.gpus.map((gpu) => (
              <Stat key={gpu.id} label="GPU">
                {gpu.name}
                <span className="machine__gpu">{gpuFacts(gpu)}</span>
              </Stat>
            ))}
          </dl>
        </>
      )}
    </div>
  )
}

function Compute({ compute }: { compute: HardwareInfo['compute'] }) {
  const Icon = compute.degraded ? TriangleAlert : CircleCheck
  return (
    <p className="machine__compute" data-degraded={compute.degraded}>
      <Icon size={15} aria-hidden="true" />
      <span>
        {compute.sentence} {compute.nextStep}
      </span>
    </p>
  )
}

function coresOf({ cores, physicalCores }: HardwareInfo['cpu']): string {
  if (physicalCores === null || physicalCores === cores) return groupDigits(cores)
  return `${plural(physicalCores, 'core')}, ${plural(cores, 'thread')}`
}

function gpuFacts({ vramTotalBytes, isUnified, driverVersion }: HardwareInfo['gpus'][number]): string {
  const memory =
    vramTotalBytes === null
      ? 'memory not known'
      : `${formatMemory(vramTotalBytes)}${isUnified ? ' of the main memory' : ''}`
  return driverVersion === null ? memory : `${memory}, driver ${driverVersion}`
}
