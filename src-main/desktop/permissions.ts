import type { Session } from 'electron'
import { permissionAllowed } from './permission-rules.ts'

export function refusePermissions(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, callback, details) => {
    callback(permissionAllowed(permission, details.requestingUrl))
  })
  session.setPermissionCheckHandler((_contents, permission, requestingOrigin) =>
    permissionAllowed(permission, requestingOrigin),
  )
  session.setDevicePermissionHandler(() => false)
  session.setBluetoothPairingHandler((_details, callback) => callback({ confirmed: false }))
  session.setUSBProtectedClassesHandler((details) => details.protectedClasses)
  // Without a handler every request for screen content is refused.
  session.setDisplayMediaRequestHandler(null)
}
