import { join } from 'node:path'
import { become, ensureBuilt, ensureInstalled, node24, root } from './toolchain.mjs'

// The study sells answers through a real host, so that has to be built.
ensureInstalled()
ensureBuilt()
become(node24(), [join(root, 'training/funnel/run.ts'), ...process.argv.slice(2)])
