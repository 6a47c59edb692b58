import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { loadCatalogue, memoryNeedBytes } from './catalogue.ts'
import { FileName } from './download/record.ts'

const PATH = fileURLToPath(new URL('../../resources/catalogue.json', import.meta.url))
const catalogue = await loadCatalogue(PATH)

describe('the catalogue that ships', () => {
  test.each([
    'smollm2:135m',
    'qwen2.5:0.5b',
    'qwen2.5:1.5b',
    'qwen2.5:3b',
    'qwen2.5:7b',
    'qwen2.5:14b',
    'qwen2.5:32b',
  ])('has %s with a pinned hash', (id) => {
    expect(catalogue.find(id)).toMatchObject({ modelId: id, isDefault: true, quantisation: 'Q4_K_M' })
    expect(catalogue.find(id)?.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  test('leads to Hugging Face only, at a commit wherever a hash is pinned, under names that are safe and unique', () => {
    const names = new Set<string>()
    for (const entry of catalogue.entries) {
      const url = new URL(entry.url)
      expect(url.origin).toBe('https://huggingface.co')
      expect(url.pathname).toBe(`/${entry.repository}/resolve/${entry.revision}/${entry.file}`)
      if (entry.sha256 !== null) expect(entry.revision).toMatch(/^[0-9a-f]{40}$/)
      expect(FileName.safeParse(entry.fileName).success).toBe(true)
      names.add(entry.fileName)
      expect(catalogue.find(entry.id)).toBe(entry)
    }
    expect(names.size).toBe(catalogue.entries.length)
  })

  test('pins every hash once', () => {
    const pinned = catalogue.entries.flatMap(({ sha256 }) => sha256 ?? [])
    expect(new Set(pinned).size).toBe(pinned.length)
  })

  test('names no model that is not there', () => {
    expect(catalogue.find('qwen2.5')).toBeUndefined()
    expect(catalogue.find('qwen2.5:0.5b-q3_k_m')).toBeUndefined()
  })
})

describe('memory by rule', () => {
  test('is the file, its cache and 256 MiB', () => {
    const attention = { layers: 24, kvHeads: 2, headLength: 64 }
    expect(memoryNeedBytes({ sizeBytes: 1_000, attention }, 4_096)).toBe(1_000 + 12_288 * 4_096 + 2 ** 28)
    expect(memoryNeedBytes({ sizeBytes: 1_000, attention: null }, 4_096)).toBe(1_000 + 200 + 2 ** 28)
    expect(memoryNeedBytes({ sizeBytes: null, attention }, 4_096)).toBeNull()
  })
})

describe('a catalogue with a fault in it is refused', () => {
  type Json = { version: number; models: { id: string; builds: Record<string, unknown>[] }[] }
  test.each<[string, (json: Json) => void]>([
    ['a hash that is none', (json) => Object.assign(json.models[0]?.builds[0] ?? {}, { sha256: 'abc' })],
    [
      'a pinned hash on a moving branch',
      (json) => Object.assign(json.models[0]?.builds[0] ?? {}, { revision: 'main' }),
    ],
    [
      'a pinned hash without a size',
      (json) => Object.assign(json.models[0]?.builds[0] ?? {}, { sizeBytes: null }),
    ],
    [
      'a path for a file name',
      (json) => Object.assign(json.models[0]?.builds[0] ?? {}, { file: '../a.gguf' }),
    ],
    ['the same id twice', (json) => json.models.push(...json.models.slice(0, 1))],
    ['a field that nobody knows', (json) => Object.assign(json.models[0] ?? {}, { extra: 1 })],
    ['another version', (json) => Object.assign(json, { version: 2 })],
  ])('%s', async (_, spoil) => {
    const folder = mkdtempSync(join(tmpdir(), 'tirami-catalogue-'))
    try {
      const json = JSON.parse(readFileSync(PATH, 'utf8')) as Json
      spoil(json)
      const path = join(folder, 'catalogue.json')
      writeFileSync(path, JSON.stringify(json))
      await expect(loadCatalogue(path)).rejects.toMatchObject({ code: 'MODEL_CATALOGUE_DAMAGED' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
