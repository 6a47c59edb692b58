// Installs the llama.cpp packages of one system for every processor that a package is built for: npm leaves out those
// of other processors. Used by the release workflow; changes neither package.json nor the lock file.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './toolchain.mjs'

const [system = ''] = process.argv.slice(2)
if (!['mac', 'win', 'linux'].includes(system)) {
  console.error('Usage: node build/scripts/other-processor.mjs mac|win|linux')
  process.exit(2)
}
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const wanted = Object.entries(lock.packages).flatMap(([path, { version }]) => {
  const [, name] = /^node_modules\/(@node-llama-cpp\/([a-z]+)-(?:x64|arm64)[a-z-]*)$/.exec(path) ?? []
  return name?.startsWith(`@node-llama-cpp/${system}-`) ? [`${name}@${version}`] : []
})
console.log(wanted.join('\n'))
const npm = spawnSync('npm', ['install', '--no-save', '--force', '--ignore-scripts', ...wanted], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
})
process.exit(npm.status ?? 1)
