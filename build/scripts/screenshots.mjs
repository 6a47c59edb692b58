// `npm run screenshots`: builds, then takes a picture of every page from a real host.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { childEnvironment, ensureBuilt, ensureInstalled, node24, root } from './toolchain.mjs'

ensureInstalled()
ensureBuilt()
const { status } = spawnSync(node24(), [join(root, 'e2e/screenshots.ts'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: childEnvironment(),
})
process.exitCode = status ?? 1
