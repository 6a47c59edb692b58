import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { TiramiError, toPublicError } from './kernel/index.ts'

/** What the commands beside the host share: how they are asked, how they refuse, and how they end. */

/** A command line that was not understood. */
export class UsageError extends Error {}

const COMMON = { 'data-dir': { type: 'string' } } as const

/** `--data-dir` is understood by all. @throws UsageError where an option is not known, or its value is missing */
export function readArguments<Options extends ParseArgsOptionsConfig>(options: Options) {
  try {
    return parseArgs({ allowPositionals: true, options: { ...options, ...COMMON } })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The data directory that was named, or the usual one. */
export function dataDirectoryOf(options: { 'data-dir'?: string | undefined }): string {
  return resolve(options['data-dir'] ?? join(homedir(), '.tirami-host'))
}

/** An option that a command does not know would be ignored in silence. @throws UsageError */
export function assertKnown(command: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw new UsageError(`${command} has no --${name}.`)
}

export function fileRefused(message: string, nextStep: string, cause?: unknown): TiramiError {
  return new TiramiError('FILE_REFUSED', message, { nextStep, httpStatus: 400, cause })
}

/** Runs a command to its end: 0 when all is well, 1 on a fault, 2 when the command line was not understood. */
export function runCommand(usage: string, main: () => Promise<void>): void {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(usage)
    return
  }
  main().catch((error: unknown) => {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${usage}`)
      process.exitCode = 2
      return
    }
    // Whoever reads has what he wanted.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return
    const { code, message, nextStep } = toPublicError(error)
    console.error(`${code}: ${message} ${nextStep}`)
    if (code === 'INTERNAL') console.error(error)
    process.exitCode = 1
  })
}
