// `npm test`: installs, builds, lints, type-checks, checks the house rules, runs every test, and closes with
// one line that counts them all.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childEnvironment, ensureBuilt, ensureInstalled, node24, root } from './toolchain.mjs'

const counts = { passed: 0, failed: 0, skipped: 0 }
const scratch = mkdtempSync(join(tmpdir(), 'tirami-test-'))

function runNode(args, environment = {}) {
  return spawnSync(node24(), args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: childEnvironment(environment),
  })
}

/** A check is one test: its tool prints what is wrong. */
function check(name, script, ...args) {
  console.log(`\n── ${name}`)
  const { status } = runNode([join(root, 'node_modules', script), ...args])
  counts[status === 0 ? 'passed' : 'failed']++
}

function vitest(name, config, environment) {
  console.log(`\n── ${name}`)
  const report = join(scratch, `${name.replace(/\W+/g, '-')}.json`)
  const { status } = runNode(
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      config,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    environment,
  )
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'))
    counts.passed += result.numPassedTests
    counts.skipped += result.numPendingTests + result.numTodoTests
    counts.failed += result.numFailedTests
    // A file that breaks before its first test fails no test, yet the run has failed.
    if (status !== 0 && result.numFailedTests === 0) counts.failed++
  } catch {
    counts.failed++
  }
}

ensureInstalled()
ensureBuilt()
const { findChromium } = await import('./chromium.mjs')
const chromium = await findChromium()
if (!chromium) console.log('No Chromium was found: the browser tests are skipped (under CI they fail).')

check('lint and format', '@biomejs/biome/bin/biome', 'check', '--error-on-warnings')
check('types', 'typescript/bin/tsc', '--noEmit', '-p', '.')
check(
  'house rules',
  'dependency-cruiser/bin/dependency-cruiser.mjs',
  'src-main',
  'src-preload',
  'src-renderer',
  '--config',
  '.dependency-cruiser.cjs',
)
check('unused code', 'knip/bin/knip.js')
vitest('unit', 'vitest.config.ts', {})
vitest('whole product', 'vitest.e2e.config.ts', { TIRAMI_CHROMIUM: chromium ?? '' })

rmSync(scratch, { recursive: true, force: true })
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exit(counts.failed === 0 ? 0 : 1)
