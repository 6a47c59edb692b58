import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, open, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ledgerLocked } from './errors.ts'

const LockContent = z.strictObject({
  pid: z.number().int().positive(),
  /** Tells a process from a later one that got the same pid; null where the system does not say. */
  startedAs: z.string().nullable(),
  token: z.string(),
})
type LockContent = z.infer<typeof LockContent>

const CLAIM_ATTEMPTS = 5

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function startIdentity(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // Field 22 of proc(5); the command in field 2 may itself hold spaces and brackets.
      const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      return `${boot}:${startTicks}`
    }
    if (process.platform === 'darwin') {
      return execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    }
  } catch {
    return null
  }
  return null
}

function isAlive(holder: LockContent): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: the process exists and belongs to somebody else.
    if (!hasCode(error, 'EPERM')) return false
  }
  const now = startIdentity(holder.pid)
  return holder.startedAs === null || now === null || holder.startedAs === now
}

async function readLock(path: string): Promise<LockContent | null> {
  try {
    return LockContent.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    // It is created whole, so an unreadable one is the remains of a power cut.
    return { pid: 0x7fff_ffff, startedAs: null, token: '' }
  }
}

/** Moves a stale lock away; puts it back when somebody replaced it in between. */
async function removeStale(path: string, stale: LockContent): Promise<void> {
  const aside = `${path}.stale-${randomUUID()}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  const moved = await readLock(aside)
  if (moved && moved.token !== stale.token) await link(aside, path).catch(() => undefined)
  await unlink(aside)
}

/** Creates the lock with its content in one step. @returns false when there is one already */
async function claim(path: string, content: LockContent): Promise<boolean> {
  const draft = `${path}.${content.token}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(JSON.stringify(content))
  } finally {
    await handle.close()
  }
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await unlink(draft)
  }
}

/** @returns the living process that has `directory` locked, or null. Changes nothing. */
export async function lockHolder(directory: string): Promise<number | null> {
  const holder = await readLock(join(directory, 'lock'))
  return holder && isAlive(holder) ? holder.pid : null
}

/**
 * Makes this process the only user of `directory`. A lock left by a process that is gone is taken over.
 * @returns the function that gives the lock back
 * @throws TiramiError LEDGER_LOCKED (503), which names the process that holds it
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock')
  const own = { pid: process.pid, startedAs: startIdentity(process.pid), token: randomUUID() }
  for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt++) {
    if (await claim(path, own)) {
      return async () => {
        if ((await readLock(path))?.token === own.token) await unlink(path)
      }
    }
    const holder = await readLock(path)
    if (holder && isAlive(holder)) throw ledgerLocked(holder.pid, path)
    if (holder) await removeStale(path, holder)
  }
  const holder = await readLock(path)
  throw ledgerLocked(holder?.pid ?? 0, path)
}
