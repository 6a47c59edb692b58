import {
  type AdamWStep,
  Arena,
  createSharedMemory,
  exactSineCosine,
  FLOAT_BYTES,
  seededRandom,
  type Tensor,
  TensorOps,
  WorkerPool,
} from '../tensor/index.ts'
import type { StepOutcome } from './network.ts'
import { type Cycles, flopPerCall, initialParameters, initialState, type NetworkShape } from './shape.ts'
import type { Example } from './tasks/task.ts'
import {
  BATCH_PARTS,
  type SharedTraining,
  sharedTraining,
  startRow,
  type TrainingLayout,
  trainingMemoryBytes,
} from './training-memory.ts'
import type { FreshSlot, GradientJob, TrainingSetup } from './training-worker.ts'

export interface TrainingStage {
  readonly from: number
  readonly cycles: Cycles
  /** In place of the recipe's: few, while hardly a sample is solved, let more samples be seen. */
  readonly supervisionSteps?: number
}

/** Everything that decides the trained weights, besides the examples and the code. */
export interface TrainingRecipe {
  readonly seed: number
  readonly shape: NetworkShape
  readonly cycles: Cycles
  /** Depth curriculum: each stage holds from the share `from` of all steps on (CGAR, Qasim and Zhang 2025). */
  readonly curriculum: readonly TrainingStage[]
  /** Samples trained on at once. */
  readonly slots: number
  readonly steps: number
  /** N_sup: a sample is given up after so many supervision steps. */
  readonly supervisionSteps: number
  /** Probability that a sample may not halt before a random step. */
  readonly exploration: number
  /**
   * Standard deviation of noise on where y and z of every second sample start. A network that reaches the answer from
   * anywhere goes on improving on larger questions than it was trained on (Anil et al. 2022, path independence).
   */
  readonly startDeviation?: number
  /**
   * Whether every optimiser step draws its T from 1 to the stage's: then no state may count on how often it has
   * been refined, as on larger questions it cannot.
   */
  readonly variesOuter?: boolean
  /**
   * How probably, before a step of a sample that stays, y and z in a random square of its grid start again from noise or,
   * half of the time, become those of another sample. A network that mends what is lost or wrong does not lose a whole
   * answer by one wrong token (Mordvintsev et al. 2020, growing neural cellular automata).
   */
  readonly damageProbability?: number
  /** How probably a sample starts where the last one of its slot stopped: sure of an answer that is wrong for it. */
  readonly keptStartProbability?: number
  readonly warmUpSteps: number
  readonly peakLearningRate: number
  /** The cosine ends at this fraction of the peak. */
  readonly finalLearningRateFraction: number
  readonly weightDecay: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly gradientNormLimit: number
  readonly haltLossWeight: number
  readonly averageDecay: number
}

export interface TrainedModel {
  readonly shape: NetworkShape
  /** The averaged weights by name. */
  readonly parameters: ReadonlyMap<string, Float32Array>
  /** [2, width]: where y and z start. */
  readonly start: Float32Array
}

export interface TrainingReport {
  readonly step: number
  /** Means over the slots and steps since the last report. */
  readonly loss: number
  readonly accuracy: number
  readonly exact: number
  /** Supervision steps that the samples finished since the last report had got. */
  readonly stepsPerSample: number
  readonly gradientNorm: number
  readonly milliseconds: number
  readonly flop: number
}

interface Slot {
  steps: number
  minimumSteps: number
}

/** Linear warm-up, then a cosine down to the final fraction (Loshchilov and Hutter 2017). */
function learningRateAt(step: number, recipe: TrainingRecipe): number {
  if (step <= recipe.warmUpSteps) return (recipe.peakLearningRate * step) / recipe.warmUpSteps
  const progress = (step - recipe.warmUpSteps) / (recipe.steps - recipe.warmUpSteps)
  const cosine = (1 + exactSineCosine(Math.PI * progress).cosine) / 2
  const final = recipe.finalLearningRateFraction
  return recipe.peakLearningRate * (final + (1 - final) * cosine)
}

/** Decay of the moving average at `step` from 1: follows quickly at first, so that the start weighs nothing. */
export function averageDecayAt(step: number, decay: number): number {
  return Math.min(decay, (1 + step) / (10 + step))
}

