import { z } from 'zod'

const TimestampMs = z.number().int().nonnegative()

export const UpdateChannel = z.enum(['stable', 'beta'])
export type UpdateChannel = z.infer<typeof UpdateChannel>

/** What the owner chose for the app on his desk; the host knows nothing of it. */
export const AppSettings = z.strictObject({
  /** Starts with the owner's session, without a window. */
  startAtLogin: z.boolean(),
  /** Closing the window hides it and the host earns on; otherwise closing quits. */
  closeToTray: z.boolean(),
  notifications: z.strictObject({
    /** The first answer of a night that somebody else paid for. */
    firstEarning: z.boolean(),
    /** The sentinel has stopped selling. */
    sentinelRed: z.boolean(),
    updateReady: z.boolean(),
  }),
  updates: z.strictObject({
    /** Looks for updates and downloads them by itself. */
    enabled: z.boolean(),
    channel: UpdateChannel,
    /** Downloads over a connection that charges by volume, too. */
    onMetered: z.boolean(),
  }),
})
export type AppSettings = z.infer<typeof AppSettings>

/** A change names only what it changes. */
export const AppSettingsChange = z
  .strictObject({
    startAtLogin: AppSettings.shape.startAtLogin,
    closeToTray: AppSettings.shape.closeToTray,
    notifications: AppSettings.shape.notifications.partial(),
    updates: AppSettings.shape.updates.partial(),
  })
  .partial()
export type AppSettingsChange = z.infer<typeof AppSettingsChange>

/** Something a person reads: a stable code with its parameters, and the same in English. */
export const Saying = z.object({
  code: z.string(),
  sentence: z.string(),
  parameters: z.record(z.string(), z.union([z.string(), z.number()])),
})
export type Saying = z.infer<typeof Saying>

export const AppUpdate = z.object({
  state: z.enum([
    /** This build cannot update itself; `saying` tells why and what to do instead. */
    'unsupported',
    /** Turned off by the owner. */
    'off',
    'idle',
    'checking',
    /** There is a newer version that was not downloaded yet; `saying` tells what it waits for. */
    'available',
    'downloading',
    /** Downloaded and verified; installed when the owner says so, or when the app quits. */
    'ready',
    /** The owner said so; jobs that run are being finished first. */
    'finishing-jobs',
    'failed',
  ]),
  saying: Saying,
  currentVersion: z.string(),
  /** The newer version that this is about. */
  version: z.string().nullable(),
  /** Of a download, 0 to 1. */
  progress: z.number().min(0).max(1).nullable(),
  lastCheckAtMs: TimestampMs.nullable(),
})
export type AppUpdate = z.infer<typeof AppUpdate>

/** What the shell around the window says of itself. Nothing of it is there in a browser. */
export const AppView = z.discriminatedUnion('available', [
  z.object({ available: z.literal(false), saying: Saying }),
  z.object({
    available: z.literal(true),
    platform: z.enum(['macos', 'windows', 'linux']),
    settings: AppSettings,
    /** Why starting at login does not work here; null while it does. */
    loginProblem: Saying.nullable(),
    /** Whether there is a tray that the window can be closed to. */
    hasTray: z.boolean(),
    update: AppUpdate,
    /** Why the app was started without model and network; null in normal use. */
    safeMode: Saying.nullable(),
    /** What should be known of the last start, such as an update that did not start. */
    note: Saying.nullable(),
  }),
])
export type AppView = z.infer<typeof AppView>

const None = z.strictObject({})

/** Answered by the shell in the app, by the host with `available: false` or APP_NOT_HERE elsewhere. */
export const appProcedures = {
  'app.get': { input: None, output: AppView },
  'app.set': { input: AppSettingsChange, output: AppView },
  /** `check` looks now, `install` finishes the jobs that run and restarts into the new version. */
  'app.update': { input: z.strictObject({ action: z.enum(['check', 'install']) }), output: AppView },
  /** Starts the host anew with model and network. */
  'app.leaveSafeMode': { input: None, output: AppView },
} as const
