import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { permissionAllowed } from './permission-rules.ts'

/** Every permission that the installed Electron knows, as its own types list them. */
function electronPermissions(): string[] {
  const types = readFileSync(join(import.meta.dirname, '../../node_modules/electron/electron.d.ts'), 'utf8')
  const names = new Set<string>()
  for (const handler of ['setPermissionRequestHandler', 'setPermissionCheckHandler']) {
    const union =
      new RegExp(`${handler}\\(handler: .*?permission: ((?:'[\\w-]+'(?: \\| )?)+)`).exec(types)?.[1] ?? ''
    for (const match of union.matchAll(/'([\w-]+)'/g)) names.add(match[1] ?? '')
  }
  return [...names]
}

describe('permissionAllowed', () => {
  const permissions = electronPermissions()
  it('sees Electron’s list', () => {
    expect(permissions.length).toBeGreaterThan(30)
    expect(permissions).toEqual(
      expect.arrayContaining(['media', 'geolocation', 'openExternal', 'local-network', 'usb']),
    )
  })
  it.each(permissions)('%s', (permission) => {
    expect(permissionAllowed(permission, 'app://tirami/index.html')).toBe(
      permission === 'clipboard-sanitized-write',
    )
  })
  it.each(['', 'toString', '__proto__', 'a-permission-of-tomorrow'])(
    'refuses the unknown “%s”',
    (permission) => {
      expect(permissionAllowed(permission, 'app://tirami/')).toBe(false)
    },
  )
  it.each(['', 'https://example.invalid/', 'app://other/', 'file:///x', 'https://x/?app://tirami/'])(
    'refuses even copying to %s',
    (url) => expect(permissionAllowed('clipboard-sanitized-write', url)).toBe(false),
  )
})
