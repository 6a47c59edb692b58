import { useEffect } from 'react'
import type { HardwareInfo, ModelsView, SensorReading } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatMemory } from '../../format/index.ts'
import { i18n, useTranslation } from '../../i18n/index.ts'
import { useConnection, useSensors, useStatus } from '../../stores/context.tsx'
import { readWhileVisible } from '../../stores/sensors.ts'
import { Card, ErrorState, Share } from '../../widgets/index.ts'

type GpuReading = SensorReading['gpus'][number]

/** Memory as it is now, and the disk. */
export function RoomPanel({ disk }: { disk: ModelsView['disk'] }) {
  const { t } = useTranslation('models')
  return (
    <Card id="room" title={t('room.title')}>
      <Memory />
      <Disk disk={disk} />
    </Card>
  )
}

function Memory() {
  const { t } = useTranslation('models')
  const { reading, error, read } = useSensors((state) => state)
  const hardware = useStatus((state) => state.status?.hardware)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (offline) return
    return readWhileVisible(() => void read(), document)
  }, [offline, read])

  if (offline) return <p className="muted">{t('room.offline')}</p>
  if (error !== null) return <ErrorState error={error} />
  return (
    <div className="room">
      <MainMemory reading={reading} totalBytes={hardware?.memoryTotalBytes ?? null} />
      {(hardware?.gpus ?? []).map((gpu) => (
        <Gpu key={gpu.id} gpu={gpu} reading={reading?.gpus.find(({ id }) => id === gpu.id) ?? null} />
      ))}
      {reading === null || reading.onMains ? null : (
        <p className="room__note">
          {reading.battery === null
            ? t('room.battery')
            : t('room.batteryLeft', { percent: Math.round(reading.battery.percent) })}
        </p>
      )}
    </div>
  )
}

function MainMemory({ reading, totalBytes }: { reading: SensorReading | null; totalBytes: number | null }) {
  const { t } = useTranslation('models')
  const available = reading?.memoryAvailableBytes ?? null
  return (
    <div className="room__row">
      <p className="room__label">{t('room.memory')}</p>
      <p className="figures">
        {available === null ? (
          <span className="muted">{reading === null ? t('room.reading') : t('room.notSaid')}</span>
        ) : (
          <>
            <strong>{t('room.free', { memory: formatMemory(available) })}</strong>{' '}
            {totalBytes === null ? null : (
              <span className="muted">{t('room.of', { total: formatMemory(totalBytes) })}</span>
            )}
          </>
        )}
      </p>
      {available === null || totalBytes === null ? null : (
        <Share of={totalBytes - available} total={totalBytes} />
      )}
    </div>
  )
}

function Gpu({ gpu, reading }: { gpu: HardwareInfo['gpus'][number]; reading: GpuReading | null }) {
  const { t } = useTranslation('models')
  const used = reading?.vramUsedBytes ?? null
  const total = gpu.vramTotalBytes
  return (
    <div className="room__row">
      <p className="room__label">{gpu.name}</p>
      <p className="figures">
        {used === null || total === null ? (
          <span className="muted">{gpu.isUnified ? t('room.shared') : t('room.usedUnknown')}</span>
        ) : (
          <>
            <strong>{t('room.free', { memory: formatMemory(Math.max(0, total - used)) })}</strong>{' '}
            <span className="muted">{t('room.of', { total: formatMemory(total) })}</span>
          </>
        )}
        {reading === null ? null : <span className="muted room__sensors">{sensorWords(reading)}</span>}
      </p>
      {used === null || total === null ? null : <Share of={used} total={total} />}
    </div>
  )
}

function sensorWords({ load, temperatureC, powerW }: GpuReading): string {
  return [
    load === null ? null : i18n.t('models:room.busy', { percent: Math.round(load * 100) }),
    temperatureC === null ? null : `${Math.round(temperatureC)} °C`,
    powerW === null ? null : `${Math.round(powerW)} W`,
  ]
    .filter((words) => words !== null)
    .join(' · ')
}

function Disk({ disk }: { disk: ModelsView['disk'] }) {
  const { t } = useTranslation('models')
  const { installedBytes, downloadingBytes, freeBytes } = disk
  return (
    <div className="room__row">
      <p className="room__label">{t('room.disk')}</p>
      <p className="figures">
        <strong>{t('room.free', { memory: formatBytes(freeBytes) })}</strong>
        <span className="muted room__sensors">
          {t('room.inModels', { bytes: formatBytes(installedBytes) })}
          {downloadingBytes === 0
            ? null
            : ` · ${t('room.unfinished', { bytes: formatBytes(downloadingBytes) })}`}
        </span>
      </p>
      <Share of={installedBytes + downloadingBytes} total={installedBytes + downloadingBytes + freeBytes} />
    </div>
  )
}