type Depth = Required<Omit<TrainingStage, 'from'>>

function depthAt(step: number, { steps, curriculum, cycles, supervisionSteps }: TrainingRecipe): Depth {
  const stage = curriculum.filter(({ from }) => from <= step / steps).at(-1)
  return { cycles, supervisionSteps, ...stage }
}

/** Sums since the last report. */
class Tally {
  #start = performance.now()
  #slots = 0
  #loss = 0
  #accuracy = 0
  #exact = 0
  #finished = 0
  #finishedSteps = 0
  #flop = 0

  step(outcomes: readonly StepOutcome[], flop: number): void {
    this.#flop += flop
    for (const { loss, accuracy, correct } of outcomes) {
      this.#slots++
      this.#loss += loss
      this.#accuracy += accuracy
      this.#exact += Number(correct)
    }
  }

  finish(steps: number): void {
    this.#finished++
    this.#finishedSteps += steps
  }

  report(step: number, gradientNorm: number): TrainingReport {
    return {
      step,
      loss: this.#loss / this.#slots,
      accuracy: this.#accuracy / this.#slots,
      exact: this.#exact / this.#slots,
      stepsPerSample: this.#finishedSteps / this.#finished,
      gradientNorm,
      milliseconds: performance.now() - this.#start,
      flop: this.#flop,
    }
  }
}

/**
 * Deep supervision with carried state and adaptive computation time: every slot keeps its example, y and z over
 * several optimiser steps, until its halting head says so or its steps are used up; then a new example moves in.
 */
export class RecursionTrainer {
  readonly #recipe: TrainingRecipe
  readonly #layout: TrainingLayout
  readonly #shared: SharedTraining
  readonly #memory: WebAssembly.Memory
  readonly #ops: TensorOps
  readonly #pool: WorkerPool<GradientJob, StepOutcome[]>
  readonly #random: () => number
  readonly #slots: Slot[]
  readonly #draw: () => Example
  #beta1Power = 1
  #beta2Power = 1

  /** `draw` gives the next training example; all have the same size. */
  constructor(recipe: TrainingRecipe, draw: () => Example, threads: number) {
    const first = draw()
    const { height, width } = first.instance
    const deepest = Math.max(recipe.cycles.inner, ...recipe.curriculum.map(({ cycles }) => cycles.inner))
    this.#recipe = recipe
    this.#draw = draw
    this.#layout = { shape: recipe.shape, height, width, slots: recipe.slots, calls: deepest + 1 }
    this.#shared = sharedTraining(this.#layout)
    this.#memory = createSharedMemory(trainingMemoryBytes(this.#layout, threads))
    // Updates need no scratch memory of their own, so they may name that of the first thread.
    this.#ops = new TensorOps(this.#memory, new Arena(this.#shared.end))
    this.#random = seededRandom(recipe.seed + 1)
    this.#initialise()
    this.#slots = Array.from({ length: recipe.slots }, () => ({ steps: 0, minimumSteps: 0 }))
    const setup: TrainingSetup = { memory: this.#memory, layout: this.#layout }
    this.#pool = new WorkerPool(new URL('./training-thread.ts', import.meta.url), threads, setup)
  }

  #initialise(): void {
    const { shape, seed } = this.#recipe
    for (const [name, values] of initialParameters(shape, seed)) {
      this.#floats(this.#shared.parameters.tensors.get(name)).set(values)
    }
    this.#floats(this.#shared.averages.flat).set(this.#floats(this.#shared.parameters.flat))
    this.#floats(this.#shared.start).set(initialState(shape.width, seed))
  }

