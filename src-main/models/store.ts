import { join } from 'node:path'
import type { Clock, Rng } from '../kernel/index.ts'
import { type Catalogue, loadCatalogue } from './catalogue.ts'
import { systemDisk } from './download/disk.ts'
import { type Downloads, type Metering, openDownloads } from './download/manager.ts'
import { createNet, type Net } from './download/net.ts'
import { sleepUnlessAborted } from './download/transfer.ts'
import { type Library, openLibrary } from './library.ts'
import { parseSource } from './source.ts'

/** Everything about model files: what could be here, what is on its way, what is here. */
export interface ModelStore {
  catalogue: Catalogue
  library: Library
  downloads: Downloads
  /**
   * Takes what an owner typed and downloads the model, or adds the file that was named.
   * @throws TiramiError MODEL_SOURCE_*, MODEL_FILE_*, MODEL_ALREADY_INSTALLED, DOWNLOAD_*
   */
  add(typed: string): Promise<Added>
  diskUse(): Promise<DiskUse>
  /** Lets go of everything; what was downloading goes on at the next start. */
  close(): Promise<void>
}

export type Added =
  | { kind: 'download'; download: Awaited<ReturnType<Downloads['start']>> }
  | { kind: 'model'; model: Awaited<ReturnType<Library['addFile']>> }

/** Bytes on the volume of the models folder. */
export interface DiskUse {
  installedBytes: number
  /** Unfinished and quarantined files. */
  downloadingBytes: number
  freeBytes: number
}

export interface ModelStoreOptions {
  /** Models and downloads lie here; made if missing, readable by the owner only. */
  directory: string
  /** The catalogue that ships with the app. */
  cataloguePath: string
  clock: Clock
  rng: Rng
  metering: Metering
  /** Download on a network that charges by volume. */
  allowMetered?: boolean
  /** `null`: as fast as it goes. */
  bytesPerSecond?: number | null
  /** Where downloads come from; https to public addresses when absent. */
  net?: Net
}

/**
 * Opens the models folder and goes on with downloads that were under way.
 * @throws TiramiError MODEL_CATALOGUE_DAMAGED, MODEL_LIBRARY_DAMAGED
 */
export async function openModelStore(options: ModelStoreOptions): Promise<ModelStore> {
  const { directory, cataloguePath, net = createNet(), ...rest } = options
  const catalogue = await loadCatalogue(cataloguePath)
  const disk = systemDisk
  const library = await openLibrary({ directory, disk, clock: options.clock })
  const downloads = await openDownloads({
    ...rest,
    directory: join(directory, 'downloads'),
    library,
    net,
    disk,
    sleep: sleepUnlessAborted,
  })
  return {
    catalogue,
    library,
    downloads,
    async add(typed) {
      const source = parseSource(typed, catalogue)
      if (source.kind === 'file') return { kind: 'model', model: await library.addFile(source.path) }
      return { kind: 'download', download: await downloads.start(source) }
    },
    async diskUse() {
      const [installedBytes, downloadingBytes, freeBytes] = await Promise.all([
        library.ownedBytes(),
        downloads.usedBytes(),
        disk.freeBytes(directory),
      ])
      return { installedBytes, downloadingBytes, freeBytes }
    },
    close: () => downloads.close(),
  }
}
