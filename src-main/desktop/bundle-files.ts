import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { contentTypeOf } from './app-request.ts'

/**
 * Lists the files of the renderer bundle as URL paths. Symbolic links are skipped, so nothing outside
 * `directory` can be served; source maps and other kinds that the page does not load are skipped too.
 */
export function listBundleFiles(directory: string): Set<string> {
  const names = new Set<string>()
  const walk = (folder: string, prefix: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const name = `${prefix}/${entry.name}`
      if (entry.isDirectory()) walk(join(folder, entry.name), name)
      else if (entry.isFile() && contentTypeOf(entry.name) !== null) names.add(name)
    }
  }
  walk(directory, '')
  return names
}
