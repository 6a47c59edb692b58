import { join } from 'node:path'
import { become, ensureBuilt, ensureInstalled, node24, root } from './toolchain.mjs'

ensureInstalled()
ensureBuilt()
become(node24(), [join(root, 'out/main/keys-cli.js'), ...process.argv.slice(2)])
