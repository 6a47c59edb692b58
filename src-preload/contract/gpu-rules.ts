import { z } from 'zod'

/** What the owner lets the engine do with one GPU. One without a rule may be used freely. */
export const GpuRule = z.strictObject({
  /** As in `HardwareInfo`. */
  id: z.string().regex(/^[\w:.-]{1,80}$/),
  /** False: the engine leaves it alone. */
  use: z.boolean(),
  /** Most of its memory that a model may take; null: what is free. */
  maxMemoryGib: z.number().min(0.001).max(4_096).nullable(),
  /** Goes before the limit for all GPUs; null: that one holds. */
  maxTemperatureC: z.number().min(30).max(120).nullable(),
})
export type GpuRule = z.infer<typeof GpuRule>

export const GpuRules = z
  .array(GpuRule)
  .max(16)
  .refine((rules) => new Set(rules.map(({ id }) => id)).size === rules.length, 'name each GPU once')

const RULE = /^([\w:.-]{1,80})( off)?(?: (\d{1,4}(?:\.\d{1,3})?) GiB)?(?: (\d{1,3}(?:\.\d)?) C)?$/

/**
 * One line of `owner.yaml`: `GPU-0b1c off, pci:0000:03:00.0 8 GiB 80 C`.
 * @returns null where the text is not of that form or out of bounds
 */
export function gpuRulesIn(text: string): GpuRule[] | null {
  const entries = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
  const rules = entries.map((entry) => {
    const [, id, off, gib, celsius] = RULE.exec(entry) ?? []
    const number = (digits: string | undefined) => (digits === undefined ? null : Number(digits))
    return { id, use: off === undefined, maxMemoryGib: number(gib), maxTemperatureC: number(celsius) }
  })
  return GpuRules.safeParse(rules).data ?? null
}

/** A rule that allows all is none. */
export function gpuRulesText(rules: readonly GpuRule[]): string {
  return rules
    .filter(
      ({ use, maxMemoryGib, maxTemperatureC }) => !use || maxMemoryGib !== null || maxTemperatureC !== null,
    )
    .map(({ id, use, maxMemoryGib, maxTemperatureC }) =>
      [
        id,
        ...(use ? [] : ['off']),
        ...(maxMemoryGib === null ? [] : [`${Number(maxMemoryGib.toFixed(3))} GiB`]),
        ...(maxTemperatureC === null ? [] : [`${Number(maxTemperatureC.toFixed(1))} C`]),
      ].join(' '),
    )
    .join(', ')
}
