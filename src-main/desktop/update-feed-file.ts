import { parse } from 'yaml'
import { z } from 'zod'
import { feedAt, type UpdateFeed } from './update-policy.ts'

/** What electron-builder writes beside the app: where this build's updates come from. */
const FeedFile = z.object({ provider: z.literal('generic'), url: z.string() })

/** @param read text of `app-update.yml`, null where there is none */
export function feedInstalled(read: () => string | null): UpdateFeed | null {
  const text = read()
  if (text === null) return null
  try {
    const file = FeedFile.safeParse(parse(text))
    return file.success ? feedAt(file.data.url) : null
  } catch {
    return null
  }
}
