import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { systemClock, systemRng } from '../kernel/index.ts'
import { openModelStore } from './index.ts'
import { writeTinyGguf } from './testing/tiny-gguf.ts'

test('a store opens empty, takes a file, queues a download for later, and finds both again', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tirami-store-'))
  const options = {
    directory: join(root, 'models'),
    cataloguePath: fileURLToPath(new URL('../../resources/catalogue.json', import.meta.url)),
    clock: systemClock,
    rng: systemRng,
    // A metered network that may not be used: nothing leaves this machine.
    metering: { isMetered: () => true, onChange: () => () => {} },
  }
  try {
    const store = await openModelStore(options)
    expect(await store.library.list()).toEqual([])
    const path = writeTinyGguf(join(root, 'mine.gguf'))
    expect(await store.add(path)).toMatchObject({ kind: 'model', model: { id: 'file:mine', path } })
    expect(await store.add('smollm2:135m')).toMatchObject({
      kind: 'download',
      download: {
        modelId: 'smollm2:135m-q4_k_m',
        sizeBytes: 105_454_432,
        hashOrigin: 'catalogue',
        license: 'Apache-2.0',
      },
    })
    await expect(store.add('nothing')).rejects.toMatchObject({ code: 'MODEL_SOURCE_UNKNOWN' })
    const use = await store.diskUse()
    expect(use).toMatchObject({ installedBytes: 0, downloadingBytes: 0 })
    expect(use.freeBytes).toBeGreaterThan(0)
    await store.close()

    const again = await openModelStore(options)
    expect((await again.library.list()).map(({ id }) => id)).toEqual(['file:mine'])
    expect(again.downloads.list()).toMatchObject([{ modelId: 'smollm2:135m-q4_k_m', doneBytes: 0 }])
    await again.close()
  } finally {
    rmSync(root, { recursive: true })
  }
})
