import { z } from 'zod'
import { ReasonParams } from './errors.ts'

/** What computes, and what is wrong with it. Stable: the window has sentences for each. */
export const ComputeCode = z.enum([
  'unreported',
  'cpu',
  'backend',
  'gpu',
  'kept-off',
  'not-addressable',
  'elsewhere',
  'no-driver',
  'cpu-instead',
  'backend-instead',
])
export type ComputeCode = z.infer<typeof ComputeCode>

const Count = z.number().int().nonnegative()
const Fraction = z.number().min(0).max(1)

export const Backend = z.enum(['metal', 'cuda', 'vulkan', 'cpu'])
export type Backend = z.infer<typeof Backend>

const Gpu = z.object({
  /** Stays the same over restarts. */
  id: z.string(),
  vendor: z.enum(['nvidia', 'amd', 'intel', 'apple', 'other']),
  name: z.string(),
  /** Null: the system does not say. */
  vramTotalBytes: Count.nullable(),
  /** Its memory is a share of the main memory. */
  isUnified: z.boolean(),
  driverVersion: z.string().nullable(),
})

/** What the machine is made of, and whether the engine uses the best of it. */
export const HardwareInfo = z.object({
  cpu: z.object({ model: z.string(), cores: Count, physicalCores: Count.nullable() }),
  memoryTotalBytes: Count,
  gpus: z.array(Gpu),
  compute: z.object({
    backend: Backend.nullable(),
    expectedBackend: Backend,
    /** The engine computes with less than the machine has: never without saying so. */
    degraded: z.boolean(),
    sentence: z.string(),
    nextStep: z.string().nullable(),
    code: ComputeCode,
    /** `backend` and `expected` are backends. */
    params: ReasonParams,
  }),
})
export type HardwareInfo = z.infer<typeof HardwareInfo>

/** Live values; null where there is no sensor. */
export const SensorReading = z.object({
  atMs: Count,
  memoryAvailableBytes: Count.nullable(),
  cpuTemperatureC: z.number().nullable(),
  gpus: z.array(
    z.object({
      /** As in `HardwareInfo`. */
      id: z.string(),
      vramUsedBytes: Count.nullable(),
      load: Fraction.nullable(),
      temperatureC: z.number().nullable(),
      powerW: z.number().nullable(),
    }),
  ),
  battery: z.object({ percent: z.number(), isCharging: z.boolean() }).nullable(),
  onMains: z.boolean(),
})
export type SensorReading = z.infer<typeof SensorReading>
