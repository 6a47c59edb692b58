import { join } from 'node:path'
import { z } from 'zod'
import { ApiChoice, GuideState, MeshSetup, ModelsView } from '../../src-preload/contract/index.ts'
import { TiramiError } from '../kernel/index.ts'
import { readSecretFile, writeFileAtomically } from './files.ts'

const Count = z.number().int().positive()

/** Another server that computes in this host's place, as its owner describes it. */
export const UpstreamChoice = z.object({
  /** Where an OpenAI-compatible API begins, such as `http://10.0.0.5:8000/v1`. */
  baseUrl: z.string().max(2_048),
  /** As that server lists it. */
  model: z.string().min(1).max(256),
  apiKeyFile: z.string().nullable().default(null),
  /** Weights that one token is multiplied with: of a mixture of experts the active ones. */
  parameters: Count.nullable().default(null),
  /** What attention costs; without it only the weights are metered. */
  attention: z
    .object({ layers: Count.max(10_000), headCount: Count, keyLength: Count, valueLength: Count })
    .nullable()
    .default(null),
  /** A GGUF file of the same model, of which only the header is read: it then says what is metered. */
  ggufPath: z.string().nullable().default(null),
  /** Jobs that the server is given at once. */
  slots: Count.max(256).default(8),
  /** Tokens of prompt and answer, where the server does not say. */
  contextTokens: Count.default(4096),
})
export type UpstreamChoice = z.infer<typeof UpstreamChoice>

const SettingsFile = z.object({
  /** Id of the model to serve; null: the one that ships with the app. */
  model: z.string().nullable().default(null),
  /** Another server that computes in this host's place; null: none. */
  upstream: UpstreamChoice.nullable().default(null),
  idleUnloadMinutes: ModelsView.shape.settings.shape.idleUnloadMinutes.default(null),
  declaredPowerW: ModelsView.shape.settings.shape.declaredPowerW.default(null),
  downloadBytesPerSecond: ModelsView.shape.settings.shape.downloadBytesPerSecond.default(null),
  guide: GuideState.default({ state: 'open', step: 'machine' }),
  lastBackupAtMs: z.number().int().nonnegative().nullable().default(null),
  /** Where the API listens; null: on this machine, at the usual port. */
  api: ApiChoice.nullable().default(null),
  /** How the host takes part in the mesh; null: never chosen, and so not at all. */
  mesh: MeshSetup.nullable().default(null),
})
export type SettingValues = z.infer<typeof SettingsFile>

/** What the owner chose and must find again after a restart. */
export interface Settings {
  get(): Readonly<SettingValues>
  /** Durable when it returns. */
  set(changes: Partial<SettingValues>): void
}

/** A missing or unreadable file counts as never written: the defaults hold and the next change replaces it. */
export function openSettings(dataDirectory: string): Settings {
  const path = join(dataDirectory, 'settings.json')
  let values = readSettings(path)
  return {
    get: () => values,
    set: (changes) => {
      const next = { ...values, ...changes }
      const text = JSON.stringify(next, null, 2)
      if (text === JSON.stringify(values, null, 2)) return
      writeFileAtomically(path, `${text}\n`)
      values = next
    },
  }
}

function readSettings(path: string): SettingValues {
  try {
    return SettingsFile.parse(JSON.parse(readSecretFile(path) ?? ''))
  } catch {
    return SettingsFile.parse({})
  }
}

/** The command line goes before what is chosen in the window. */
export function settingFixed(): TiramiError {
  return new TiramiError('SETTING_FIXED', 'This was given on the command line and cannot be changed here.', {
    nextStep: 'Start the host without that option to choose in the window.',
    httpStatus: 409,
  })
}
