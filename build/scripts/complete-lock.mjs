// Adds to package-lock.json the optional packages of other platforms. npm leaves out what the registry it asked does
// not have, and `npm ci` then refuses the file, or a Mac gets no binary. Run it after changing a dependency.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './toolchain.mjs'

const OS = {
  mac: 'darwin',
  darwin: 'darwin',
  win: 'win32',
  win32: 'win32',
  linux: 'linux',
  android: 'android',
  freebsd: 'freebsd',
  openharmony: 'openharmony',
}
const CPU = ['arm64', 'x64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'armv7l']

/** Platform fields as such packages state them, read off the name: `@scope/cli-linux-x64-musl`. */
function platformOf(name) {
  const words = name.split('/').at(-1).split(/[-_]/)
  const os = words.map((word) => OS[word]).find(Boolean)
  const cpu = words.find((word) => CPU.includes(word))
  if (!os || !cpu) return null
  const libc = os === 'linux' && words.find((word) => /^(gnu|musl)/.test(word))
  return { cpu: [cpu], os: [os], ...(libc ? { libc: [libc.startsWith('gnu') ? 'glibc' : 'musl'] } : {}) }
}

const path = join(root, 'package-lock.json')
const lock = JSON.parse(readFileSync(path, 'utf8'))
const added = []
for (const owner of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (lock.packages[key] || !/^\d+\.\d+\.\d+/.test(version)) continue
    const platform = platformOf(name)
    if (!platform) {
      console.error(`${name}: its platform cannot be told from its name; add it by hand.`)
      process.exitCode = 1
      continue
    }
    lock.packages[key] = { version, ...platform, ...(owner.dev ? { dev: true } : {}), optional: true }
    added.push(name)
  }
}
const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1))
lock.packages = Object.fromEntries(sorted)
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(added.length > 0 ? `Added:\n${added.join('\n')}` : 'Nothing was missing.')