  /** Runs all steps of the recipe; `report` is called every `interval` steps. */
  async train(
    interval: number,
    report: (report: TrainingReport, model: () => TrainedModel) => void,
  ): Promise<TrainedModel> {
    const recipe = this.#recipe
    let tally = new Tally()
    let halted = this.#slots.map((_, slot) => slot)
    for (let step = 1; step <= recipe.steps; step++) {
      const { cycles: deepest, supervisionSteps } = depthAt(step, recipe)
      const cycles = this.#cyclesOfStep(deepest)
      const fresh = halted.flatMap((slot) => this.#fill(slot, supervisionSteps) ?? [])
      this.#damage()
      const outcomes = await this.#gradients(cycles, fresh)
      const norm = this.#update(step)
      tally.step(outcomes, this.#flop(cycles))
      halted = this.#halted(outcomes, supervisionSteps, (steps) => tally.finish(steps))
      if (step % interval === 0 || step === recipe.steps) {
        report(tally.report(step, norm), () => this.model())
        tally = new Tally()
      }
    }
    return this.model()
  }

  #cyclesOfStep({ inner, outer }: Cycles): Cycles {
    if (!this.#recipe.variesOuter) return { inner, outer }
    return { inner, outer: 1 + Math.floor(this.#random() * outer) }
  }

  /** A new example moves in; what is returned starts afresh, null goes on from the state that its slot is in. */
  #fill(slot: number, supervisionSteps: number): FreshSlot | null {
    const { instance, targets } = this.#draw()
    const tokens = this.#layout.height * this.#layout.width
    const { buffer } = this.#memory
    const at = slot * tokens
    const integers = (offset: number): Int32Array => new Int32Array(buffer, offset + at * FLOAT_BYTES, tokens)
    const counted = targets.reduce((sum, target) => sum + Number(target >= 0), 0)
    const weight = 1 / (counted * this.#recipe.slots)
    const amplitude = Math.sqrt(this.#recipe.shape.width)
    const [scales, weights] = [this.#floats(this.#shared.scales), this.#floats(this.#shared.weights)]
    integers(this.#shared.tokens).set(instance.tokens)
    integers(this.#shared.targets).set(targets.map((target) => Math.max(target, 0)))
    for (let i = 0; i < tokens; i++) {
      scales[at + i] = amplitude * (instance.values?.[i] ?? 1)
      weights[at + i] = (targets[i] ?? -1) >= 0 ? weight : 0
    }
    const explores = this.#random() < this.#recipe.exploration
    const minimumSteps = explores ? 2 + Math.floor(this.#random() * (supervisionSteps - 1)) : 0
    const { steps } = this.#slots[slot] as Slot
    this.#slots[slot] = { steps: 0, minimumSteps }
    if (steps > 0 && this.#happens(this.#recipe.keptStartProbability)) return null
    return { slot, noise: this.#startNoise() }
  }

  /** Draws nothing where it never happens. */
  #happens(probability = 0): boolean {
    return probability > 0 && this.#random() < probability
  }

  #startNoise(): FreshSlot['noise'] {
    const deviation = this.#recipe.startDeviation ?? 0
    if (deviation === 0 || this.#random() < 0.5) return
    return { deviation, seed: Math.floor(this.#random() * 2 ** 32) }
  }

  /** No thread works on the states while this runs. */
  #damage(): void {
    const { damageProbability, startDeviation: deviation = 0 } = this.#recipe
    const tokens = this.#layout.height * this.#layout.width
    const floats = new Float32Array(this.#memory.buffer)
    for (const [slot, { steps }] of this.#slots.entries()) {
      if (steps === 0 || !this.#happens(damageProbability)) continue
      const other = this.#otherSlot(slot)
      for (const token of this.#randomSquare()) {
        if (other === null) this.#startAgain(floats, slot * tokens + token, deviation)
        else this.#copyState(floats, other * tokens + token, slot * tokens + token)
      }
    }
  }

  /** Whose state a damaged square takes; null for nobody's. */
  #otherSlot(slot: number): number | null {
    if (this.#random() < 0.5) return null
    return (slot + 1 + Math.floor(this.#random() * (this.#recipe.slots - 1))) % this.#recipe.slots
  }

  #copyState(floats: Float32Array, from: number, to: number): void {
    const { width } = this.#layout.shape
    for (const { offset } of [this.#shared.y, this.#shared.z]) {
      const base = offset / FLOAT_BYTES
      floats.copyWithin(base + to * width, base + from * width, base + (from + 1) * width)
    }
  }

  #startAgain(floats: Float32Array, row: number, deviation: number): void {
    const { width } = this.#layout.shape
    for (const [index, state] of [this.#shared.y, this.#shared.z].entries()) {
      const from = this.#shared.start.offset / FLOAT_BYTES + index * width
      const to = state.offset / FLOAT_BYTES + row * width
      startRow(floats, { to, from, width }, { deviation, random: this.#random })
    }
  }

  /** Tokens of a square of up to half the grid's side, somewhere in it. */
  #randomSquare(): number[] {
    const { height, width } = this.#layout
    const pick = (count: number): number => Math.floor(this.#random() * count)
    const side = 1 + pick(Math.floor(Math.min(height, width) / 2))
    const [row, column] = [pick(height - side + 1), pick(width - side + 1)]
    return Array.from(
      { length: side * side },
      (_, i) => (row + Math.floor(i / side)) * width + column + (i % side),
    )
  }

  async #gradients(cycles: Cycles, fresh: readonly FreshSlot[]): Promise<StepOutcome[]> {
    const { slots, haltLossWeight } = this.#recipe
    const slotsPerPart = slots / BATCH_PARTS
    const jobs = Array.from({ length: BATCH_PARTS }, (_, part): GradientJob => {
      const own = fresh.filter(({ slot }) => Math.floor(slot / slotsPerPart) === part)
      return { part, cycles, haltWeight: haltLossWeight / slots, fresh: own }
    })
    return (await this.#pool.run(jobs)).flat()
  }

  /** Sums the parts' gradients, clips, takes one AdamW step and moves the average; returns the norm before clipping. */
  #update(step: number): number {
    const { parameters, averages, firstMoments, secondMoments, gradients } = this.#shared
    const [sum, ...others] = gradients.map(({ flat }) => flat)
    if (!sum) throw new Error('no gradients')
    for (const other of others) this.#ops.addInPlace(sum, other)
    const recipe = this.#recipe
    const norm = Math.sqrt(this.#ops.sumOfSquares(sum))
    this.#beta1Power *= recipe.beta1
    this.#beta2Power *= recipe.beta2
    const adamW: AdamWStep = {
      learningRate: learningRateAt(step, recipe),
      beta1: recipe.beta1,
      beta2: recipe.beta2,
      epsilon: recipe.epsilon,
      weightDecay: recipe.weightDecay,
      beta1Power: this.#beta1Power,
      beta2Power: this.#beta2Power,
      gradientScale: Math.min(1, recipe.gradientNormLimit / (norm + 1e-6)),
    }
    this.#ops.adamW(parameters.flat, sum, firstMoments.flat, secondMoments.flat, adamW)
    const weight = 1 - averageDecayAt(step, recipe.averageDecay)
    this.#ops.movingAverage(averages.flat, parameters.flat, weight)
    return norm
  }

  /** Slots whose sample is done with. */
  #halted(
    outcomes: readonly StepOutcome[],
    supervisionSteps: number,
    finished: (steps: number) => void,
  ): number[] {
    const halted: number[] = []
    for (const [index, { haltProbability }] of outcomes.entries()) {
      const slot = this.#slots[index]
      if (!slot) throw new RangeError(`no slot ${index}`)
      slot.steps++
      const mayHalt = haltProbability > 0.5 && slot.steps >= slot.minimumSteps
      if (!mayHalt && slot.steps < supervisionSteps) continue
      halted.push(index)
      finished(slot.steps)
    }
    return halted
  }

  /** Operations of one optimiser step: forward everywhere, and twice that again where gradients flow. */
  #flop({ inner, outer }: Cycles): number {
    const calls = outer * (inner + 1) + 2 * (inner + 1)
    return (
      this.#recipe.slots * calls * flopPerCall(this.#recipe.shape, this.#layout.height * this.#layout.width)
    )
  }

  /** The averaged weights as they are now. */
  model(): TrainedModel {
    const { averages, start } = this.#shared
    const parameters = [...averages.tensors].map(
      ([name, tensor]) => [name, this.#floats(tensor).slice()] as const,
    )
    return { shape: this.#recipe.shape, parameters: new Map(parameters), start: this.#floats(start).slice() }
  }

  #floats(tensor: Tensor | undefined): Float32Array {
    if (!tensor) throw new Error('no such tensor')
    return new Float32Array(this.#memory.buffer, tensor.offset, tensor.rows * tensor.columns)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}
