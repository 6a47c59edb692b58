import { cpus } from 'node:os'

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export const inMs = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`
export const inMib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`

export function describeMachine(): void {
  const cpu = cpus()
  console.log(`${cpu.length} × ${cpu[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}\n`)
}

/** One question, our answer, and what it is measured against in the same run. */
export function report(question: string, ours: string, reference: string, ratio: string): void {
  console.log(`${question}\n  ours       ${ours}\n  reference  ${reference}\n  ratio      ${ratio}\n`)
}
