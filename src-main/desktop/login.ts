import { app } from 'electron'
import { autostartFolder, autostarts, HIDDEN_SWITCH, setAutostart, startCommand } from './login-item.ts'
import { say } from './saying.ts'
import type { ShellPorts } from './shell.ts'

/** As in build/electron-builder.ts. */
export const APP_ID = 'dev.tirami.host'

/** Starting with the owner's session: the system's own list on macOS and Windows, an XDG entry on Linux. */
export function loginItem(): ShellPorts['login'] {
  const command = startCommand({
    packaged: app.isPackaged,
    platform: process.platform,
    execPath: process.execPath,
    appImage: process.env.APPIMAGE,
  })
  if (command === null) return { isOn: () => false, set: (on) => (on ? say('login.not-installed') : null) }
  if (process.platform === 'linux') {
    const folder = autostartFolder(process.env, app.getPath('home'))
    return {
      isOn: () => autostarts(folder, command),
      set: (on) => setAutostart(folder, on ? command : null),
    }
  }
  // `name` is what the uninstaller takes away (build/uninstall.nsh).
  const item = { args: [`--${HIDDEN_SWITCH}`], name: APP_ID }
  return {
    isOn: () => app.getLoginItemSettings(item).openAtLogin,
    set: (on) => {
      app.setLoginItemSettings({ openAtLogin: on, ...item })
      return null
    },
  }
}

/** Whether this start is not the owner's own: then no window comes up. */
export function startedHidden(): boolean {
  if (app.commandLine.hasSwitch(HIDDEN_SWITCH)) return true
  return process.platform === 'darwin' && app.getLoginItemSettings().wasOpenedAtLogin
}
