// `npm run test:package`: packs the built app (`npm run build`) around a stand-in for Electron's binary, and looks at
// what is in it. Needs no network; Linux only.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import packageJson from '../../package.json' with { type: 'json' }
import { fakeElectron } from '../fake-electron.ts'
import { RELEASE_FUSES } from '../fuses.ts'

const root = join(import.meta.dirname, '../..')
/** electron-builder's own. */
const { extractFile, listPackage } = createRequire(
  createRequire(import.meta.url).resolve('electron-builder/package.json'),
)('@electron/asar') as {
  extractFile(archive: string, path: string): Buffer
  listPackage(archive: string, options: { isPack: boolean }): string[]
}
const scratch = mkdtempSync(join(tmpdir(), 'tirami-package-'))
let failed = 0
const check = (name: string, holds: boolean) => {
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${name}`)
  if (!holds) failed += 1
}

const electron = join(scratch, 'electron')
mkdirSync(join(electron, 'locales'), { recursive: true })
for (const name of ['en-US.pak', 'ja.pak', 'fr.pak']) writeFileSync(join(electron, 'locales', name), '')
writeFileSync(join(electron, 'electron'), fakeElectron())
chmodSync(join(electron, 'electron'), 0o755)
const packed = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/electron-builder/out/cli/cli.js'),
    '--linux',
    'dir',
    '--x64',
    '--config',
    'build/electron-builder.ts',
    `--config.directories.output=${join(scratch, 'dist')}`,
  ],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ELECTRON_OVERRIDE_DIST_PATH: electron,
      TIRAMI_UPDATE_URL: 'https://updates.example/feed',
    },
  },
)
try {
  if (packed.status !== 0) console.log(String(packed.stdout))
  check('electron-builder packs', packed.status === 0)
  await lookInto(join(scratch, 'dist', 'linux-unpacked'))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(failed === 0 ? 0 : 1)

async function lookInto(app: string): Promise<void> {
  const archive = join(app, 'resources', 'app.asar')
  const files = new Set(listPackage(archive, { isPack: false }).map((path) => path.replaceAll('\\', '/')))
  const has = (path: string) => files.has(`/${path}`)
  const modules = [...files].flatMap(
    (path) => /^\/node_modules\/((?:@[^/]+\/)?[^/@.][^/]*)\/package\.json$/.exec(path)?.[1] ?? [],
  )

  for (const entry of ['main', 'host', 'engine', 'headless', 'projection', 'reasoning']) {
    check(`has out/main/${entry}.js`, has(`out/main/${entry}.js`))
  }
  check('has the page and the preload', has('out/renderer/index.html') && has('out/preload/index.cjs'))
  check(
    'starts with main',
    JSON.parse(String(extractFile(archive, 'package.json'))).main === packageJson.main,
  )
  const missing = Object.keys(packageJson.dependencies).filter((name) => !modules.includes(name))
  check(`has every dependency (missing: ${missing.join(', ') || 'none'})`, missing.length === 0)
  const foreign = modules.filter((name) => Object.hasOwn(packageJson.devDependencies, name))
  check(
    `has nothing that only the page or the build needs (${foreign.join(', ') || 'none'})`,
    foreign.length === 0,
  )
  check(
    'has no source maps and no tests of others',
    ![...files].some((path) => /\.map$|\/__tests__\//.test(path)),
  )

  const unpacked = join(app, 'resources', 'app.asar.unpacked', 'node_modules')
  const backends = existsSync(join(unpacked, '@node-llama-cpp'))
    ? readdirSync(join(unpacked, '@node-llama-cpp'))
    : []
  check(`has llama.cpp outside the archive (${backends.join(', ')})`, backends.includes('linux-x64'))
  check(
    'has it for this processor alone',
    backends.every((name) => name.startsWith('linux-x64')),
  )
  check(
    'has SQLite’s WebAssembly outside the archive',
    existsSync(join(unpacked, 'sql.js/dist/sql-wasm.wasm')),
  )
  const native = [...files].filter((path) => path.endsWith('.node'))
  const inside = native.filter((path) => !existsSync(join(unpacked, path.replace('/node_modules/', ''))))
  check(`has no native code inside the archive (${inside.join(', ') || 'none'})`, inside.length === 0)

  const beside = join(app, 'resources', 'resources')
  check(
    'has the models and the catalogue beside it',
    existsSync(join(beside, 'models/concierge.gguf')) && existsSync(join(beside, 'catalogue.json')),
  )
  check(
    'has no key, no ledger and no test certificate',
    ![...files].some((path) => /\.pem$|api-key$|journal/.test(path) && !path.includes('/node_modules/')),
  )

  const wire = await getCurrentFuseWire(join(app, 'tirami-host'))
  const wrong = Object.entries(RELEASE_FUSES).filter(
    ([option, on]) => wire[Number(option) as FuseV1Options] !== (on ? FuseState.ENABLE : FuseState.DISABLE),
  )
  check(
    `has its fuses as decided (${wrong.map(([option]) => FuseV1Options[Number(option)]).join(', ') || 'all'})`,
    wrong.length === 0,
  )
}
