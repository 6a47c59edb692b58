import { z } from 'zod'
import {
  type CallResult,
  type EventName,
  events,
  type HostEvent,
  HostStatus,
  PublicErrorSchema,
} from '../../src-preload/contract/index.ts'

import type { ShellReading } from '../host/index.ts'

/** What main and the host process say to each other over the parent port. Both sides parse what they get. */

const EngineId = z.number().int().positive()
const CallId = z.number().int().positive()

const eventOf = <E extends EventName>(name: E) =>
  z.object({ seq: z.number().int().nonnegative(), name: z.literal(name), data: events[name] })

const [first, ...rest] = (Object.keys(events) as EventName[]).map(eventOf)
if (first === undefined) throw new Error('the contract has no events')
/** Every event of the contract, by its own schema. */
const HostEventSchema = z.discriminatedUnion('name', [first, ...rest]) as unknown as z.ZodType<HostEvent>

/** The result itself is parsed where the procedure is known. */
const CallResultEnvelope = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error: PublicErrorSchema }),
])
export type CallResultEnvelope = z.infer<typeof CallResultEnvelope>

const ShellReadingSchema = z.strictObject({
  atMs: z.number().int().nonnegative(),
  idleSeconds: z.number().int().nonnegative().nullable(),
  locked: z.boolean().nullable(),
  onBattery: z.boolean().nullable(),
  thermal: z.enum(['nominal', 'fair', 'serious', 'critical']).nullable(),
}) satisfies z.ZodType<ShellReading>

export const MainToHost = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('start'),
    dataDirectory: z.string().min(1),
    /** `resources/` of the installation. */
    resourcesDirectory: z.string().min(1),
    /** Model id or path of a GGUF file; the embedded model when null. */
    modelPath: z.string().min(1).nullable(),
    /** Port of the inference API, from the command line; as the owner chose when null. */
    port: z.number().int().min(0).max(65_535).nullable(),
    /** The app serves the window itself; the host serves no dashboard. */
    rendererless: z.literal(true),
    /** No model, no network: nothing is served. */
    safeMode: z.boolean(),
  }),
  z.strictObject({ type: z.literal('call'), id: CallId, procedure: z.string().max(64), input: z.unknown() }),
  /** Comes with one end of the port to that engine. */
  z.strictObject({ type: z.literal('engine-port'), engineId: EngineId }),
  z.strictObject({ type: z.literal('engine-exit'), engineId: EngineId, code: z.number().int().nullable() }),
  /** What only main can see of the machine and its user. */
  z.strictObject({ type: z.literal('seen'), reading: ShellReadingSchema }),
  z.strictObject({ type: z.literal('stop') }),
])
export type MainToHost = z.infer<typeof MainToHost>
export type StartMessage = Extract<MainToHost, { type: 'start' }>

export const HostToMain = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), status: HostStatus }),
  z.strictObject({ type: z.literal('failed'), error: PublicErrorSchema }),
  z.strictObject({ type: z.literal('result'), id: CallId, result: CallResultEnvelope }),
  z.strictObject({ type: z.literal('event'), event: HostEventSchema }),
  z.strictObject({ type: z.literal('spawn-engine'), engineId: EngineId }),
  z.strictObject({ type: z.literal('kill-engine'), engineId: EngineId }),
  z.strictObject({ type: z.literal('stopped') }),
  /** The owner wants the host to start anew. */
  z.strictObject({ type: z.literal('restart') }),
])
export type HostToMain = z.infer<typeof HostToMain>

export function failure(code: string, message: string, nextStep: string): CallResult & { ok: false } {
  return { ok: false, error: { code, message, nextStep } }
}
