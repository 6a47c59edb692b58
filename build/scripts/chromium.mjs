import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const FIXED = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

function fromSystem() {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((directory) => NAMES.map((name) => join(directory, name)))
  return [process.env.TIRAMI_CHROMIUM, ...onPath, ...FIXED].find((path) => path && existsSync(path)) ?? null
}

async function fromPlaywright() {
  const { chromium } = await import('playwright')
  const path = chromium.executablePath()
  return path && existsSync(path) ? path : null
}

/** Debian's package: only as root (a CI machine), where nothing else was found. */
function fromDebian() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return null
  const apt = (...args) => spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 2, 2] }).status === 0
  const install = () => apt('install', '-y', '--no-install-recommends', 'chromium')
  if (!install()) {
    apt('update')
    install()
  }
  return fromSystem()
}

/** A Chromium that Playwright can drive: the system's, Playwright's own, or Debian's package. Null when none. */
export async function findChromium() {
  return fromSystem() ?? (await fromPlaywright()) ?? fromDebian()
}
