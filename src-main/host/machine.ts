import { freemem } from 'node:os'
import type { EngineStatus, HardwareInfo, SensorReading } from '../../src-preload/contract/index.ts'
import {
  chooseGpus,
  computeState,
  computeWords,
  type GpuChoice,
  type GpuRule,
  type Hardware,
  type HardwareMonitor,
  type Sensors,
} from '../hardware/index.ts'
import type { MachineMemory } from '../models/index.ts'

/** The machine as the window and the model desk see it. */
export interface Machine {
  /** Null until the first look, which begins with the machine, is over. */
  info(engine: EngineStatus): HardwareInfo | null
  /** @param listener called once, when the machine has been looked at */
  onLook(listener: () => void): void
  sensors(): Promise<SensorReading>
  /** What a model could use now. @param givenBackBytes memory that the model in use would free */
  room(givenBackBytes: number): Promise<ModelRoom>
}

/** Memory for a model, and the GPUs that the owner lets it have. */
export interface ModelRoom extends MachineMemory {
  device: GpuChoice['device']
  /** The layers on the GPU are to be counted: the owner limits its memory. */
  capped: boolean
}

/** @param gpuRules what the owner lets the engine do with single GPUs; asked every time */
export function createMachine(
  monitor: HardwareMonitor,
  gpuRules: () => readonly GpuRule[] = () => [],
): Machine {
  let known: Hardware | null = null
  const looked = monitor.hardware().then((hardware) => {
    known = hardware
  })
  return {
    onLook: (listener) => void looked.then(listener),
    info: (engine) => known && hardwareInfo(known, engine, gpuRules()),
    sensors: async () => reading(await monitor.sensors()),
    room: async (givenBackBytes) => {
      const [hardware, sensors] = await Promise.all([monitor.hardware(), monitor.sensors()])
      const freeRamBytes = (sensors.memoryAvailableBytes ?? freemem()) + givenBackBytes
      const room = { freeRamBytes, givenBackBytes }
      const { device, memory, capped } = chooseGpus(hardware, sensors, gpuRules(), room)
      return { freeRamBytes, gpu: memory, device, capped }
    },
  }
}

function hardwareInfo(hardware: Hardware, engine: EngineStatus, rules: readonly GpuRule[]): HardwareInfo {
  const { cpu, memoryTotalBytes, gpus } = hardware
  const nothing = { freeRamBytes: 0, givenBackBytes: 0 }
  const { device, why } = chooseGpus(hardware, { gpus: [] }, rules, nothing)
  // What the owner keeps for himself is not missed.
  const usable = gpus.filter(({ id }) => rules.find((rule) => rule.id === id)?.use !== false)
  const seen = { ...hardware, gpus: device === 'cpu' ? [] : usable }
  const compute = computeState(seen, engine)
  const isElsewhere = engine.state === 'ready' && engine.backend === null
  const words = isElsewhere
    ? computeWords('elsewhere', { server: engine.deviceName ?? '?' })
    : why !== null && engine.backend === 'cpu'
      ? computeWords(why)
      : {}
  return { cpu, memoryTotalBytes, gpus, compute: { ...compute, ...words } }
}

function reading({ cpuEnergyJ: _counter, ...sensors }: Sensors): SensorReading {
  return sensors
}
