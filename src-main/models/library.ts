import { open, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { type Clock, type PublicError, TiramiError, toPublicError } from '../kernel/index.ts'
import { type Disk, readText } from './download/disk.ts'
import { FileName, HashOrigin } from './download/record.ts'
import { serially } from './download/serially.ts'
import { type GgufModel, readGgufModel } from './gguf.ts'

const LibraryRecord = z.strictObject({
  id: z.string().min(1).max(2_200),
  /** A name in the models folder, or the absolute path of a file that belongs to the owner. */
  file: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('owned'), name: FileName }),
    z.strictObject({ kind: z.literal('reference'), path: z.string().max(4_096) }),
  ]),
  sizeBytes: z.number().int().nonnegative(),
  sha256: z.string().nullable(),
  hashOrigin: HashOrigin.nullable(),
  license: z.string().nullable(),
  /** What the owner typed to get it. */
  source: z.string(),
  addedAtMs: z.number().int().nonnegative(),
})
type LibraryRecord = z.infer<typeof LibraryRecord>

const LibraryFile = z.strictObject({ version: z.literal(1), models: z.array(LibraryRecord).max(10_000) })

export interface InstalledModel {
  id: string
  path: string
  /** Whether the file lies in the models folder and goes when the model is deleted. */
  owned: boolean
  sizeBytes: number
  sha256: string | null
  hashOrigin: HashOrigin | null
  license: string | null
  source: string
  addedAtMs: number
  /** Facts of the file's header; null where it cannot be used, and then `error` says why. */
  gguf: GgufModel | null
  error: PublicError | null
}

/** A verified download that is ready to move in. */
export type Arrival = Pick<
  LibraryRecord,
  'id' | 'sizeBytes' | 'sha256' | 'hashOrigin' | 'license' | 'source'
> & {
  fileName: string
}

export interface Library {
  /** Every model, usable or not, oldest first. */
  list(): Promise<InstalledModel[]>
  /** @throws TiramiError MODEL_UNKNOWN (404), or why the file cannot be used */
  locate(id: string): Promise<InstalledModel & { gguf: GgufModel }>
  /** Whether a model of this id is here, whole as far as its size tells. */
  has(id: string): Promise<boolean>
  /** Moves a verified file in. @throws TiramiError MODEL_FILE_EXISTS (409) when the name is somebody else's */
  install(fromPath: string, arrival: Arrival): Promise<void>
  /** Adds a file by reference; it stays where it is. @throws TiramiError MODEL_FILE_*, MODEL_ALREADY_INSTALLED */
  addFile(path: string): Promise<InstalledModel>
  /** Forgets a model and deletes its file if the library owns it. @throws TiramiError MODEL_UNKNOWN (404) */
  remove(id: string): Promise<void>
  /** Bytes of the files that the library owns. */
  ownedBytes(): Promise<number>
}

export interface LibraryOptions {
  /** The models folder; made if missing, readable by the owner only. */
  directory: string
  disk: Disk
  clock: Clock
}

const INDEX_NAME = 'library.json'

