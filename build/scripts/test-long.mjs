// `npm run test:long`: the tests whose length can be chosen, at full length. Beside `npm test`, not in it: about an hour on
// two cores. `TIRAMI_SEED` runs the seeded ones again.
import { join } from 'node:path'
import { become, childEnvironment, ensureBuilt, ensureInstalled, node24, root } from './toolchain.mjs'

const LENGTHS = {
  TIRAMI_KILLS: '200',
  TIRAMI_ENGINE_KILLS: '200',
  TIRAMI_ABORTS: '1000',
  TIRAMI_CANARY_JOBS: '2000',
}
const FILES = ['crash', 'engine-kills', 'disconnect', 'inference/engine.test', 'isolation']

ensureInstalled()
ensureBuilt()
become(
  node24(),
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.long.config.ts', ...FILES],
  { env: childEnvironment({ ...LENGTHS, ...process.env }) },
)
