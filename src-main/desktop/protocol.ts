import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { protocol } from 'electron'
import { APP_SCHEME, answerAppRequest, SECURITY_HEADERS } from './app-request.ts'
import { listBundleFiles } from './bundle-files.ts'

/** Must run before Electron's `ready`. */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([
    {
      scheme: APP_SCHEME,
      privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true },
    },
  ])
}

/** Serves app://tirami from the files that lie in `rendererDirectory` now. */
export function serveAppScheme(rendererDirectory: string): void {
  const files = listBundleFiles(rendererDirectory)
  protocol.handle(APP_SCHEME, async (request) => {
    const answer = answerAppRequest(request.method, request.url, files)
    if (answer.file === null) return new Response(null, { status: answer.status, headers: SECURITY_HEADERS })
    const body = await readFile(join(rendererDirectory, answer.file))
    return new Response(body, {
      status: answer.status,
      headers: { ...SECURITY_HEADERS, 'Content-Type': answer.contentType, 'Cache-Control': 'no-cache' },
    })
  })
}
