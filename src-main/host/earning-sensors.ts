import type { EarningSensorView } from '../../src-preload/contract/index.ts'
import type { EarningSnapshot, Reading } from '../earning/index.ts'

type Value = EarningSensorView['value']

const hottestOf = (gpus: readonly { celsius: number }[]): number =>
  Math.max(...gpus.map(({ celsius }) => celsius))

/** What the sensors say, for a person. */
export function sensorViews(snapshot: EarningSnapshot, nowMs: number): EarningSensorView[] {
  const view = <T>(
    name: EarningSensorView['name'],
    unit: EarningSensorView['unit'],
    reading: Reading<T>,
    shown: (value: T) => Value,
  ): EarningSensorView => ({
    name,
    unit,
    value: reading.known ? shown(reading.value) : null,
    known: reading.known,
    problem: reading.known ? null : reading.problem,
    source: reading.source,
    atMs: reading.atMs,
    ageMs: Math.max(0, nowMs - reading.atMs),
  })
  const same = (value: Value): Value => value
  return [
    view('idle', 's', snapshot.idleSeconds, Math.floor),
    view('locked', null, snapshot.locked, same),
    view('on-battery', null, snapshot.power, ({ onBattery }) => onBattery),
    view('battery-percent', '%', snapshot.power, ({ percent }) => percent),
    view('thermal', null, snapshot.thermal, same),
    view('exclusive-app', null, snapshot.exclusiveApp, same),
    view('full-screen', null, snapshot.fullScreen, same),
    view('metered', null, snapshot.metered, same),
    view('cpu-by-others', '%', snapshot.cpuByOthers, (share) => Math.round(share * 100)),
    view('memory-available', 'bytes', snapshot.memoryAvailableBytes, Math.round),
    view('gpu-temperature', '°C', snapshot.gpuTemperaturesC, hottestOf),
    view('cpu-temperature', '°C', snapshot.cpuTemperatureC, same),
    view('profit-per-kwh', 'currency', snapshot.profitPerKwh, same),
  ]
}
