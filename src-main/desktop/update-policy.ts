import { z } from 'zod'
import type { AppSettings, Saying, UpdateChannel } from '../../src-preload/contract/index.ts'
import { say } from './saying.ts'

/** What may be fetched, offered and installed. Stands in front of electron-updater and trusts nothing that it says. */

/** The only two shapes of version that this project gives out: `1.2.3` and `1.2.3-beta.4`. */
const VERSION = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-beta\.(\d{1,6}))?$/
/** A name in the feed's own folder: no separator of any system, no drive, no stream, nothing encoded. */
const FILE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,119}$/
const LARGEST_DOWNLOAD_BYTES = 2 * 1024 ** 3

/** What a channel file must say. What else it says is not used. */
const Release = z.object({
  version: z.string().regex(VERSION),
  files: z
    .array(
      z.object({
        url: z.string().regex(FILE_NAME),
        sha512: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
        size: z.number().int().positive().max(LARGEST_DOWNLOAD_BYTES),
      }),
    )
    .min(1)
    .max(16),
  /** The first file once more, for versions of the updater that nobody runs; it may say nothing else. */
  path: z.string().optional(),
  stagingPercentage: z.number().min(0).max(100).optional(),
  /** A web installer fetches files that no hash names. */
  packages: z.undefined().optional(),
})
export type Release = z.infer<typeof Release>

const EXTENSIONS: Record<UpdatePlatform, RegExp> = {
  darwin: /\.(zip|dmg)$/,
  win32: /\.exe$/,
  linux: /\.(AppImage|deb)$/,
}
export type UpdatePlatform = 'darwin' | 'win32' | 'linux'

/** @returns below zero where `a` is older, zero where they are the same; null where one is no version of ours */
export function compareVersions(a: string, b: string): number | null {
  const [left, right] = [partsOf(a), partsOf(b)]
  if (left === null || right === null) return null
  const at = left.findIndex((part, index) => part !== right[index])
  return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0)
}

function partsOf(version: string): number[] | null {
  const match = VERSION.exec(version)
  // A release comes after all its betas.
  return match && [1, 2, 3, 4].map((group) => Number(match[group] ?? Number.POSITIVE_INFINITY))
}

export interface UpdateFacts {
  currentVersion: string
  channel: UpdateChannel
  platform: UpdatePlatform
  /** What the feed last called by which hash. */
  seen: { version: string; sha512: string } | null
  /** A version that was installed here once and did not start. */
  brokenVersion: string | null
}

export type UpdateVerdict =
  | { offer: true; release: Release }
  /** `alarming`: somebody or something is wrong with the feed; the owner is told. */
  | { offer: false; alarming: boolean; saying: Saying }

/** Whether what the feed names may be downloaded. */
export function judgeRelease(raw: unknown, facts: UpdateFacts): UpdateVerdict {
  const refuse = (saying: Saying, alarming = true): UpdateVerdict => ({ offer: false, alarming, saying })
  const parsed = Release.safeParse(raw)
  if (!parsed.success) return refuse(say('update.malformed'))
  const release = parsed.data
  const { version, files, path } = release
  const order = compareVersions(version, facts.currentVersion)
  if (order === null) return refuse(say('update.malformed'))
  if (order === 0) return refuse(say('update.newest'), false)
  if (order < 0) return refuse(say('update.older', { version }), false)
  if (facts.channel === 'stable' && version.includes('-')) {
    return refuse(say('update.wrong-channel', { version }))
  }
  const ours = files.every(({ url }) => EXTENSIONS[facts.platform].test(url) && url.includes(`-${version}-`))
  if (!ours || (path !== undefined && !files.some(({ url }) => url === path))) {
    return refuse(say('update.foreign-file', { version }))
  }
  if (new Set(files.map(({ url }) => url.toLowerCase())).size !== files.length) {
    return refuse(say('update.malformed'))
  }
  if (facts.seen?.version === version && facts.seen.sha512 !== fingerprint(release)) {
    return refuse(say('update.changed', { version }))
  }
  if (facts.brokenVersion === version) return refuse(say('update.broken', { version }), false)
  return { offer: true, release }
}

/** The hashes of a release's files, whatever their order. */
export function fingerprint({ files }: Release): string {
  return files
    .map(({ sha512 }) => sha512)
    .sort()
    .join(' ')
}

/** Where updates come from. */
export interface UpdateFeed {
  url: string
  /** Requests may go to these over https, redirects included, and nowhere else. */
  hosts: ReadonlySet<string>
}

/** GitHub hands its files over from other hosts. */
const GITHUB_FILE_HOSTS = ['objects.githubusercontent.com', 'release-assets.githubusercontent.com']

/** @returns null where updates may not come from `url` */
export function feedAt(url: string): UpdateFeed | null {
  const parsed = secureUrl(url)
  if (parsed === null || parsed.search !== '' || parsed.hash !== '') return null
  const others = parsed.hostname === 'github.com' ? GITHUB_FILE_HOSTS : []
  return { url: parsed.href.replace(/\/*$/, '/'), hosts: new Set([parsed.host, ...others]) }
}

/** Every request of the updater, and every hop of a redirect. */
export function updateRequestAllowed(url: string, feed: UpdateFeed): boolean {
  const parsed = secureUrl(url)
  return parsed !== null && feed.hosts.has(parsed.host)
}

function secureUrl(url: string): URL | null {
  if (!URL.canParse(url)) return null
  const parsed = new URL(url)
  const secure = parsed.protocol === 'https:' && parsed.username === '' && parsed.password === ''
  return secure ? parsed : null
}

const CHECK_EVERY_MS = 6 * 3_600_000
const FIRST_CHECK_MS = 2 * 60_000
const LONGEST_PAUSE_MS = 24 * 3_600_000

/**
 * How long to wait for the next look. Never the same for two machines: a release must not be asked for by all at once.
 * @param failures looks in a row that went wrong
 * @param random from 0 up to 1
 */
export function nextCheckInMs(at: {
  nowMs: number
  lastCheckAtMs: number | null
  failures: number
  random: number
}): number {
  const every = Math.min(CHECK_EVERY_MS * 2 ** at.failures, LONGEST_PAUSE_MS) * (0.8 + 0.4 * at.random)
  const soonest = FIRST_CHECK_MS * (0.5 + at.random)
  // A clock that was put back does not keep updates away.
  if (at.lastCheckAtMs === null || at.lastCheckAtMs > at.nowMs) return soonest
  return Math.max(soonest, at.lastCheckAtMs + every - at.nowMs)
}

/** Why a newer version is not downloaded now; null where it may be. `metered` is null where nobody knows. */
export function downloadHeldBack(
  updates: AppSettings['updates'],
  facts: { metered: boolean | null; version: string },
): Saying | null {
  return facts.metered === true && !updates.onMetered
    ? say('update.metered', { version: facts.version })
    : null
}
