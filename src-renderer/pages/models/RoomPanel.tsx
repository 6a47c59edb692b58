import { useEffect } from 'react'
import type { HardwareInfo, ModelsView, SensorReading } from '../../../src-preload/contract/index.ts'
import { formatBytes, formatMemory } from '../../format/index.ts'
import { useConnection, useSensors, useStatus } from '../../stores/context.tsx'
import { readWhileVisible } from '../../stores/sensors.ts'
import { Card, ErrorState, Share } from '../../widgets/index.ts'

type GpuReading = SensorReading['gpus'][number]

/** Memory as it is now, and the disk. */
export function RoomPanel({ disk }: { disk: ModelsView['disk'] }) {
  return (
    <Card id="room" title="Room on this machine">
      <Memory />
      <Disk disk={disk} />
    </Card>
  )
}

function Memory() {
  const { reading, error, read } = useSensors((state) => state)
  const hardware = useStatus((state) => state.status?.hardware)
  const offline = useConnection((state) => state.phase === 'offline')

  useEffect(() => {
    if (offline) return
    return readWhileVisible(() => void read(), document)
  }, [offline, read])

  if (offline) return <p className="muted">No live figures while the host is out of reach.</p>
  if (error !== null) return <ErrorState error={error} />
  return (
    <div className="room">
      <MainMemory reading={reading} totalBytes={hardware?.memoryTotalBytes ?? null} />
      {(hardware?.gpus ?? []).map((gpu) => (
        <Gpu key={gpu.id} gpu={gpu} reading={reading?.gpus.find(({ id }) => id === gpu.id) ?? null} />
      ))}
      {reading === null || reading.onMains ? null : (
        <p className="room__note">
          On battery{reading.battery === null ? '' : `, ${Math.round(reading.battery.percent)} % left`}.
        </p>
      )}
    </div>
  )
}

function MainMemory({ reading, totalBytes }: { reading: SensorReading | null; totalBytes: number | null }) {
  const available = reading?.memoryAvailableBytes ?? null
  const total = totalBytes === null ? '' : ` of ${formatMemory(totalBytes)}`
  return (
    <div className="room__row">
      <p className="room__label">Memory</p>
      <p className="figures">
        {available === null ? (
          <span className="muted">{reading === null ? 'Reading…' : 'The system does not say'}</span>
        ) : (
          <>
            <strong>{formatMemory(available)} free</strong>
            <span className="muted">{total}</span>
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
  const used = reading?.vramUsedBytes ?? null
  const total = gpu.vramTotalBytes
  return (
    <div className="room__row">
      <p className="room__label">{gpu.name}</p>
      <p className="figures">
        {used === null || total === null ? (
          <span className="muted">
            {gpu.isUnified ? 'Shares the memory above' : 'Memory in use not known'}
          </span>
        ) : (
          <>
            <strong>{formatMemory(Math.max(0, total - used))} free</strong>
            <span className="muted"> of {formatMemory(total)}</span>
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
    load === null ? null : `${Math.round(load * 100)} % busy`,
    temperatureC === null ? null : `${Math.round(temperatureC)} °C`,
    powerW === null ? null : `${Math.round(powerW)} W`,
  ]
    .filter((words) => words !== null)
    .join(' · ')
}

function Disk({ disk }: { disk: ModelsView['disk'] }) {
  const { installedBytes, downloadingBytes, freeBytes } = disk
  return (
    <div className="room__row">
      <p className="room__label">Disk</p>
      <p className="figures">
        <strong>{formatBytes(freeBytes)} free</strong>
        <span className="muted room__sensors">
          {formatBytes(installedBytes)} in models
          {downloadingBytes === 0 ? '' : ` · ${formatBytes(downloadingBytes)} in unfinished downloads`}
        </span>
      </p>
      <Share of={installedBytes + downloadingBytes} total={installedBytes + downloadingBytes + freeBytes} />
    </div>
  )
}
