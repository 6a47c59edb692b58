import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemDisk } from './disk.ts'
import { DiskFull } from './errors.ts'
import { sha256OfFile } from './hash.ts'
import { sha256Hex } from './testing/faulty-server.ts'
import { withDirectory } from './testing/house.ts'

const never = new AbortController().signal

test.skipIf(!existsSync('/dev/full'))('a full device is told apart from a broken one', async () => {
  const file = await systemDisk.openPart('/dev/full')
  await expect(file.write(Buffer.alloc(100_000), 0)).rejects.toBeInstanceOf(DiskFull)
  await file.close()
})

test('parts are written in any order, cut and lengthened', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'a.part')
    const file = await systemDisk.openPart(path)
    await file.resize(6)
    await file.write(Buffer.from('def'), 3)
    await file.write(Buffer.from('abc'), 0)
    await file.sync()
    expect(readFileSync(path, 'utf8')).toBe('abcdef')
    expect(await sha256OfFile(path, never)).toBe(sha256Hex(Buffer.from('abcdef')))
    await file.resize(2)
    await file.close()
    expect(readFileSync(path, 'utf8')).toBe('ab')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  }))

test('a small file is replaced as a whole or not at all', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'a.json')
    await systemDisk.replaceFile(path, 'one')
    await systemDisk.replaceFile(path, 'two')
    expect(readFileSync(path, 'utf8')).toBe('two')
    mkdirSync(join(directory, 'taken', 'full'), { recursive: true })
    await expect(systemDisk.replaceFile(join(directory, 'taken'), 'three')).rejects.toThrow()
    expect(readdirSync(directory).sort()).toEqual(['a.json', 'taken'])
  }))

test('hashing can be cancelled', () =>
  withDirectory(async (directory) => {
    await systemDisk.replaceFile(join(directory, 'a'), 'text')
    await expect(sha256OfFile(join(directory, 'a'), AbortSignal.abort(new Error('enough')))).rejects.toThrow(
      'enough',
    )
  }))
