// `npm start`: the desktop app; without an Electron binary or a display, the same host with its dashboard.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  become,
  childEnvironment,
  electronBinary,
  ensureBuilt,
  ensureInstalled,
  hasDisplay,
  node24,
  root,
} from './toolchain.mjs'

/** Asks Electron's own installer for the binary; where its server cannot be reached that is no error. */
function fetchElectron() {
  if (process.env.CI || process.env.TIRAMI_NO_ELECTRON_DOWNLOAD) return
  spawnSync(node24(), [join(root, 'node_modules/electron/install.js')], {
    cwd: root,
    stdio: 'ignore',
    timeout: 300_000,
    env: childEnvironment(),
  })
}

function startHeadless(reason) {
  console.log(`${reason}: starting headless, with the dashboard in your browser.`)
  const child = spawn(node24(), [join(root, 'out/main/headless.js'), ...process.argv.slice(2)], {
    cwd: root,
    stdio: ['inherit', 'pipe', 'inherit'],
    env: childEnvironment(),
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = parse(line)
    if (message?.event !== 'ready') return message ? undefined : console.log(line)
    console.log(`Dashboard:     ${message.dashboard}`)
    console.log(`Inference API: ${message.api}   (key in ${message.apiKeyFile})`)
    console.log(`Model:         ${message.model}`)
    console.log('Press Ctrl+C to stop.')
  })
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill('SIGTERM'))
  child.on('exit', (code) => process.exit(code ?? 1))
}

function parse(line) {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

ensureInstalled()
ensureBuilt()
if (!hasDisplay()) startHeadless('No display was found')
else {
  if (!electronBinary()) fetchElectron()
  const electron = electronBinary()
  if (electron) become(electron, [root, ...process.argv.slice(2)])
  else startHeadless('The Electron binary could not be had')
}
