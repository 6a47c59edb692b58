import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../kernel/index.ts'
import { systemDisk } from './download/disk.ts'
import { fragileDisk } from './download/testing/house.ts'
import { type Library, openLibrary } from './library.ts'
import { tinyGguf, writeTinyGguf } from './testing/tiny-gguf.ts'

let root: string
let directory: string
let library: Library
const open = (disk = systemDisk): Promise<Library> => openLibrary({ directory, disk, clock: systemClock })
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'tirami-library-'))
  directory = join(root, 'models')
  library = await open()
})
afterEach(() => rmSync(root, { recursive: true }))

const arrival = {
  id: 'tiny:1m',
  fileName: 'tiny-1m.gguf',
  sha256: 'a'.repeat(64),
  hashOrigin: 'catalogue' as const,
  license: 'MIT',
  source: 'tiny:1m',
}

async function install(id = arrival.id, fileName = arrival.fileName): Promise<void> {
  const from = writeTinyGguf(join(directory, 'arriving.part'))
  await library.install(from, { ...arrival, id, fileName, sizeBytes: statSync(from).size })
}

describe('an installed model', () => {
  test('is listed with the facts of its file, and still is after a restart', async () => {
    await install()
    for (const opened of [library, await open()]) {
      const [model, ...more] = await opened.list()
      expect(more).toEqual([])
      expect(model).toMatchObject({ ...withoutFileName(), owned: true, error: null })
      expect(model?.gguf).toMatchObject({ architecture: 'llama', sizeBytes: model?.sizeBytes })
      expect(await opened.has(arrival.id)).toBe(true)
    }
    expect(await library.ownedBytes()).toBe(tinyGguf().length)
    expect(statSync(join(directory, 'library.json')).mode & 0o777).toBe(0o600)
  })

  test('is deleted with its file', async () => {
    await install()
    await library.remove(arrival.id)
    expect(readdirSync(directory)).toEqual(['library.json'])
    expect(await library.list()).toEqual([])
    await expect(library.remove(arrival.id)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
  })

  test('whose file was cut short or is gone is listed with the reason and not given out', async () => {
    await install()
    writeFileSync(join(directory, arrival.fileName), tinyGguf().subarray(0, 5_000))
    expect((await library.list())[0]).toMatchObject({ gguf: null, error: { code: 'MODEL_FILE_INVALID' } })
    await expect(library.locate(arrival.id)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' })
    expect(await library.has(arrival.id)).toBe(false)
    rmSync(join(directory, arrival.fileName))
    expect((await library.list())[0]).toMatchObject({ error: { code: 'MODEL_FILE_MISSING' } })
  })

  test('whose file was exchanged for another model is not given out', async () => {
    await install()
    writeFileSync(join(directory, arrival.fileName), tinyGguf({ blockCount: 1 }))
    await expect(library.locate(arrival.id)).rejects.toMatchObject({ code: 'MODEL_FILE_CHANGED' })
  })

  test('does not overwrite a file that the owner put there', async () => {
    writeFileSync(join(directory, arrival.fileName), 'mine')
    await expect(install()).rejects.toMatchObject({ code: 'MODEL_FILE_EXISTS' })
    expect(readFileSync(join(directory, arrival.fileName), 'utf8')).toBe('mine')
    expect(await library.list()).toEqual([])
  })

  test.each(['replaceFile', 'rename'] as const)(
    'is there or not after a fault in %s, and can be tried again',
    async (fault) => {
      const disk = fragileDisk()
      library = await open(disk)
      let broken = true
      disk.before = (operation) => {
        if (broken && operation === fault) throw new Error('no')
      }
      await expect(install()).rejects.toThrow('no')
      expect(await (await open()).has(arrival.id)).toBe(false)
      broken = false
      await install()
      expect(await (await open()).has(arrival.id)).toBe(true)
    },
  )
})

describe("the owner's own file", () => {
  test('is added by reference and stays when the model is deleted', async () => {
    const path = writeTinyGguf(join(root, 'My Model.gguf'))
    const added = await library.addFile(path)
    expect(added).toMatchObject({
      id: 'file:my-model',
      path,
      owned: false,
      sha256: null,
      hashOrigin: null,
      license: 'mit',
    })
    expect(await library.ownedBytes()).toBe(0)
    await library.remove(added.id)
    expect(existsSync(path)).toBe(true)
    expect(await library.list()).toEqual([])
  })

  test('is one model under all its names', async () => {
    const path = writeTinyGguf(join(root, 'a.gguf'))
    symlinkSync(path, join(root, 'b.gguf'))
    await library.addFile(path)
    await expect(library.addFile(join(root, 'b.gguf'))).rejects.toMatchObject({
      code: 'MODEL_ALREADY_INSTALLED',
    })
  })

  test('gets an id of its own', async () => {
    const first = await library.addFile(writeTinyGguf(join(root, 'a.gguf')))
    const second = await library.addFile(writeTinyGguf(join(root, 'A.gguf')))
    expect([first.id, second.id]).toEqual(['file:a', 'file:a-2'])
  })

  test.each([
    ['no model', 'text.gguf', 'MODEL_FILE_INVALID'],
    ['not there', 'absent.gguf', 'MODEL_FILE_MISSING'],
  ])('that is %s is refused', async (_, name, code) => {
    writeFileSync(join(root, 'text.gguf'), 'hello')
    await expect(library.addFile(join(root, name))).rejects.toMatchObject({ code })
    await expect(library.addFile(root)).rejects.toMatchObject({ code: 'MODEL_FILE_INVALID' })
    await expect(library.addFile('a.gguf')).rejects.toMatchObject({ code: 'MODEL_PATH_RELATIVE' })
    expect(await library.list()).toEqual([])
  })

  test('is added once when asked for at the same moment', async () => {
    const path = writeTinyGguf(join(root, 'a.gguf'))
    const outcomes = await Promise.allSettled([library.addFile(path), library.addFile(path)])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })
})

test('a list that cannot be read stops the start and is not overwritten', async () => {
  writeFileSync(
    join(directory, 'library.json'),
    '{"version":1,"models":[{"id":"x","file":{"kind":"owned","name":"../x.gguf"}}]}',
  )
  await expect(open()).rejects.toMatchObject({ code: 'MODEL_LIBRARY_DAMAGED' })
})

function withoutFileName() {
  const { fileName: _, ...facts } = arrival
  return facts
}