/** @throws TiramiError MODEL_LIBRARY_DAMAGED (500) when the list of models cannot be read */
export async function openLibrary({ directory, disk, clock }: LibraryOptions): Promise<Library> {
  await disk.makeDirectory(directory)
  const indexPath = join(directory, INDEX_NAME)
  let records = await readIndex(indexPath)
  const inOrder = serially()

  const save = async (next: LibraryRecord[]): Promise<void> => {
    await disk.replaceFile(indexPath, `${JSON.stringify({ version: 1, models: next }, null, 2)}\n`)
    records = next
  }
  const pathOf = ({ file }: LibraryRecord): string =>
    file.kind === 'owned' ? join(directory, file.name) : file.path
  const find = (id: string): LibraryRecord => {
    const record = records.find((candidate) => candidate.id === id)
    if (!record) throw unknownModel(id)
    return record
  }
  const read = async (record: LibraryRecord): Promise<GgufModel> => {
    const gguf = await readGgufModel(pathOf(record))
    if (gguf.sizeBytes !== record.sizeBytes) throw changedFile(record.id)
    return gguf
  }
  const factsOf = (record: LibraryRecord) => {
    const { file, ...facts } = record
    return { ...facts, path: pathOf(record), owned: file.kind === 'owned' }
  }
  const inspect = async (record: LibraryRecord): Promise<InstalledModel> => {
    try {
      return { ...factsOf(record), gguf: await read(record), error: null }
    } catch (error) {
      return { ...factsOf(record), gguf: null, error: toPublicError(error) }
    }
  }

  return {
    list: () => Promise.all(records.map(inspect)),

    async locate(id) {
      const record = find(id)
      return { ...factsOf(record), gguf: await read(record), error: null }
    },

    async has(id) {
      const record = records.find((candidate) => candidate.id === id)
      return record !== undefined && (await sizeOf(pathOf(record))) === record.sizeBytes
    },

    install: (fromPath, { fileName, ...facts }) =>
      inOrder(async () => {
        const ours = records.some(({ file }) => file.kind === 'owned' && file.name === fileName)
        if (!ours && (await sizeOf(join(directory, fileName))) !== null) throw fileExists(fileName)
        const record = {
          ...facts,
          file: { kind: 'owned' as const, name: fileName },
          addedAtMs: clock.nowMs(),
        }
        // The list first: a file that it does not name could never be deleted.
        await save([...records.filter(({ id }) => id !== facts.id), record])
        await disk.rename(fromPath, join(directory, fileName))
      }),

    addFile: (path) =>
      inOrder(async () => {
        const real = await realFile(path)
        const gguf = await readGgufModel(real)
        const known = records.find((record) => pathOf(record) === real)
        if (known) throw alreadyListed(known.id)
        const record: LibraryRecord = {
          id: freeId(gguf.fileName, records),
          file: { kind: 'reference', path: real },
          sizeBytes: gguf.sizeBytes,
          sha256: null,
          hashOrigin: null,
          license: gguf.license,
          source: path,
          addedAtMs: clock.nowMs(),
        }
        await save([...records, record])
        return inspect(record)
      }),

    remove: (id) =>
      inOrder(async () => {
        const record = find(id)
        // The file first: should the power fail in between, the list still names what is missing.
        if (record.file.kind === 'owned') await disk.remove(pathOf(record))
        await save(records.filter((other) => other !== record))
      }),

    async ownedBytes() {
      const owned = records.filter(({ file }) => file.kind === 'owned')
      const sizes = await Promise.all(owned.map((record) => sizeOf(pathOf(record))))
      return sizes.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0)
    },
  }
}

async function readIndex(path: string): Promise<LibraryRecord[]> {
  const text = await readText(path)
  if (text === null) return []
  try {
    return LibraryFile.parse(JSON.parse(text)).models
  } catch (cause) {
    throw new TiramiError('MODEL_LIBRARY_DAMAGED', `The list of models ${INDEX_NAME} cannot be read.`, {
      nextStep: 'Move the file away; the models can then be added again by their paths.',
      cause,
    })
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    const stats = await stat(path)
    return stats.isFile() ? stats.size : null
  } catch {
    return null
  }
}

/** The file behind all links, so that one file is one model. */
async function realFile(path: string): Promise<string> {
  if (!isAbsolute(path)) {
    throw new TiramiError('MODEL_PATH_RELATIVE', 'The path of a model file must be complete.', {
      nextStep: 'Give the whole path, from the root or the drive on.',
      httpStatus: 400,
    })
  }
  try {
    const real = await realpath(path)
    await (await open(real, 'r')).close()
    return real
  } catch {
    // The reader names the problem in the room's own words.
    await readGgufModel(path)
    return path
  }
}

/** A short id from the file's name that no other model has. */
function freeId(fileName: string, records: LibraryRecord[]): string {
  const stem = fileName
    .replace(/\.gguf$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .slice(0, 64)
  const base = `file:${stem === '' ? 'model' : stem}`
  const taken = new Set(records.map(({ id }) => id))
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`
    if (!taken.has(id)) return id
  }
}

function unknownModel(id: string): TiramiError {
  return new TiramiError('MODEL_UNKNOWN', `There is no model ${id.slice(0, 100)} here.`, {
    nextStep: 'Look at the list of models, or download it.',
    httpStatus: 404,
  })
}

function changedFile(id: string): TiramiError {
  return new TiramiError('MODEL_FILE_CHANGED', `The file of the model ${id} has changed its size.`, {
    nextStep: 'Delete the model and add or download it again.',
    httpStatus: 409,
  })
}

function fileExists(fileName: string): TiramiError {
  return new TiramiError(
    'MODEL_FILE_EXISTS',
    `A file ${fileName} that the library did not make is in the way.`,
    {
      nextStep: 'Move it out of the models folder, then resume the download.',
      httpStatus: 409,
    },
  )
}

function alreadyListed(id: string): TiramiError {
  return new TiramiError('MODEL_ALREADY_INSTALLED', `This file is already here as ${id}.`, {
    nextStep: 'Load it from the list of models.',
    httpStatus: 409,
  })
}
