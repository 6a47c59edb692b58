// One training thread: gradients of its part of the slots, over the memory all threads share.

import { Arena, FLOAT_BYTES, seededRandom, type Tensor } from '../tensor/index.ts'
import { RecursiveNetwork, type StepOutcome } from './network.ts'
import type { Cycles } from './shape.ts'
import { BATCH_PARTS, passLimits, sharedTraining, startRow, type TrainingLayout } from './training-memory.ts'

export interface TrainingSetup {
  readonly memory: WebAssembly.Memory
  readonly layout: TrainingLayout
}

/** One supervision step of part number `part` of the slots. */
export interface GradientJob {
  readonly part: number
  readonly cycles: Cycles
  readonly haltWeight: number
  readonly fresh: readonly FreshSlot[]
}

/** Normal noise on a state. */
export interface StateNoise {
  readonly deviation: number
  readonly seed: number
}

/** A slot whose new example starts afresh. */
export interface FreshSlot {
  readonly slot: number
  /** On where they start. */
  readonly noise: StateNoise | undefined
}

/** The job handler of thread number `thread`. */
export function trainingWorker({ memory, layout }: TrainingSetup, thread: number) {
  const { shape, height, width } = layout
  const shared = sharedTraining(layout)
  const limits = passLimits(layout)
  const bytes = RecursiveNetwork.bytes(shape, limits, layout.calls)
  const arena = new Arena(shared.end + thread * bytes)
  const network = new RecursiveNetwork(memory, arena, shape, limits, layout.calls)
  const tokens = height * width
  const slotsPerPart = layout.slots / BATCH_PARTS
  const floats = new Float32Array(memory.buffer)

  const rowsOf = (tensor: Tensor, slot: number, slots: number): Tensor => ({
    offset: tensor.offset + slot * tokens * tensor.columns * FLOAT_BYTES,
    rows: slots * tokens,
    columns: tensor.columns,
  })

  function startAfresh({ slot, noise }: FreshSlot): void {
    const { width } = shape
    const rowNoise = noise ? { deviation: noise.deviation, random: seededRandom(noise.seed) } : null
    for (const [index, state] of [shared.y, shared.z].entries()) {
      const from = shared.start.offset / FLOAT_BYTES + index * width
      const first = rowsOf(state, slot, 1).offset / FLOAT_BYTES
      for (let token = 0; token < tokens; token++) {
        startRow(floats, { to: first + token * width, from, width }, rowNoise)
      }
    }
  }

  function pass(job: GradientJob, slot: number, samples: number): StepOutcome[] {
    const at = slot * tokens * FLOAT_BYTES
    const gradients = shared.gradients[job.part]
    if (!gradients) throw new RangeError(`no part ${job.part}`)
    return network.gradient(
      shared.parameters.tensors,
      gradients.tensors,
      { tokens: shared.tokens + at, scales: shared.scales.offset + at },
      { y: rowsOf(shared.y, slot, samples), z: rowsOf(shared.z, slot, samples) },
      { samples, height, width },
      job.cycles,
      {
        targets: shared.targets + at,
        weights: rowsOf(shared.weights, slot, samples),
        haltWeight: job.haltWeight,
      },
    )
  }

  return (job: GradientJob): StepOutcome[] => {
    const gradients = shared.gradients[job.part]
    if (!gradients) throw new RangeError(`no part ${job.part}`)
    network.ops.zero(gradients.flat)
    for (const fresh of job.fresh) startAfresh(fresh)
    const outcomes: StepOutcome[] = []
    const first = job.part * slotsPerPart
    for (let slot = first; slot < first + slotsPerPart; slot += limits.samples) {
      outcomes.push(...pass(job, slot, Math.min(limits.samples, first + slotsPerPart - slot)))
    }
    return outcomes
  }
}
