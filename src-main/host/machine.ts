import { freemem } from 'node:os'
import type { EngineStatus, HardwareInfo, SensorReading } from '../../src-preload/contract/index.ts'
import { computeState, type Hardware, type HardwareMonitor, type Sensors } from '../hardware/index.ts'
import type { MachineMemory } from '../models/index.ts'

/** The machine as the window and the model desk see it. */
export interface Machine {
  /** Null until the first look, which begins with the machine, is over. */
  info(engine: EngineStatus): HardwareInfo | null
  /** @param listener called once, when the machine has been looked at */
  onLook(listener: () => void): void
  sensors(): Promise<SensorReading>
  /** What a model could use now. @param givenBackBytes memory that the model in use would free */
  memory(givenBackBytes: number): Promise<MachineMemory>
}

export function createMachine(monitor: HardwareMonitor): Machine {
  let known: Hardware | null = null
  const looked = monitor.hardware().then((hardware) => {
    known = hardware
  })
  return {
    onLook: (listener) => void looked.then(listener),
    info: (engine) => known && hardwareInfo(known, engine),
    sensors: async () => reading(await monitor.sensors()),
    memory: async (givenBackBytes) => {
      const [hardware, sensors] = await Promise.all([monitor.hardware(), monitor.sensors()])
      return memoryOf(hardware, sensors, givenBackBytes)
    },
  }
}

function hardwareInfo(hardware: Hardware, engine: EngineStatus): HardwareInfo {
  const { cpu, memoryTotalBytes, gpus } = hardware
  const compute = computeState(hardware, engine)
  const isElsewhere = engine.state === 'ready' && engine.backend === null
  const sentence = isElsewhere ? `The server at ${engine.deviceName} computes.` : compute.sentence
  return { cpu, memoryTotalBytes, gpus, compute: { ...compute, sentence } }
}

function reading({ cpuEnergyJ: _counter, ...sensors }: Sensors): SensorReading {
  return sensors
}

/** The GPU with the most free memory; one that does not say how much it has is left out. */
function memoryOf(hardware: Hardware, sensors: Sensors, givenBackBytes: number): MachineMemory {
  const freeRamBytes = (sensors.memoryAvailableBytes ?? freemem()) + givenBackBytes
  const gpus = hardware.gpus.flatMap(({ id, vramTotalBytes, isUnified }) => {
    if (vramTotalBytes === null) return []
    const usedBytes = sensors.gpus.find((live) => live.id === id)?.vramUsedBytes ?? 0
    const ownBytes = vramTotalBytes - usedBytes + givenBackBytes
    return { freeVramBytes: isUnified ? Math.min(vramTotalBytes, freeRamBytes) : ownBytes, isUnified }
  })
  const hasBackend = hardware.backends[0] !== 'cpu'
  const gpu = gpus.sort((left, right) => right.freeVramBytes - left.freeVramBytes)[0]
  return { freeRamBytes, gpu: hasBackend && gpu ? gpu : null }
}
