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
  formatLicense,
  formatMemory,
  groupDigits,
  withSiPrefix,
} from '../../format/index.ts'
import { i18n, Trans, useTranslation } from '../../i18n/index.ts'
import { useStatus } from '../../stores/context.tsx'
import { Badge, Card, EmptyState, ErrorState, PageLink, Stat, useNow } from '../../widgets/index.ts'
import { computeWords } from '../compute-words.ts'
import { computesOn, engineState } from '../engine-words.ts'
import { Pending } from '../Pending.tsx'

export function MachinePanel() {
  const { t } = useTranslation('home')
  const status = useStatus((state) => state.status)
  const loadError = useStatus((state) => state.loadError)
  const load = useStatus((state) => state.load)
  return (
    <Card id="machine" title={t('machine.title')}>
      {status === null ? (
        <Pending what={t('machine.what')} error={loadError} onRetry={() => void load()} />
      ) : (
        <Machine status={status} />
      )}
    </Card>
  )
}

function Machine({ status }: { status: HostStatus }) {
  const { t } = useTranslation('home')
  return (
    <>
      {status.model === null ? (
        <EmptyState icon={FlaskConical} title={t('machine.noModel.title')}>
          <Trans t={t} i18nKey="machine.noModel.text" components={{ models: <PageLink to="#/models" /> }} />
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
  const { t } = useTranslation('home')
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
            {t('machine.demonstration')}
          </Badge>
        </p>
      ) : null}
      <dl className="machine__stats">
        <Stat label={t('machine.size')}>{formatBytes(model.sizeBytes)}</Stat>
        <Stat label={t('machine.parameters')}>{`${value} ${prefix}`.trim()}</Stat>
        <Stat label={t('machine.context')}>
          {t('machine.tokens', { count: groupDigits(model.contextTokens) })}
        </Stat>
        <Stat label={t('machine.work')}>{formatFlop(model.flopPerToken)}</Stat>
        <Stat label={t('machine.licence')}>
          {model.license === null ? t('machine.noLicence') : formatLicense(model.license)}
        </Stat>
      </dl>
    </div>
  )
}

function Engine({ engine }: { engine: EngineStatus }) {
  const { t } = useTranslation('home')
  const { tone, label } = engineState(engine.state)
  return (
    <div className="machine__part">
      <div className="machine__name">
        <h3>{t('machine.engine')}</h3>
        <Badge tone={tone}>{label}</Badge>
      </div>
      {engine.error === null ? null : <ErrorState error={engine.error} />}
      {engine.retryAtMs === null ? null : <RetryCountdown atMs={engine.retryAtMs} />}
      <dl className="machine__stats">
        <Stat label={t('machine.computesOn')}>{computesOn(engine)}</Stat>
        {engine.deviceName === null ? null : <Stat label={t('machine.device')}>{engine.deviceName}</Stat>}
        <Stat label={t('machine.threads')}>{engine.threads ?? '–'}</Stat>
        <Stat label={t('machine.slots')}>{engine.slots ?? '–'}</Stat>
        <Stat label={t('machine.restarts')}>{groupDigits(engine.restarts)}</Stat>
      </dl>
    </div>
  )
}

function RetryCountdown({ atMs }: { atMs: number }) {
  const leftMs = atMs - useNow(1_000)
  const { t } = useTranslation('home')
  return (
    <p className="machine__retry figures">
      {leftMs < 1_000
        ? t('machine.retryNow')
        : t('machine.retryIn', { time: formatDuration(Math.ceil(leftMs / 1_000) * 1_000) })}
    </p>
  )
}

function Hardware({ hardware }: { hardware: HardwareInfo | null }) {
  const { t } = useTranslation('home')
  return (
    <div className="machine__part">
      <div className="machine__name">
        <h3>{t('machine.machine')}</h3>
      </div>
      {hardware === null ? (
        <p className="muted">{t('machine.looking')}</p>
      ) : (
        <>
          <Compute compute={hardware.compute} />
          <dl className="machine__stats">
            <Stat label={t('machine.processor')}>{hardware.cpu.model}</Stat>
            <Stat label={t('machine.cores')}>{coresOf(hardware.cpu)}</Stat>
            <Stat label={t('machine.memory')}>{formatMemory(hardware.memoryTotalBytes)}</Stat>
            {hardware.gpus.length === 0 ? <Stat label={t('machine.gpu')}>{t('machine.noGpu')}</Stat> : null}
            {hardware.gpus.map((gpu) => (
              <Stat key={gpu.id} label={t('machine.gpu')}>
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
  const { sentence, nextStep } = computeWords(compute)
  return (
    <p className="machine__compute" data-degraded={compute.degraded}>
      <Icon size={15} aria-hidden="true" />
      <span>
        {sentence} {nextStep}
      </span>
    </p>
  )
}

function coresOf({ cores, physicalCores }: HardwareInfo['cpu']): string {
  if (physicalCores === null || physicalCores === cores) return groupDigits(cores)
  return i18n.t('home:machine.coresAndThreads', { cores: physicalCores, threads: cores })
}

function gpuFacts({ vramTotalBytes, isUnified, driverVersion }: HardwareInfo['gpus'][number]): string {
  const memory =
    vramTotalBytes === null
      ? i18n.t('home:machine.memoryUnknown')
      : isUnified
        ? i18n.t('home:machine.ofMain', { memory: formatMemory(vramTotalBytes) })
        : formatMemory(vramTotalBytes)
  return driverVersion === null ? memory : i18n.t('home:machine.driver', { memory, version: driverVersion })
}
