import { z } from 'zod'
import { hexFromBytes, sha256, TiramiError } from '../kernel/index.ts'
import { decodeSafetensors, type ElementType, encodeSafetensors, type StoredTensor } from './safetensors.ts'
import { type Cycles, type NetworkShape, parameterCount, parameterShapes } from './shape.ts'
import type { TrainedModel } from './trainer.ts'

const count = z.int().min(1)

const mixerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('mlp'), tokens: count.max(4096) }),
  z.strictObject({ kind: z.literal('attention'), heads: count.max(64) }),
  z.strictObject({ kind: z.literal('convolution') }),
  z.strictObject({ kind: z.literal('group'), boxHeight: count.max(5), boxWidth: count.max(5) }),
])

const shapeSchema = z.strictObject({
  mixer: mixerSchema,
  width: count.multipleOf(4).max(1024),
  layers: count.max(16),
  expansion: count.max(8),
  vocabulary: count.max(65_536),
  classes: z.int().min(2).max(65_536),
  output: z.enum(['stable-max', 'softmax']),
})

const manifestSchema = z.strictObject({
  format: z.literal(1),
  task: z.string(),
  file: z.string(),
  /** Of the weights file. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: count,
  parameters: count,
  shape: shapeSchema,
  cycles: z.strictObject({ inner: count.max(64), outer: count.max(64) }),
  seed: z.int(),
  trainingSteps: count,
  /** Of the training examples, before they are varied. */
  trainingSetSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Figures measured on unseen questions, by name. */
  metrics: z.record(z.string(), z.union([z.number(), z.record(z.string(), z.number())])),
  license: z.string(),
})

/** What stands beside a weights file: where it comes from and how good it is. */
export type Manifest = z.infer<typeof manifestSchema>

export interface Checkpoint {
  readonly manifest: Manifest
  readonly model: TrainedModel
  readonly cycles: Cycles
}

function invalid(message: string): TiramiError {
  return new TiramiError('CHECKPOINT_INVALID', `The weights cannot be used: ${message}.`, {
    nextStep: 'Train the model again, or install the app again.',
  })
}

const STATE_NAME = 'initial_state'

/** Tensors that a file of this network holds, with their shapes. */
function expectedShapes(shape: NetworkShape): Map<string, readonly number[]> {
  const parameters = parameterShapes(shape).map(
    ([name, rows, columns]) => [name, [rows, columns]] as [string, readonly number[]],
  )
  return new Map([...parameters, [STATE_NAME, [2, shape.width]]])
}

/** The weights as a safetensors file. */
export function encodeWeights(model: TrainedModel, type: ElementType): Uint8Array {
  const tensors = new Map<string, StoredTensor>()
  for (const [name, shape] of expectedShapes(model.shape)) {
    const values = name === STATE_NAME ? model.start : model.parameters.get(name)
    if (!values) throw new RangeError(`the model has no ${name}`)
    tensors.set(name, { shape, values })
  }
  return encodeSafetensors(tensors, type)
}

/** What is known of a trained model, besides what follows from its file. */
export type ManifestFacts = Omit<Manifest, 'format' | 'sha256' | 'sizeBytes' | 'parameters' | 'shape'>

export function describeWeights(file: Uint8Array, shape: NetworkShape, facts: ManifestFacts): Manifest {
  const { task, file: name, ...rest } = facts
  const identity = {
    format: 1 as const,
    task,
    file: name,
    sha256: hexFromBytes(sha256(file)),
    sizeBytes: file.length,
  }
  return { ...identity, parameters: parameterCount(shape), shape, ...rest }
}

/**
 * Reads a checkpoint and checks it against its manifest.
 * @throws TiramiError CHECKPOINT_INVALID if the manifest is not one, or the file has another hash, size, tensor or shape.
 */
export function loadCheckpoint(file: Uint8Array, manifestJson: unknown): Checkpoint {
  const parsed = manifestSchema.safeParse(manifestJson)
  if (!parsed.success) throw invalid('their manifest is not in the expected form')
  const manifest = parsed.data
  if (file.length !== manifest.sizeBytes) throw invalid('the file has not the size of its manifest')
  if (hexFromBytes(sha256(file)) !== manifest.sha256)
    throw invalid('the file has not the hash of its manifest')
  return { manifest, model: decodeWeights(file, manifest.shape), cycles: manifest.cycles }
}

/** @throws TiramiError CHECKPOINT_INVALID if the file is damaged or holds other tensors than the network needs. */
export function decodeWeights(file: Uint8Array, shape: NetworkShape): TrainedModel {
  const tensors = decodeSafetensors(file)
  const expected = expectedShapes(shape)
  for (const name of tensors.keys())
    if (!expected.has(name)) throw invalid(`the network has no tensor ${name}`)
  const read = (name: string): Float32Array => {
    const [tensor, wanted] = [tensors.get(name), expected.get(name) ?? []]
    if (!tensor) throw invalid(`${name} is missing`)
    const fits =
      tensor.shape.length === wanted.length && tensor.shape.every((extent, i) => extent === wanted[i])
    if (!fits) throw invalid(`${name} has shape [${tensor.shape}] instead of [${wanted}]`)
    if (!tensor.values.every(Number.isFinite)) throw invalid(`${name} holds a number that is not finite`)
    return tensor.values
  }
  const parameters = parameterShapes(shape).map(([name]) => [name, read(name)] as const)
  return { shape, parameters: new Map(parameters), start: read(STATE_NAME) }
}
