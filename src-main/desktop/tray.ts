import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Menu, type MenuItemConstructorOptions, nativeTheme, Tray } from 'electron'
import { type TrayAction, type TrayItem, type TrayModel, trayIconFile } from './tray-model.ts'

export class AppTray {
  readonly #tray: Tray
  readonly #iconDirectory: string
  readonly #act: (action: TrayAction) => void
  #model: TrayModel | null = null

  constructor(iconDirectory: string, act: (action: TrayAction) => void) {
    this.#iconDirectory = iconDirectory
    this.#act = act
    this.#tray = new Tray(this.#iconPath())
    this.#tray.on('click', () => {
      // On macOS a click opens the menu.
      if (process.platform !== 'darwin') act('open')
    })
    nativeTheme.on('updated', () => this.#tray.setImage(this.#iconPath()))
  }

  /** Shows `model`; an equal one changes nothing, so that an open menu stays open. */
  show(model: TrayModel): void {
    if (isDeepStrictEqual(model, this.#model)) return
    this.#draw(model)
  }

  #draw(model: TrayModel): void {
    this.#model = model
    this.#tray.setImage(this.#iconPath())
    this.#tray.setToolTip(model.tooltip)
    this.#tray.setContextMenu(Menu.buildFromTemplate(model.items.map((item) => this.#menuItem(item))))
  }

  #iconPath(): string {
    const file = trayIconFile(this.#model?.icon ?? 'busy', process.platform, nativeTheme.shouldUseDarkColors)
    return join(this.#iconDirectory, file)
  }

  #menuItem(item: TrayItem): MenuItemConstructorOptions {
    if (item.type === 'separator') return { type: 'separator' }
    if (item.type === 'text') return { label: item.label, enabled: false }
    if (item.type === 'menu') {
      const submenu = item.items.map((inner) => this.#menuItem(inner))
      return { type: 'submenu', label: item.label, enabled: item.enabled, submenu }
    }
    return {
      id: item.action,
      label: item.label,
      enabled: item.enabled,
      click: () => this.#act(item.action),
      ...(item.checked === undefined ? {} : { type: 'radio' as const, checked: item.checked }),
    }
  }
}
