import type { Saying } from '../../src-preload/contract/index.ts'

/** What the shell tells the window, in English; the window has the same in every language, by the code. */
export const SENTENCES = {
  'login.not-installed':
    'Starting at login needs an installed app; this one runs from its source or from a folder that may go away.',
  'login.not-ours':
    'There is a start entry of another program under this app’s name ({path}); it was left as it is.',
  'login.not-written': 'The start entry could not be written: {problem}',
  'safe-mode.asked': 'Safe mode, because it was asked for: no model is loaded and nothing is served.',
  'safe-mode.failed-starts':
    'Safe mode, because the last {count} starts did not come through: no model is loaded and nothing is served.',
  'note.update-failed':
    'Version {version} did not start properly after the update from {before}. If this goes on, install {before} again; your keys and your ledger stay.',
  'update.unsupported-build': 'This build has no update feed: it was not made by the release pipeline.',
  'update.unsupported-package':
    'This package is updated the way it was installed; download the newer one and install it over this one.',
  'update.safe-mode': 'No updates in safe mode: nothing is fetched.',
  'update.off': 'Updates are turned off.',
  'update.not-looked': 'Nobody has looked for updates yet.',
  'update.checking': 'Looking for updates.',
  'update.newest': 'This is the newest version.',
  'update.older': 'The feed offers {version}, which is older than this version; it is not installed.',
  'update.malformed': 'What the update feed says makes no sense; nothing was downloaded.',
  'update.wrong-channel': 'The stable channel offers the test version {version}; it is not installed.',
  'update.foreign-file':
    'The feed names files for {version} that do not belong to it; nothing was downloaded.',
  'update.changed':
    'The feed offers {version} with another content than before. A release never changes: nothing was downloaded.',
  'update.broken': 'Version {version} did not start on this machine; the next one is waited for.',
  'update.metered': 'Version {version} is there, and waits for a connection that does not charge by volume.',
  'update.downloading': 'Version {version} is being downloaded.',
  'update.ready': 'Version {version} is downloaded and checked; it is installed when the app quits.',
  'update.finishing-jobs': 'Running answers are finished first; then the app restarts as version {version}.',
  'update.check-failed': 'The update feed could not be read; it is tried again later. ({problem})',
  'update.download-failed': 'Version {version} could not be downloaded whole and unchanged. ({problem})',
} as const
type SayingCode = keyof typeof SENTENCES

export function say(code: SayingCode, parameters: Saying['parameters'] = {}): Saying {
  const sentence = SENTENCES[code].replace(/\{(\w+)\}/g, (_, name: string) => String(parameters[name] ?? ''))
  return { code, sentence, parameters }
}
