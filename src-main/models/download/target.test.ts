import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileName, Target } from './record.ts'
import { targetOf } from './target.ts'
import { type FaultyServer, startFaultyServer } from './testing/faulty-server.ts'

const never = new AbortController().signal
const SHA = 'ab'.repeat(32)
const COMMIT = 'c'.repeat(40)
const file = (rfilename: string) => ({ rfilename, size: 1_000, lfs: { sha256: SHA } })

let server: FaultyServer
beforeEach(async () => {
  server = await startFaultyServer(Buffer.from(''))
})
afterEach(() => server.close())

function lists(...siblings: object[]): void {
  server.content = Buffer.from(JSON.stringify({ sha: COMMIT, siblings, id: 'owner/repo' }))
}

function ask(quantisation: string) {
  return targetOf({ kind: 'hub-quantisation', repository: 'owner/repo', quantisation }, server.net(), never)
}

describe('a quantisation of a repository', () => {
  test('is the one file that has it, at the commit that was listed, with the hash that the hub names', async () => {
    lists(
      file('README.md'),
      file('sub/Model-Q4_K_M.gguf'),
      file('Model-Q4_K_S.gguf'),
      file('Model-IQ4_XS.gguf'),
      file('mmproj-Model-Q4_K_M.gguf'),
      file('Model-Q8_0-00001-of-00002.gguf'),
    )
    const target = await ask('q4_k_m')
    expect(Target.parse(target)).toMatchObject({
      modelId: 'hf:owner/repo/sub/Model-Q4_K_M.gguf',
      url: `https://huggingface.co/owner/repo/resolve/${COMMIT}/sub/Model-Q4_K_M.gguf`,
      sizeBytes: 1_000,
      sha256: SHA,
      hashOrigin: 'server',
    })
    expect(server.asked[0]).toMatchObject({
      host: 'huggingface.co',
      path: '/api/models/owner/repo?blobs=true',
    })
  })

  test('that is not there, or is in pieces, is refused with what there is', async () => {
    lists(file('Model-Q4_K_M.gguf'), file('Model-Q8_0-00001-of-00002.gguf'))
    const refusal = { code: 'MODEL_QUANTISATION_UNKNOWN', nextStep: expect.stringContaining('Q4_K_M') }
    await expect(ask('Q8_0')).rejects.toMatchObject(refusal)
    await expect(ask('Q4_K')).rejects.toMatchObject(refusal)
  })

  test('that several files have is refused', async () => {
    lists(file('a-Q4_K_M.gguf'), file('b-Q4_K_M.gguf'))
    await expect(ask('Q4_K_M')).rejects.toMatchObject({ code: 'MODEL_QUANTISATION_UNKNOWN' })
  })

  test.each(['not json', '{}', `{"sha":"x","siblings":[]}`])(
    'a listing that is none is not believed: %s',
    async (text) => {
      server.content = Buffer.from(text)
      await expect(ask('Q4_K_M')).rejects.toMatchObject({ reason: { code: 'DOWNLOAD_PROTOCOL' } })
    },
  )

  test('an endless listing is cut off', async () => {
    server.content = Buffer.alloc(9 * 1024 * 1024, 32)
    await expect(ask('Q4_K_M')).rejects.toMatchObject({ reason: { code: 'DOWNLOAD_PROTOCOL' } })
  })
})

test('file names are safe, readable and never shared', async () => {
  const names = new Set<string>()
  const files = [
    'a b.gguf',
    'a-b.gguf',
    'A-b.gguf',
    'sub/a-b.gguf',
    `${'x'.repeat(190)}.gguf`,
    'CON.gguf',
    'a..b.gguf',
  ]
  for (const name of files) {
    const target = await targetOf(
      { kind: 'hub-file', repository: 'owner/repo', file: name, url: 'https://huggingface.co/x' },
      server.net(),
      never,
    )
    expect(FileName.safeParse(target.fileName).success).toBe(true)
    expect(target.fileName).toMatch(/^owner--repo--/)
    names.add(target.fileName.toLowerCase())
  }
  expect(names.size).toBe(files.length)
})
