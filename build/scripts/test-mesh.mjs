// `npm run test:mesh`: the tests of whole hosts in a mesh at full length: a network that is cut for a minute, relays.
import { join } from 'node:path'
import { become, childEnvironment, ensureBuilt, ensureInstalled, node24, root } from './toolchain.mjs'

ensureInstalled()
ensureBuilt()
become(
  node24(),
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.long.config.ts', 'e2e/mesh'],
  { env: childEnvironment({ TIRAMI_CUT_S: '60', ...process.env }) },
)
